//! Everything that is not an answer: RFC 9457 problem details, and the one function that maps what went
//! wrong to a status.
//!
//! A `Problem` travels inside the response and is written out by the envelope, which knows the request
//! id. It never carries what a backend said: that goes into the log.

use crate::kind::Kind;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chat::error::Error;
use chat::model::{GapCause, Number, Problem as Refusal, Uid};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// One thing wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldError {
    /// Name of the body field, query or path parameter, or header.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) problem: String,
    /// What to send instead.
    pub(crate) fix: String,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, refusal: Refusal) -> Self {
        Self {
            field: field.into(),
            problem: refusal.problem,
            fix: refusal.fix,
        }
    }
}

/// An error on its way to the client.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    detail: String,
    errors: Vec<FieldError>,
    retry_after_s: Option<u64>,
    about: Option<Box<About>>,
}

/// What is known of the object an error is about.
#[derive(Clone, Debug, Default)]
struct About {
    number: Option<Number>,
    id: Option<Uid>,
    cause: Option<GapCause>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_s: None,
            about: None,
        }
    }

    pub(crate) fn retry_after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The same answer for what is unknown, what is somebody else's and what is missing.
    pub(crate) fn not_found() -> Self {
        Self::new(
            Kind::NotFound,
            "there is no such object, or it is not yours",
        )
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            Kind::Unauthenticated,
            "send 'Authorization: Bearer <key>' with a key that is valid for this",
        )
    }

    /// `errors` is not empty.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] => format!("{} {}", only.field, only.problem),
            several => format!("{} things are wrong, see errors", several.len()),
        };
        Self {
            errors,
            ..Self::new(Kind::InvalidRequest, detail)
        }
    }

    pub(crate) fn invalid_field(
        field: &str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::invalid(vec![FieldError::new(field, Refusal::new(problem, fix))])
    }

    /// For answers of others that have only a status, such as 405 of the router.
    pub(crate) fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::METHOD_NOT_ALLOWED => Self::new(
                Kind::MethodNotAllowed,
                "see the Allow header for the methods of this path",
            ),
            StatusCode::NOT_FOUND => Self::new(
                Kind::NotFound,
                "no route has this path; /openapi.json lists them",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(Kind::BodyTooLarge, "send a smaller body"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::new(Kind::UnsupportedMediaType, "send JSON")
            }
            client if client.is_client_error() => {
                Self::new(Kind::InvalidRequest, "the request cannot be understood")
            }
            _ => Self::new(Kind::Internal, INTERNAL),
        }
    }

    /// The answer, written out. `request_id` is visible ASCII.
    pub(crate) fn render(self, request_id: &str) -> Response {
        let (status, _, title) = self.kind.words();
        let about = self.about.unwrap_or_default();
        let document = ProblemDocument {
            r#type: self.kind.urn(),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail,
            instance: request_id.to_owned(),
            errors: self.errors,
            number: about.number.map(Number::get),
            id: about.id.map(|id| id.to_string()),
            cause: about.cause.map(GapCause::as_str),
        };
        let body = serde_json::to_vec(&document).expect("a problem has only strings and numbers");
        let mut response = (status, Bytes::from(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind == Kind::Unauthenticated {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"chatsystem\""),
            );
        }
        response
    }
}

const INTERNAL: &str = "the log says more under this request id";

impl IntoResponse for Problem {
    /// A response without a body: the envelope writes it.
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::NeverStored { cause } => {
                let about = About {
                    cause: Some(cause),
                    ..About::default()
                };
                let detail = format!(
                    "the number was given and nothing will be stored under it: {}",
                    cause.as_str()
                );
                Self {
                    about: Some(Box::new(about)),
                    ..Self::new(Kind::NeverStored, detail)
                }
            }
            Error::Gone => Self::new(Kind::Gone, "it, or what it belongs to, was deleted"),
            Error::NotYetStored => Self::new(
                Kind::NotYetStored,
                "the chat is accepted and not stored yet, try again",
            )
            .retry_after_s(1),
            Error::Invalid {
                field,
                problem,
                fix,
            } => Self::invalid_field(field, problem, fix),
            Error::Unauthenticated => Self::unauthenticated(),
            Error::Forbidden => Self::new(Kind::Forbidden, "these credentials do not allow this"),
            Error::InFlight { retry_after_ms } => Self::new(
                Kind::InFlight,
                "a request with this Idempotency-Key is being worked on, try again",
            )
            .retry_after_s(retry_after_ms.div_ceil(1_000).max(1)),
            Error::IdempotencyMismatch => Self::new(
                Kind::IdempotencyMismatch,
                "this Idempotency-Key came before with another body; use a new key for a new request",
            ),
            Error::Conflict => {
                tracing::info!("refused: others write the same thing");
                Self::new(Kind::Busy, "others write the same thing, try again").retry_after_s(1)
            }
            Error::Busy(why) => {
                tracing::info!(why, "refused: busy");
                Self::new(Kind::Busy, "nothing was stored, try again").retry_after_s(1)
            }
            Error::Unroutable => Self::new(
                Kind::Unroutable,
                "nothing was stored, try again with the same Idempotency-Key",
            )
            .retry_after_s(1),
            Error::OutcomeUnknown { number, uid } => {
                let about = About {
                    number,
                    id: uid,
                    cause: None,
                };
                let detail = "ask for this number later, or repeat the request with the same Idempotency-Key";
                let problem = Self::new(Kind::OutcomeUnknown, detail).retry_after_s(1);
                Self {
                    about: Some(Box::new(about)),
                    ..problem
                }
            }
            Error::Unavailable { part, source } => {
                tracing::warn!(part, error = %source, "a part does not answer");
                Self::new(
                    Kind::Unavailable,
                    format!("{part} does not answer, nothing was changed"),
                )
                .retry_after_s(1)
            }
            error @ Error::SchemaTooNew { .. } => {
                tracing::error!(%error, "the database serves a later program");
                Self::new(
                    Kind::Unavailable,
                    "the database does not serve this program, nothing was changed",
                )
            }
            Error::Internal(source) => {
                tracing::error!(error = %source, "internal error");
                Self::new(Kind::Internal, INTERNAL)
            }
        }
    }
}

/// Problem details (RFC 9457): the body of every answer from 400 on.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// `urn:chatsystem:problem:` and one of the words of this API.
    r#type: String,
    /// The same for every problem of a type.
    title: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened this time.
    detail: String,
    /// The request id.
    instance: String,
    /// What is wrong with which field; empty when no field is to blame.
    errors: Vec<FieldError>,
    /// With `outcome-unknown`: the number that the object has if it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    /// With `outcome-unknown`: the id that the object has if it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// With `never-stored`: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    cause: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_backend_said_stays_inside() {
        for error in [
            Error::unavailable("store", "secret"),
            Error::internal("secret"),
            Error::Busy("secret".into()),
        ] {
            let shown = format!("{:?}", Problem::from(error));
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
}
