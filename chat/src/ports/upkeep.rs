//! Counts, tombstones and gaps in the long run.

use crate::error::Result;
use crate::model::{Gap, MessageKey, Millis, Scope};
use crate::rows::Counted;
use async_trait::async_trait;

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
