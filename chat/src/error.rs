//! What can go wrong, one variant for each thing a caller does differently.
//!
//! The `api` crate maps a variant to a status in one function; workers decide by it whether to try
//! again, to stop consuming, or to set a message aside.

use crate::model::{GapCause, Number, Uid};

pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Unknown, foreign and missing objects are all this one.
    #[error("no such object")]
    NotFound,
    /// The number was given, and nothing will ever be stored under it.
    #[error("the number was given but never stored: {}", cause.as_str())]
    NeverStored { cause: GapCause },
    /// It was there and was deleted.
    #[error("the object was deleted")]
    Gone,
    /// The caller's chat is accepted but not stored yet.
    #[error("the parent is accepted but not stored yet")]
    NotYetStored,
    /// A value that cannot be stored or asked for, whoever tries again.
    #[error("{field}: {problem}; {fix}")]
    Invalid {
        field: &'static str,
        problem: String,
        fix: String,
    },
    /// No credentials, or none that are known.
    #[error("no valid credentials")]
    Unauthenticated,
    /// Known credentials without this right.
    #[error("these credentials do not allow this")]
    Forbidden,
    /// The same idempotency key is being worked on by another request.
    #[error("a request with this idempotency key is in flight")]
    InFlight { retry_after_ms: u64 },
    /// The same idempotency key came with another body.
    #[error("the idempotency key was used for another request")]
    IdempotencyMismatch,
    /// Somebody else wrote the same key at the same time: read again and decide again.
    #[error("conflicting write")]
    Conflict,
    /// Too much at once, or a lock that was not had in time; nothing was done, try again.
    #[error("busy: {0}")]
    Busy(String),
    /// The broker had no queue for it; nothing was stored.
    #[error("no queue took the message")]
    Unroutable,
    /// It may or may not have been stored; the same idempotency key, or this number, tells later.
    #[error("it is not known whether the message was stored")]
    OutcomeUnknown {
        number: Option<Number>,
        uid: Option<Uid>,
    },
    /// A backend does not answer or refuses to write; nothing was done.
    #[error("{part} is not available: {source}")]
    Unavailable { part: &'static str, source: Source },
    /// A later program changed the schema so that this one cannot use it.
    #[error(
        "the schema has version {schema}, this program knows {program}; start the program that made it, or a later one"
    )]
    SchemaTooNew { schema: i64, program: i64 },
    /// A bug or a broken store.
    #[error("internal error: {0}")]
    Internal(#[source] Source),
}

impl Error {
    /// One word for it, for traces.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::NeverStored { .. } => "never_stored",
            Self::Gone => "gone",
            Self::NotYetStored => "not_yet_stored",
            Self::Invalid { .. } => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::InFlight { .. } => "in_flight",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::Conflict => "conflict",
            Self::Busy(_) => "busy",
            Self::Unroutable => "unroutable",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::Unavailable { .. } => "unavailable",
            Self::SchemaTooNew { .. } => "schema_too_new",
            Self::Internal(_) => "internal",
        }
    }

    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }

    pub fn unavailable(part: &'static str, source: impl Into<Source>) -> Self {
        Self::Unavailable {
            part,
            source: source.into(),
        }
    }

    /// The same news for somebody else who waited for the same thing.
    #[must_use]
    pub fn told_again(&self) -> Self {
        match self {
            Self::OutcomeUnknown { .. } => Self::OutcomeUnknown {
                number: None,
                uid: None,
            },
            Self::Busy(why) => Self::Busy(why.clone()),
            Self::Unavailable { part, source } => Self::unavailable(part, source.to_string()),
            other => Self::internal(other.to_string()),
        }
    }

    pub fn invalid(field: &'static str, problem: crate::model::Problem) -> Self {
        Self::Invalid {
            field,
            problem: problem.problem,
            fix: problem.fix,
        }
    }
}
