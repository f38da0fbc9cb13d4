//! The words of the domain, parsed once.
//!
//! A value of a type in this file is valid: whoever holds a `Number`, a `Content` or a `Token` need not
//! check it again. Nothing here reads a clock, an environment or a socket; time and randomness are
//! arguments. How a value looks in JSON is the business of the `api` crate.

mod ids;
mod text;

pub use ids::{
    AppId, ChatKey, Fingerprint, KeyId, MessageKey, Millis, Number, Rev, Scope, TenantId, Token,
    Uid,
};
pub use text::{Author, Content, IdempotencyKey, Metadata, Name, Problem};

/// Whether a row can be seen. `Deleted` is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Live,
    Deleted,
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    pub token: Token,
    pub name: Name,
    pub chats_count: u64,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// A live chat as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    pub number: Number,
    pub uid: Uid,
    pub name: Option<Name>,
    pub metadata: Option<Metadata>,
    pub messages_count: u64,
    pub rev: Rev,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// A live message as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub number: Number,
    pub uid: Uid,
    pub chat: Number,
    pub content: Content,
    pub author: Option<Author>,
    pub metadata: Option<Metadata>,
    pub reply_to: Option<Number>,
    pub rev: Rev,
    pub created_at: Millis,
    pub stored_at: Millis,
    pub accepted_at: Millis,
    pub updated_at: Millis,
}

/// Numbers that were given and will never be stored, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// First number of the run.
    pub from: Number,
    /// Last number of the run.
    pub to: Number,
    pub cause: GapCause,
    pub noted_at: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GapCause {
    /// The number was given to a request that was never stored.
    Voided,
    /// The rest of a reserved block was lost with the process that held it.
    BlockLost,
}

impl GapCause {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Voided => "voided",
            Self::BlockLost => "block_lost",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Voided, Self::BlockLost]
            .into_iter()
            .find(|cause| cause.as_str() == text)
    }
}

/// What an accepted command is known by: the answer to every create, edit and delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub number: Number,
    pub uid: Uid,
    pub rev: Rev,
    /// True when this is the first answer to the same `Idempotency-Key` again.
    pub replayed: bool,
}

/// A page of a list and the cursor that continues it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C = Number> {
    pub data: Vec<T>,
    /// Where the next page starts; absent when nothing more was there.
    pub next: Option<C>,
}
