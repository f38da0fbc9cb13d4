//! The operator's port: whether it lives, whether it is ready, and its metrics. Nothing else.

use crate::metrics;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// What it waits for, told by whoever knows. Cheap to clone.
#[derive(Clone)]
pub struct Readiness(Arc<Mutex<Tells>>);

type Tells = Box<dyn Fn() -> Option<String> + Send>;

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Box::new(|| {
            Some("starting".to_owned())
        }))))
    }
}

impl Readiness {
    /// From now on this function tells.
    pub fn told_by(&self, tells: impl Fn() -> Option<String> + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(tells);
    }

    fn waits_for(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)()
    }
}

/// `GET /livez`, `/readyz`, `/metrics`, until the future is dropped.
pub async fn serve(listener: TcpListener, readiness: Readiness) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(readiness);
    axum::serve(listener, router).await
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    match readiness.waits_for() {
        None => "ready\n".into_response(),
        Some(reason) => {
            let text = format!("not ready: {reason}\n");
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

async fn render() -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics::render()).into_response()
}
