//! What is around every request, whatever its route: context, load shed, deadline, panics, headers of
//! the answer, access line and metrics.
//!
//! One function instead of a stack of layers: the order is readable, and it runs for each request.

use crate::auth;
use crate::context::{self, Context, Notes, REQUEST_ID, TRACEPARENT};
use crate::error::Problem;
use crate::kind::Kind;
use crate::limits;
use crate::router::Api;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chat::model::AppId;
use chat::traces;
use futures::FutureExt;
use http::{HeaderValue, Method, StatusCode, header};
use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_secs(15);

/// The other end of the connection; `serve` puts it into each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// A route's surroundings. `template` is what logs and metrics call it.
#[derive(Clone)]
pub(crate) struct Envelope {
    pub(crate) api: Arc<Api>,
    pub(crate) template: Arc<str>,
}

pub(crate) async fn answer(
    State(envelope): State<Envelope>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let Envelope { api, template } = envelope;
    let method = request.method().clone();
    let peer = request
        .extensions()
        .get::<Peer>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0);
    let client = limits::client_address(peer, request.headers(), api.settings.trusted_proxies);
    let caller = context::caller(request.headers());
    let span = traces::request(method.as_str(), &template, caller);
    let context = Arc::new(Context::new(
        request.headers(),
        client,
        span.traceparent(),
        chat::clock::random_bytes(),
    ));
    request.extensions_mut().insert(Arc::clone(&context));

    let response = match guarded(&api, &context, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    let notes = context.take_notes();
    let response = finished(response, &method, &context, &notes);

    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    chat::metrics::http_request(method.as_str(), &template, status, elapsed.as_secs_f64());
    tracing::info!(
        target: "chat::access",
        request_id = context.request_id,
        method = method.as_str(),
        route = &*template,
        status,
        duration_ms = elapsed.as_secs_f64() * 1_000.0,
        tenant = notes.tenant.map(AppId::get),
        trace_id = span.trace_id(),
        "request answered"
    );
    span.answered(status, notes.tenant);
    response
}

async fn guarded(
    api: &Api,
    context: &Context,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    auth::refuse_foreign_host(&api.settings.auth, request.uri(), request.headers())?;
    let _permit = api.in_flight.try_acquire().map_err(|_| {
        Problem::new(
            Kind::Busy,
            "too many requests are in flight, nothing was done",
        )
        .retry_after_s(1)
    })?;
    limits::charge_client(api, context, request.method()).await?;
    // A handler that is cut off leaves nothing half-done: `ops` accepts in a task of its own.
    let handled =
        tokio::time::timeout(DEADLINE, AssertUnwindSafe(next.run(request)).catch_unwind());
    match handled.await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(_panic)) => {
            tracing::error!(request_id = context.request_id, "a handler panicked");
            Err(Problem::from_status(StatusCode::INTERNAL_SERVER_ERROR))
        }
        Err(_) => Err(Problem::new(
            Kind::Timeout,
            "no answer within 15 seconds; ask again what became of it",
        )),
    }
}

/// Writes out problems, also those of others that only have a status, and adds the headers of every answer.
fn finished(mut response: Response, method: &Method, context: &Context, notes: &Notes) -> Response {
    let allow = response.headers_mut().remove(header::ALLOW);
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.render(&context.request_id);
    } else if method == Method::OPTIONS && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        // The router adds `Allow`.
        response = StatusCode::NO_CONTENT.into_response();
    } else if response.status().is_client_error() || response.status().is_server_error() {
        response = Problem::from_status(response.status()).render(&context.request_id);
    }
    let headers = response.headers_mut();
    if let Some(allow) = allow {
        headers.insert(header::ALLOW, allow);
    }
    limits::write_headers(notes, headers);
    for (name, text) in [
        (REQUEST_ID, &context.request_id),
        (TRACEPARENT, &context.traceparent),
    ] {
        headers.insert(
            name,
            HeaderValue::from_str(text).expect("both are visible ASCII"),
        );
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
