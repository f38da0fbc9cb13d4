//! What can go wrong, one variant for each thing that is told or ends differently.

use crate::wire::Problem;
use std::{fmt, io};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Something is missing or wrong in what was typed.
    #[error("{0}")]
    Usage(String),
    /// The server said no.
    #[error("{0}")]
    Refused(Refusal),
    /// No answer in the time there was.
    #[error("no answer from {url}: {cause}; is the server running, and is --url right?")]
    Unreachable { url: String, cause: String },
    /// Something answered that does not speak this contract.
    #[error("{url} does not answer like a ChatSystem server ({what}); is --url right?")]
    Foreign { url: String, what: String },
    #[error("{what}: {cause}")]
    Io { what: String, cause: io::Error },
    /// Whoever reads our output has gone away.
    #[error("the output was closed")]
    OutputClosed,
    /// Waiting for a message that is accepted but not stored took too long.
    #[error("{0}")]
    Incomplete(String),
    /// It failed, and what and why has been printed already.
    #[error("failed")]
    Reported,
}

impl Error {
    pub(crate) fn io(what: impl Into<String>, cause: io::Error) -> Self {
        if cause.kind() == io::ErrorKind::BrokenPipe {
            return Self::OutputClosed;
        }
        Self::Io {
            what: what.into(),
            cause,
        }
    }

    /// 0 when nobody is left to be told, 2 for wrong usage, else 1.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Usage(_) => 2,
            _ => 1,
        }
    }
}

/// A problem as one or more sentences: what is wrong, in which field, and what to do.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Box<Problem>);

impl Refusal {
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.0.kind.rsplit(':').next() == Some(kind)
    }

    /// Another request may fare better: neither the server nor the credentials are at fault.
    pub(crate) fn blames_the_request(&self) -> bool {
        let transient =
            self.is("unauthenticated") || self.is("forbidden") || self.is("rate-limited");
        self.0.status < 500 && !transient
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            title,
            status,
            detail,
            instance,
            errors,
            kind: _,
        } = self.0.as_ref();
        if errors.is_empty() {
            write!(f, "{}", detail.as_deref().unwrap_or(title))?;
        }
        for (index, error) in errors.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(
                f,
                "{separator}{}: {}; {}",
                error.field, error.problem, error.fix
            )?;
        }
        if self.is("unauthenticated") || self.is("forbidden") {
            write!(
                f,
                " (give the application's key, or the administrator's, with --key-file or CHATCTL_KEY)"
            )?;
        }
        match instance {
            Some(id) if *status >= 500 => write!(f, " (status {status}, request {id})"),
            _ => write!(f, " (status {status})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        Refusal(Box::new(serde_json::from_str(json).unwrap())).to_string()
    }

    #[test]
    fn a_refusal_names_each_field_and_its_fix() {
        let text = refusal(
            r#"{"type":"urn:chatsystem:problem:invalid-request","title":"Invalid request","status":400,"detail":"2 fields",
                "errors":[{"field":"name","problem":"is blank","fix":"send text"},{"field":"x","problem":"is unknown","fix":"leave it out"}]}"#,
        );
        assert_eq!(
            text,
            "name: is blank; send text; x: is unknown; leave it out (status 400)"
        );
    }

    #[test]
    fn a_failure_of_the_server_names_the_request_for_its_log() {
        let text = refusal(
            r#"{"type":"urn:chatsystem:problem:internal","title":"Internal error","status":500,"detail":null,"instance":"r-1"}"#,
        );
        assert_eq!(text, "Internal error (status 500, request r-1)");
    }
}
