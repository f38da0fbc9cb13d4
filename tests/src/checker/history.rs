//! What a client did, and what it was told.

use std::fmt;

/// Where numbers are given: the chats of an application, or the messages of a chat.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Anything that names an application, such as its token.
    pub app: String,
    /// None: the scope of the application's chats, whose names are their content.
    pub chat: Option<u64>,
}

/// One request, from the moment before it was sent to the moment after it was answered or given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    pub client: u32,
    pub scope: Scope,
    pub kind: Kind,
    /// Nanoseconds of one monotonic clock for all clients.
    pub invoked_at: u64,
    pub completed_at: u64,
    pub outcome: Outcome,
}

/// Contents (canaries) are unique: no two creates or edits in a history have the same one, except the
/// tries of one keyed create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Create {
        key: Option<String>,
        content: String,
    },
    Edit {
        number: u64,
        content: String,
    },
    Delete {
        number: u64,
    },
    Read {
        number: u64,
    },
    Count,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A create, edit or delete was accepted.
    Ok {
        number: u64,
        id: String,
        rev: u64,
    },
    /// A read found a row.
    Row {
        number: u64,
        id: String,
        rev: u64,
    },
    /// Told to come back: what it is about was accepted and is not stored yet. A change changed nothing.
    Processing,
    Counted(u64),
    /// A definite no.
    Fail {
        status: u16,
    },
    /// Time out, broken connection, or an answer that says it is not known.
    Unknown,
}

impl Op {
    /// Whether its effect may be there.
    pub(super) fn may_have_happened(&self) -> bool {
        !matches!(self.outcome, Outcome::Fail { .. } | Outcome::Processing)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.chat {
            Some(chat) => write!(f, "chat {chat} of {}", self.app),
            None => write!(f, "chats of {}", self.app),
        }
    }
}
