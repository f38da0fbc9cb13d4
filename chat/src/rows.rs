//! Rows as they are stored, and what a writer reads and writes in one transaction.
//!
//! A *stub* is a row without a uid: something about it came before its create. A *live row* has a uid
//! and state live; only live rows are counted. A deleted row keeps number, uid, fingerprint, revs and
//! times for ever and loses its content, author and metadata.

use crate::model::{
    AppId, Author, ChatKey, Content, Fingerprint, MessageKey, Metadata, Millis, Name, Number, Rev,
    State, Uid,
};
use std::collections::{BTreeSet, HashMap};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatRow {
    pub key: ChatKey,
    pub uid: Option<Uid>,
    pub fingerprint: Option<Fingerprint>,
    pub name: Option<Name>,
    pub name_rev: Rev,
    pub metadata: Option<Metadata>,
    pub metadata_rev: Rev,
    pub state: State,
    pub rev: Rev,
    pub created_at: Millis,
    pub updated_at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    pub key: MessageKey,
    pub uid: Option<Uid>,
    pub fingerprint: Option<Fingerprint>,
    pub author: Option<Author>,
    pub content: Option<Content>,
    pub content_rev: Rev,
    pub metadata: Option<Metadata>,
    pub metadata_rev: Rev,
    pub reply_to: Option<Number>,
    pub state: State,
    pub rev: Rev,
    pub created_at: Millis,
    pub accepted_at: Millis,
    pub stored_at: Millis,
    pub updated_at: Millis,
}

impl ChatRow {
    pub fn is_live(&self) -> bool {
        self.uid.is_some() && self.state == State::Live
    }
}

impl MessageRow {
    pub fn is_live(&self) -> bool {
        self.uid.is_some() && self.state == State::Live
    }
}

/// What a batch of commands is about: read, and locked, before anything is decided. Sorted sets, so
/// that two writers lock in the same order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    pub apps: BTreeSet<AppId>,
    pub chats: BTreeSet<ChatKey>,
    /// Rows and aliases under these keys; for an alias also the row it leads to.
    pub messages: BTreeSet<MessageKey>,
    /// Message rows with these uids, wherever they are.
    pub uids: BTreeSet<Uid>,
}

/// What was there when the transaction had its locks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Existing {
    /// Absent: there never was such an application, or its tombstone.
    pub apps: HashMap<AppId, State>,
    pub chats: HashMap<ChatKey, ChatRow>,
    pub messages: HashMap<MessageKey, MessageRow>,
    pub aliases: HashMap<MessageKey, Number>,
}

/// What to write, decided from `Existing`: one final row per key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub new_chats: Vec<ChatRow>,
    pub changed_chats: Vec<ChatRow>,
    pub new_messages: Vec<MessageRow>,
    pub changed_messages: Vec<MessageRow>,
    /// Stubs that were merged into the row their alias leads to.
    pub removed_stubs: Vec<MessageKey>,
    pub new_aliases: Vec<Alias>,
    pub ledger: Vec<LedgerEntry>,
    /// One for each command, in order.
    pub outcomes: Vec<Outcome>,
    /// Rows whose state of now belongs into the index, each once.
    pub index: Vec<MessageKey>,
}

/// `number` was answered too, and means `target` in the same chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    pub key: MessageKey,
    pub target: Number,
}

/// A change of a count, folded into `counts` later; the sum of both is the count at any moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    pub counted: Counted,
    pub change: i64,
}

/// What a count counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counted {
    ChatsOf(AppId),
    MessagesOf(ChatKey),
}

/// What became of one command. Every one of these may be acked except `Collision`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new row.
    New,
    /// A stub became a row.
    Filled,
    /// The row was there, with the same uid under the same number.
    Same,
    /// The row was there under another number, which this one now leads to.
    Aliased,
    /// An edit or delete changed a row or a stub.
    Applied,
    /// An edit or delete that changed nothing: replayed, overtaken, or of a deleted row.
    Unchanged,
    /// The application was deleted meanwhile; there is nothing to store it under.
    ApplicationDeleted,
    /// Another uid lives under this number. It must not happen (I3); nothing was changed.
    Collision,
}

impl Outcome {
    pub const ALL: [Self; 8] = [
        Self::New,
        Self::Filled,
        Self::Same,
        Self::Aliased,
        Self::Applied,
        Self::Unchanged,
        Self::ApplicationDeleted,
        Self::Collision,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Filled => "filled",
            Self::Same => "same",
            Self::Aliased => "aliased",
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::ApplicationDeleted => "application_deleted",
            Self::Collision => "collision",
        }
    }
}
