//! One table of routes, served under both bases and under the names of the earlier systems, and
//! described once.

use crate::envelope::{self, Envelope};
use crate::error::Problem;
use crate::routes::{applications, chats, messages, search};
use crate::settings::ApiSettings;
use crate::{cors, openapi};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use bytes::Bytes;
use chat::ops::Ops;
use chat::ports::Limiter;
use http::{StatusCode, header};
use std::sync::Arc;
use tokio::sync::Semaphore;
use utoipa::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Requests at work at once; beyond that they are refused, not queued.
const MAX_IN_FLIGHT: usize = 512;
pub(crate) const BASE: &str = "/api/v1";

/// What every handler can reach.
pub(crate) struct Api {
    pub(crate) ops: Ops,
    pub(crate) limiter: Arc<dyn Limiter>,
    pub(crate) settings: ApiSettings,
    pub(crate) in_flight: Semaphore,
}

/// The whole HTTP contract over any backends.
pub fn router(ops: Ops, limiter: Arc<dyn Limiter>, settings: ApiSettings) -> Router {
    let cors = cors::layer(&settings.cors_origins);
    let api = Arc::new(Api {
        ops,
        limiter,
        settings,
        in_flight: Semaphore::new(MAX_IN_FLIGHT),
    });
    let envelope = |template: &str| {
        let envelope = Envelope {
            api: Arc::clone(&api),
            template: template.into(),
        };
        from_fn_with_state(envelope, envelope::answer)
    };

    let mut served = Router::new();
    for (_, paths, methods) in table() {
        for path in paths.paths.keys() {
            let methods = methods.clone().layer(envelope(path));
            for place in places(path) {
                served = served.route(&place, methods.clone());
            }
        }
    }
    let described = Bytes::from(document().to_string());
    let describe = async || ([(header::CONTENT_TYPE, "application/json")], described);
    let served = served
        .route(
            "/openapi.json",
            get(describe).layer(envelope("/openapi.json")),
        )
        .with_state(api.clone())
        .merge(
            Router::from(SwaggerUi::new("/docs").config(Config::from("/openapi.json")))
                .layer(envelope("/docs")),
        )
        .fallback_service(
            any(async || Problem::from_status(StatusCode::NOT_FOUND)).layer(envelope("unmatched")),
        );
    match cors {
        Some(cors) => served.layer(cors),
        None => served,
    }
}

/// The OpenAPI document of exactly these routes.
pub fn document() -> serde_json::Value {
    let mut described = OpenApiRouter::new();
    for methods in table() {
        described = described.routes(methods);
    }
    let described = OpenApiRouter::with_openapi(openapi::Base::openapi()).nest(BASE, described);
    openapi::finish(described.get_openapi())
}

type Methods = UtoipaMethodRouter<Arc<Api>>;

fn table() -> Vec<Methods> {
    [
        applications::routes(),
        chats::routes(),
        messages::routes(),
        search::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where a path of the table is served: under both bases, and as `/apps` too.
fn places(path: &str) -> Vec<String> {
    let alias = path
        .strip_prefix("/applications")
        .map(|rest| format!("/apps{rest}"));
    let names = std::iter::once(path.to_owned()).chain(alias);
    names
        .flat_map(|name| [format!("{BASE}{name}"), name])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_answers_at_both_bases_and_under_its_old_name() {
        let expected = [
            "/api/v1/applications/{token}",
            "/applications/{token}",
            "/api/v1/apps/{token}",
            "/apps/{token}",
        ];
        assert_eq!(places("/applications/{token}"), expected);
        assert_eq!(places("/messages"), ["/api/v1/messages", "/messages"]);
    }
}
