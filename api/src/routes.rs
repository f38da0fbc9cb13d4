//! The handlers, by resource, and how their answers are put together. A handler parses, calls one rule
//! and answers; it decides nothing itself.

pub(crate) mod applications;
pub(crate) mod chats;
pub(crate) mod health;
pub(crate) mod messages;
pub(crate) mod search;

use crate::answers;
use crate::query::encode;
use axum::response::{IntoResponse, Response};
use chat::model;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    let body = serde_json::to_vec(body).expect("answers have string keys and finite numbers");
    (
        status,
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )],
        body,
    )
        .into_response()
}

/// The answer to an accepted command about the object at `location`.
fn accepted(status: StatusCode, location: &str, accepted: model::Accepted) -> Response {
    let replayed = accepted.replayed;
    let mut response = json(status, &answers::Accepted::from(accepted));
    located(&mut response, location);
    if replayed {
        mark_replayed(&mut response);
    }
    response
}

/// The answer to a read of something that is accepted and on its way.
fn not_yet(number: model::Number) -> Response {
    let mut response = json(StatusCode::ACCEPTED, &answers::NotYet::new(number));
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn located(response: &mut Response, location: &str) {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
}

fn mark_replayed(response: &mut Response) {
    response
        .headers_mut()
        .insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
}

/// `Link` to the next page (RFC 8288): the same path with these parameters.
fn link_next(response: &mut Response, path: &str, parameters: &[(&str, &str)]) {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    if let Ok(link) = HeaderValue::from_str(&format!("<{path}?{}>; rel=\"next\"", pairs.join("&")))
    {
        response.headers_mut().insert(header::LINK, link);
    }
}
