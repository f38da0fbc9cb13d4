//! The second port: whether the process lives, whether it is ready, and its metrics. Nothing else.

use crate::context::{REQUEST_ID, hex};
use crate::error::Problem;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chat::ops::health::{Health, ready};
use http::{HeaderValue, StatusCode, header};
use std::fmt::Write;

/// `GET /livez`, `/readyz`, `/metrics`, to be served where only operators reach it.
pub fn admin_router(health: Health) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(map_response(as_problem))
        .with_state(health)
}

/// 503 while a part is not ready. With `?verbose`, a line for each part.
async fn readiness(State(health): State<Health>, RawQuery(query): RawQuery) -> Response {
    let parts = health.parts().await;
    let ready = ready(&parts);
    let mut text = String::new();
    if query.is_some_and(|query| {
        query
            .split('&')
            .any(|name| name == "verbose" || name.starts_with("verbose="))
    }) {
        for part in &parts {
            let sign = match (part.ok, part.needed) {
                (true, _) => '+',
                (false, true) => '-',
                // It is away, and this program goes on without it.
                (false, false) => '!',
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "[{sign}] {}: {}", part.name, part.detail);
        }
    }
    text.push_str(if ready { "ready\n" } else { "not ready\n" });
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    // The type is set here so that `as_problem` can tell this answer from a bare status.
    (
        status,
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        text,
    )
        .into_response()
}

async fn metrics(State(health): State<Health>) -> Response {
    // Asking the parts is what records whether they are ready.
    health.parts().await;
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        chat::metrics::render(),
    )
        .into_response()
}

/// A status without a body becomes problem details.
async fn as_problem(response: Response) -> Response {
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if !failed || response.headers().contains_key(header::CONTENT_TYPE) {
        return response;
    }
    let request_id = hex(&chat::clock::random_bytes::<16>());
    let mut problem = Problem::from_status(response.status()).render(&request_id);
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem.headers_mut().insert(
        REQUEST_ID,
        HeaderValue::from_str(&request_id).expect("digits are ASCII"),
    );
    problem
}
