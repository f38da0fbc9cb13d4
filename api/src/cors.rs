//! Which web pages may call from a browser: none, unless their origins are named.

use http::{HeaderName, HeaderValue, Method, header};
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

const PREFLIGHT_LIFETIME: Duration = Duration::from_secs(600);

/// `None` when no origin is allowed.
pub(crate) fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    let sent =
        ["idempotency-key", "prefer", "traceparent", "x-request-id"].map(HeaderName::from_static);
    let shown = [
        "idempotent-replayed",
        "preference-applied",
        "ratelimit",
        "ratelimit-policy",
        "traceparent",
        "x-request-id",
    ];
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers(
            sent.into_iter()
                .chain([header::AUTHORIZATION, header::CONTENT_TYPE])
                .collect::<Vec<_>>(),
        )
        .expose_headers(
            shown
                .map(HeaderName::from_static)
                .into_iter()
                .chain([header::LINK, header::LOCATION, header::RETRY_AFTER])
                .collect::<Vec<_>>(),
        )
        .max_age(PREFLIGHT_LIFETIME);
    Some(layer)
}
