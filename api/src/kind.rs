//! The kinds of problems there are: one word, one status and one title each.

use http::StatusCode;

/// What kind of problem it is; `urn:chatsystem:problem:<slug>` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    InvalidRequest,
    MalformedBody,
    Unauthenticated,
    Forbidden,
    NotFound,
    NeverStored,
    MethodNotAllowed,
    InFlight,
    Gone,
    BodyTooLarge,
    UnsupportedMediaType,
    IdempotencyMismatch,
    RateLimited,
    Internal,
    Busy,
    Unroutable,
    OutcomeUnknown,
    NotYetStored,
    Unavailable,
    Timeout,
}

impl Kind {
    pub(crate) const ALL: [Self; 20] = [
        Self::InvalidRequest,
        Self::MalformedBody,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::NeverStored,
        Self::MethodNotAllowed,
        Self::InFlight,
        Self::Gone,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::IdempotencyMismatch,
        Self::RateLimited,
        Self::Internal,
        Self::Busy,
        Self::Unroutable,
        Self::OutcomeUnknown,
        Self::NotYetStored,
        Self::Unavailable,
        Self::Timeout,
    ];

    /// Status, last part of the type, title.
    pub(crate) fn words(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::InvalidRequest => (
                S::BAD_REQUEST,
                "invalid-request",
                "The request is not valid",
            ),
            Self::MalformedBody => (S::BAD_REQUEST, "malformed-body", "The body is not JSON"),
            Self::Unauthenticated => (
                S::UNAUTHORIZED,
                "unauthenticated",
                "Valid credentials are needed",
            ),
            Self::Forbidden => (S::FORBIDDEN, "forbidden", "This is not allowed"),
            Self::NotFound => (S::NOT_FOUND, "not-found", "There is no such thing"),
            Self::NeverStored => (
                S::NOT_FOUND,
                "never-stored",
                "The number was given but never stored",
            ),
            Self::MethodNotAllowed => (
                S::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "This method is not served here",
            ),
            Self::InFlight => (
                S::CONFLICT,
                "in-flight",
                "The same request is still being worked on",
            ),
            Self::Gone => (S::GONE, "gone", "It was deleted"),
            Self::BodyTooLarge => (
                S::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "The body is too large",
            ),
            Self::UnsupportedMediaType => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "Only JSON is understood",
            ),
            Self::IdempotencyMismatch => (
                S::UNPROCESSABLE_ENTITY,
                "idempotency-mismatch",
                "The idempotency key was used for another request",
            ),
            Self::RateLimited => (S::TOO_MANY_REQUESTS, "rate-limited", "Too many requests"),
            Self::Internal => (
                S::INTERNAL_SERVER_ERROR,
                "internal",
                "Something went wrong here",
            ),
            Self::Busy => (S::SERVICE_UNAVAILABLE, "busy", "Too busy right now"),
            Self::Unroutable => (
                S::SERVICE_UNAVAILABLE,
                "unroutable",
                "No queue took the request",
            ),
            Self::OutcomeUnknown => (
                S::SERVICE_UNAVAILABLE,
                "outcome-unknown",
                "It is not known whether the request was stored",
            ),
            Self::NotYetStored => (
                S::SERVICE_UNAVAILABLE,
                "not-yet-stored",
                "The chat is not stored yet",
            ),
            Self::Unavailable => (
                S::SERVICE_UNAVAILABLE,
                "unavailable",
                "A part of the system does not answer",
            ),
            Self::Timeout => (S::GATEWAY_TIMEOUT, "timeout", "It took too long"),
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        self.words().0
    }

    pub(crate) fn slug(self) -> &'static str {
        self.words().1
    }

    pub(crate) fn urn(self) -> String {
        format!("urn:chatsystem:problem:{}", self.slug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_distinct_words() {
        let mut slugs = Kind::ALL.map(Kind::slug).to_vec();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), Kind::ALL.len());
    }
}
