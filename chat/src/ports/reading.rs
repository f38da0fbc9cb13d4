//! What is read of the store.

use super::search::{Digest, IndexWrite};
use crate::error::Result;
use crate::model::{
    Chat, ChatKey, Fingerprint, Gap, GapCause, Message, MessageKey, Number, Page, TenantId, Token,
    Uid,
};
use async_trait::async_trait;

/// Reads of one tenant. Each call is one snapshot; counts are exact in it (I6). A message is seen only
/// if message, chat and application are live.
#[async_trait]
pub trait Reader: Send + Sync {
    async fn chat(&self, tenant: TenantId, number: Number) -> Result<Found<Chat>>;
    /// Live chats with numbers above `after`, ascending.
    async fn chats(&self, tenant: TenantId, after: u64, limit: u32) -> Result<Page<Chat>>;
    /// Follows an alias to the row it means.
    async fn message(
        &self,
        tenant: TenantId,
        chat: Number,
        number: Number,
    ) -> Result<Found<Message>>;
    /// A window of a chat, ascending. Deleted messages are left out.
    async fn messages(
        &self,
        tenant: TenantId,
        chat: Number,
        window: Window,
        limit: u32,
    ) -> Result<Found<MessagePage>>;
    /// Live messages under these keys; the others are left out. In no particular order.
    async fn messages_by_key(&self, tenant: TenantId, keys: &[MessageKey]) -> Result<Vec<Message>>;
    /// The message row with this uid, deleted or not: the truth of an idempotency key.
    async fn message_by_uid(&self, tenant: TenantId, uid: Uid) -> Result<Option<Stored>>;
    /// The number a keyed chat create is bound to, stored or not.
    async fn chat_by_uid(&self, tenant: TenantId, uid: Uid) -> Result<Option<Stored>>;
    /// Explained gaps of a chat that end above `after`, ascending.
    async fn gaps(
        &self,
        tenant: TenantId,
        chat: Number,
        after: u64,
        limit: u32,
    ) -> Result<Found<Page<Gap>>>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    Live(T),
    /// It, or what it belongs to, was deleted.
    Deleted,
    /// In the gap ledger: given, never stored.
    NeverStored(GapCause),
    /// No row, or only a stub: accepted and on its way, or never given. `Numbers::last_given` tells.
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    After(u64),
    Before(Number),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessagePage {
    pub data: Vec<Message>,
    /// The cursor for `After` (highest number looked at) or `Before` (lowest) that continues this page.
    pub next: Option<Number>,
    /// The highest number up to which, from the window's start, every number is a row, an alias or a gap.
    pub complete_through: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    pub chat: Number,
    /// The message; for a chat, the chat itself.
    pub number: Number,
    pub fingerprint: Fingerprint,
}

/// Reads that are not bound to a tenant: for administrators and for the indexer.
#[async_trait]
pub trait AcrossTenants: Send + Sync {
    /// Live chats of all live applications after this position, ordered by application and number.
    async fn chats(
        &self,
        after: Option<ChatKey>,
        limit: u32,
    ) -> Result<Page<(Token, Chat), ChatKey>>;
    async fn messages(
        &self,
        after: Option<MessageKey>,
        limit: u32,
    ) -> Result<Page<(Token, Message), MessageKey>>;
    /// What the index should hold for each key that has a row, as of now.
    async fn index_writes(&self, keys: &[MessageKey]) -> Result<Vec<IndexWrite>>;
    /// Count and hash over (uid, version) of the visible messages of each chat that has any, ordered by key.
    async fn digests(&self, after: Option<ChatKey>, limit: u32) -> Result<Vec<(ChatKey, Digest)>>;
    /// Keys of all message rows of a chat above `after`, ascending.
    async fn message_keys(&self, chat: ChatKey, after: u64, limit: u32) -> Result<Vec<MessageKey>>;
}
