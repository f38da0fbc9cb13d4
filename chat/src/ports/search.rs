//! The index.

use crate::error::Result;
use crate::model::{ChatKey, MessageKey, Millis, Number, TenantId, Uid};
use crate::ops::search::Query;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// Finds keys by words. What a hit says is read from the store, never from the index (I7, I8).
#[async_trait]
pub trait Search: Send + Sync {
    /// Writes in any order and any repetition; a lower version never replaces a higher one, and of the
    /// same version the removal stays. Visible to
    /// `query` within the lag budget. One result per write, in order: `Busy` and `Unavailable` are worth
    /// another try, `Invalid` is not.
    async fn write(&self, writes: &[IndexWrite]) -> Result<Vec<Result<()>>>;
    async fn query(&self, request: &SearchRequest) -> Result<Hits>;
    /// The version the index shows for a message now; `None` when it does not find it.
    async fn version(&self, key: MessageKey, uid: Uid) -> Result<Option<u64>>;
    /// As `AcrossTenants::digests`, over what the index holds.
    async fn digests(&self, after: Option<ChatKey>, limit: u32) -> Result<Vec<(ChatKey, Digest)>>;
    /// What the index holds of a chat, by number above `after`.
    async fn entries(&self, chat: ChatKey, after: u64, limit: u32) -> Result<Vec<IndexEntry>>;
    async fn ready(&self) -> Result<()>;
}

/// Building an index anew beside the one in use, while everybody goes on reading and writing. Every method
/// may be repeated after a crash and called by many at once.
#[async_trait]
pub trait Rebuild: Send + Sync {
    /// The index that is being built; a new, empty one if none is.
    async fn begin(&self) -> Result<NewIndex>;
    /// From so long after `begin` on, whoever reads a row and then writes it to `Search` has written it to
    /// the new index too.
    fn lead(&self) -> Duration;
    /// From now on the new index of this name is the one in use, for everybody at once, and counts as
    /// filled. `Conflict` when it is not the one that is being built: somebody finished it or gave it up.
    async fn finish(&self, name: &str) -> Result<()>;
    /// Removes the index that is being built, if there is one.
    async fn give_up(&self) -> Result<()>;
    /// Removes indices that have been out of use for a day. Their day begins when this first sees them.
    async fn sweep(&self, now: Millis) -> Result<u32>;
    /// How many messages the index in use holds; 0 when there is none.
    async fn size(&self) -> Result<u64>;
    /// The name of the index in use if it was made empty and nobody called `filled` since.
    async fn unfilled(&self) -> Result<Option<String>>;
    /// The index of this name was compared with the store. Nothing happens when it is gone.
    async fn filled(&self, name: &str) -> Result<()>;
}

/// An index that nobody reads yet.
#[derive(Clone)]
pub struct NewIndex {
    pub name: String,
    /// Only this index.
    pub search: Arc<dyn Search>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexWrite {
    Put(IndexDocument),
    /// Nothing of this uid may be found any more.
    Remove(IndexEntry),
}

impl IndexWrite {
    pub fn entry(&self) -> &IndexEntry {
        match self {
            Self::Put(document) => &document.entry,
            Self::Remove(entry) => entry,
        }
    }

    /// Of two writes for the same uid the one with the greater order stays, whichever came first.
    pub fn order(&self) -> (u64, bool) {
        (self.entry().version, matches!(self, Self::Remove(_)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    pub key: MessageKey,
    pub uid: Uid,
    /// rev + 1.
    pub version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDocument {
    pub entry: IndexEntry,
    /// Tokens of the content (`ops::search::tokens`), separated by single spaces.
    pub words: String,
    pub author: Option<String>,
    pub created_at: Millis,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SearchRequest {
    pub tenant: TenantId,
    /// Within one chat; `None`: over the application.
    pub chat: Option<Number>,
    pub query: Query,
    pub author: Option<String>,
    /// Created at or after.
    pub since: Option<Millis>,
    /// Created before.
    pub until: Option<Millis>,
    pub sort: Sort,
    pub offset: u32,
    pub limit: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Best first; among equals the newer (higher chat, then number) first.
    Relevance,
    /// By chat, then number, ascending.
    Number,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Hits {
    /// Exact up to 1,000.
    pub total: u64,
    /// True when there are more than `total` says.
    pub total_capped: bool,
    pub hits: Vec<Hit>,
}

impl Hits {
    /// How far hits are counted.
    pub const MAX_TOTAL: u64 = 1000;
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    pub key: MessageKey,
    pub score: f32,
}

/// Tells whether two sides hold the same (uid, version) pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    pub count: u64,
    /// Sum of `entry_hash`, wrapping: the order does not matter.
    pub hash: u64,
}

impl Digest {
    pub fn add(&mut self, uid: Uid, version: u64) {
        self.count += 1;
        self.hash = self.hash.wrapping_add(entry_hash(uid, version));
    }
}

/// FNV-1a, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): the same on every side and release.
fn entry_hash(uid: Uid, version: u64) -> u64 {
    let bytes = uid.as_bytes().iter().copied().chain(version.to_be_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
