//! What the rules need from the world, as promises.
//!
//! Every trait is object-safe, speaks only words of the domain, and says what may be repeated, what
//! absence returns and which error means what. `conformance.rs` runs every promise against every
//! adapter. Unless a method says otherwise: `Error::Unavailable` means the backend does not answer and
//! nothing was done, `Error::Busy` means the same and that trying again soon is worth it, and dropping
//! a future half-way leaves either the whole effect or none.

use crate::error::{Error, Result};
use crate::event::{DecodeError, Envelope, Queue};
use crate::model::{
    AppId, Application, Chat, ChatKey, Fingerprint, Gap, GapCause, KeyId, Message, MessageKey,
    Millis, Name, Number, Page, Scope, State, TenantId, Token, Uid,
};
use crate::ops::limits::{Rate, Verdict};
use crate::ops::search::Query;
use crate::rows::{Counted, Existing, Keys, Plan};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

// ---------------------------------------------------------------------------------------------- tenants

/// Applications and their keys. Writes are synchronous: when a method returns, the next read sees it.
#[async_trait]
pub trait Tenants: Send + Sync {
    /// Stores a new application with its first key. `Existing` when `idem_key` was used before; nothing
    /// is stored then. `Conflict` when id or token are taken: draw again.
    async fn create(&self, new: NewApplication) -> Result<Creation>;
    /// The live application with this token; `None` for unknown and deleted ones alike.
    async fn find(&self, token: Token) -> Result<Option<Tenant>>;
    /// A live application with its exact count of chats.
    async fn show(&self, tenant: TenantId) -> Result<Option<Application>>;
    /// Live applications, oldest first, and how many there are in all, from one snapshot.
    async fn list(&self, offset: u64, limit: u32) -> Result<(Vec<Application>, u64)>;
    /// False when the application is not there any more.
    async fn rename(&self, tenant: TenantId, name: &Name, now: Millis) -> Result<bool>;
    /// One state change; cleaning follows in `Upkeep`. False when it was deleted before.
    async fn delete(&self, tenant: TenantId, now: Millis) -> Result<bool>;
    /// Adds a key unless `limit` keys are live already: then false.
    async fn add_key(&self, tenant: TenantId, key: KeyRecord, limit: u32) -> Result<bool>;
    /// False when there is no such live key. Repeating is harmless.
    async fn revoke_key(&self, tenant: TenantId, id: &KeyId, now: Millis) -> Result<bool>;
}

#[derive(Clone, Debug)]
pub struct NewApplication {
    pub app: AppId,
    pub token: Token,
    pub name: Name,
    pub idem_salt: [u8; 32],
    pub idem_key: Option<(String, Fingerprint)>,
    pub key: KeyRecord,
    pub now: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    Created,
    /// This idempotency key made this application, from a request with this fingerprint.
    Existing {
        token: Token,
        fingerprint: Fingerprint,
    },
}

/// What it takes to let somebody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    pub app: AppId,
    pub token: Token,
    pub idem_salt: [u8; 32],
    /// Live and revoked ones.
    pub keys: Vec<KeyRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    pub id: KeyId,
    /// SHA-256 of the whole key.
    pub hash: [u8; 32],
    pub created_at: Millis,
    pub revoked_at: Option<Millis>,
}

// ---------------------------------------------------------------------------------------------- reading

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

// ---------------------------------------------------------------------------------------------- writing

/// The one way rows of chats and messages come to be.
#[async_trait]
pub trait Writer: Send + Sync {
    /// In one transaction: reads and locks what `keys` names, asks `plan` what to write, writes it and
    /// commits durably. Returns the plan that was committed. `plan` may be called again with newer rows.
    ///
    /// `Conflict` and `Busy`: nothing was written, apply again. `Invalid`: a value the store refuses;
    /// nothing was written. `Unavailable`: nothing was written. `OutcomeUnknown`: the connection broke
    /// at COMMIT; applying the same commands again finds out.
    async fn apply(&self, keys: &Keys, plan: &Planner<'_>) -> Result<Plan>;
}

/// Pure: decides from what is there.
pub type Planner<'a> = dyn Fn(&Existing) -> Plan + Send + Sync + 'a;

/// The durable side of numbering (PROTOCOLS A, B). The only source of numbers, ever.
#[async_trait]
pub trait Sequences: Send + Sync {
    /// Raises each scope by `size` and returns the blocks in order, in one transaction. Where the old
    /// end is neither 0 nor `expected_lo`, a jump is marked in the same transaction. Not to be repeated
    /// blindly: each call takes another block.
    async fn reserve(&self, wants: &[Reserve]) -> Result<Vec<Block>>;
    /// The end of the last block; 0 for a scope never used.
    async fn high(&self, scope: Scope) -> Result<u64>;
    /// Returns unused remainders: `high` becomes `last` where it still is `block_end`. Only under an
    /// exclusive lock on the store, when nobody else gives numbers.
    async fn give_back(&self, remainders: &[Remainder]) -> Result<()>;
    /// Binds a keyed chat create to a number before it is published; the first binding wins and is returned.
    async fn bind_chat(
        &self,
        tenant: TenantId,
        uid: Uid,
        number: Number,
        fingerprint: Fingerprint,
    ) -> Result<Stored>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve {
    pub scope: Scope,
    pub size: u32,
    /// The end of the block the caller still holds, if any.
    pub expected_lo: Option<u64>,
}

/// The numbers from `lo + 1` to `hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    pub lo: u64,
    pub hi: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remainder {
    pub scope: Scope,
    pub last: u64,
    pub block_end: u64,
}

// --------------------------------------------------------------------------------------------- numbering

/// Gives numbers: each once, rising, without asking SQL every time (I3, I4).
#[async_trait]
pub trait Numbers: Send + Sync {
    /// The next number of `scope`. With a claim, the number is remembered for its uid, so that a
    /// repeated request gets it again. Message and rev scopes first need their chat to be `mark`ed.
    async fn take(&self, scope: Scope, claim: Option<Claim>) -> Result<Taken>;
    /// The claimed create is confirmed: from now on `take` answers `Replay`.
    async fn settle(&self, scope: Scope, uid: Uid);
    /// The claimed create ended with a definite no: from now on `take` answers `Unsettled`, so that a
    /// repeated request gets the same number without waiting.
    async fn release(&self, scope: Scope, uid: Uid);
    /// Says whether a chat exists. Deleted is final; marking live never undoes it.
    async fn mark(&self, chat: ChatKey, state: State);
    /// The last number given, or an upper bound when that is not known; 0 for a scope never used.
    async fn last_given(&self, scope: Scope) -> Result<u64>;
    /// Gives unused numbers back where that is safe. Called once, after the last `take`.
    async fn close(&self) -> Result<()>;
}

/// What an idempotency key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub uid: Uid,
    pub fingerprint: Fingerprint,
    /// By the caller's clock. Numbers that processes share go by a clock these share instead.
    pub now: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A number nobody ever had.
    Given(Number),
    /// This claim took the number long enough ago that its publish must have ended, and its end is not
    /// known: publish again with the same uid and number.
    Unsettled(Number),
    /// This claim was confirmed under this number.
    Replay(Number),
    /// Another request holds this claim right now.
    InFlight { retry_after_ms: u64 },
    /// The claim's uid was used with another fingerprint.
    Mismatch,
    /// The chat was never marked: look it up, mark it, take again.
    UnknownChat,
    /// The chat was marked deleted.
    Gone,
}

// ----------------------------------------------------------------------------------------------- queues

/// The way into the queue. Accepting is durable: `Slot::publish` returns Ok only when the command
/// cannot be lost any more (I1).
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Room for one publish. `Busy` when there is none within 200 ms: no number has been spent yet.
    async fn slot(&self) -> Result<Box<dyn Slot>>;
    /// Ok when publishing can be expected to work.
    async fn ready(&self) -> Result<()>;
}

#[async_trait]
pub trait Slot: Send {
    /// Ok: confirmed. `OutcomeUnknown`: it may be in the queue; publishing it again is right and
    /// harmless. Any other error: it is not in the queue and will never be.
    async fn publish(self: Box<Self>, envelope: Envelope) -> Result<()>;
}

/// The way out of the queue.
#[async_trait]
pub trait Subscriber: Send + Sync {
    /// Deliveries of one queue. Several consumers of one queue share its messages.
    async fn consume(&self, queue: Queue) -> Result<Box<dyn Deliveries>>;
    /// Whether all work queues were seen at rest, nothing waiting and nothing unsettled, at some time
    /// since `moment`.
    async fn at_rest_since(&self, moment: Millis) -> Result<bool>;
}

#[async_trait]
pub trait Deliveries: Send {
    /// The next delivery; `None` after `cancel`, when everything already delivered was handed out.
    /// Dropping the future loses no delivery.
    async fn next(&mut self) -> Option<Delivery>;
    /// No new deliveries from now on.
    async fn cancel(&mut self);
}

/// A message on loan. Exactly one of its three ends must be chosen; one that is dropped is given back.
pub struct Delivery {
    pub envelope: Result<Envelope, DecodeError>,
    /// How often it was delivered before.
    pub attempts: u32,
    settle: Option<Box<dyn Settle>>,
}

#[async_trait]
pub trait Settle: Send {
    /// Its effect is committed.
    async fn ack(self: Box<Self>);
    /// It had no effect; somebody may try again. `why` is told to a publisher who still waits.
    async fn nack(self: Box<Self>, why: Error);
    /// Nobody can carry it out. Returns once it is safe in the dead-letter queue, or its publisher was
    /// told; it is acked only then (I10).
    async fn bury(self: Box<Self>, reason: BuryReason, detail: String) -> Result<()>;
    /// Called when a delivery is dropped without an answer.
    fn abandoned(self: Box<Self>);
}

/// Why a delivery is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuryReason {
    Decode,
    /// The store refuses a value in it.
    Refused,
    Collision,
    Index,
}

impl BuryReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Refused => "refused",
            Self::Collision => "collision",
            Self::Index => "index",
        }
    }
}

impl Delivery {
    pub fn new(
        envelope: Result<Envelope, DecodeError>,
        attempts: u32,
        settle: Box<dyn Settle>,
    ) -> Self {
        Self {
            envelope,
            attempts,
            settle: Some(settle),
        }
    }

    fn settle(&mut self) -> Box<dyn Settle> {
        self.settle
            .take()
            .expect("a delivery is settled once, because settling consumes it")
    }

    pub async fn ack(mut self) {
        self.settle().ack().await;
    }

    pub async fn nack(mut self, why: Error) {
        self.settle().nack(why).await;
    }

    pub async fn bury(mut self, reason: BuryReason, detail: String) -> Result<()> {
        self.settle().bury(reason, detail).await
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(settle) = self.settle.take() {
            settle.abandoned();
        }
    }
}

// ------------------------------------------------------------------------------------------------ upkeep

/// What keeps counts, tombstones and gaps right in the long run. Every method is safe in any number of
/// processes at once and may be repeated after a crash.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Folds up to `limit` ledger rows into the counts; returns how many. 0: nothing was open.
    async fn fold(&self, limit: u32) -> Result<u32>;
    /// Up to `limit` live messages under deleted chats, for `purge`. Whoever tells the index of them does so
    /// before: afterwards nobody finds them.
    async fn to_purge(&self, limit: u32) -> Result<Vec<MessageKey>>;
    /// Blanks those of `messages` that are still live, which are under deleted chats, and live chats of deleted
    /// applications, up to `limit` rows in all. Nothing was purged, and `to_purge` was empty: none was left.
    async fn purge(&self, messages: &[MessageKey], limit: u32, now: Millis) -> Result<Purged>;
    /// Removes up to `limit` rows of applications deleted before `before`; their tombstones stay.
    async fn remove(&self, limit: u32, before: Millis) -> Result<u32>;
    /// Compares counts with the rows themselves, each in one snapshot, for up to `limit` counted things
    /// after `after`; returns where to continue, if anything was checked, and what differs.
    async fn audit(&self, after: Option<Counted>, limit: u32) -> Result<Audit>;
    /// Writes a difference that `audit` found into the ledger, if it is still there.
    async fn repair(&self, drift: &Drift) -> Result<()>;
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    pub rows: u32,
    pub messages: Vec<MessageKey>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    pub checked: u32,
    pub drifts: Vec<Drift>,
    pub next: Option<Counted>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drift {
    pub counted: Counted,
    pub said: i64,
    pub rows: i64,
}

/// The ledger of numbers that were given and never stored (I5).
#[async_trait]
pub trait GapLedger: Send + Sync {
    /// Number scopes of chats and messages that have numbers above what is explained, ordered by key.
    async fn unexplained(&self, after: Option<Scope>, limit: u32) -> Result<Vec<Watermark>>;
    /// Remembers, in one transaction, what was the last number given of each scope at `now`, unless an
    /// earlier mark of it still waits.
    async fn mark_seen(&self, seen: &[(Scope, u64)], now: Millis) -> Result<()>;
    /// Numbers in `(lo, hi]` that are rows or aliases, ascending, at most `limit`. Stubs are not.
    async fn present(&self, scope: Scope, lo: u64, hi: u64, limit: u32) -> Result<Vec<u64>>;
    /// Jump marks in `(lo, hi]`, ascending.
    async fn jumps(&self, scope: Scope, lo: u64, hi: u64) -> Result<Vec<u64>>;
    /// All in one transaction, in order: notes the gaps, leaves out numbers that became rows meanwhile,
    /// removes stubs in them, and sets everything up to `through` explained. A mark above that waits on.
    async fn explain(&self, explanations: &[Explanation]) -> Result<()>;
    /// Cuts numbers out of gaps that became rows after all; returns how many numbers.
    async fn trim(&self) -> Result<u64>;
}

/// What became of the numbers of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub scope: Scope,
    pub gaps: Vec<Gap>,
    /// Every number up to this one is a row, an alias or a gap now.
    pub through: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    pub scope: Scope,
    /// End of the last block.
    pub high: u64,
    /// Every number up to this one is a row, an alias or a gap.
    pub explained: u64,
    /// The last number given when a pass last looked, and when that was.
    pub seen: Option<(u64, Millis)>,
}

// ------------------------------------------------------------------------------------------------ search

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

// ---------------------------------------------------------------------------------------------- limiting

/// Buckets for rate limits, shared by whoever shares the adapter.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Takes one request out of a bucket of `payer` for each named rate, in order, up to the first that
    /// refuses; says of each what is left. Never fails: an adapter that cannot reach its store counts for
    /// itself. `now` is the caller's time; buckets that processes share may go by a clock these share instead.
    async fn take_each(&self, payer: &str, rates: &[(&str, Rate)], now: Millis) -> Vec<Verdict>;

    /// Out of the only bucket of `payer`.
    async fn take(&self, payer: &str, rate: Rate, now: Millis) -> Verdict {
        let taken = self.take_each(payer, &[("only", rate)], now).await;
        *taken
            .first()
            .expect("there is a verdict for the first rate")
    }
}
