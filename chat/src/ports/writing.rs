//! How rows come to be, and the durable side of numbers.

use super::reading::Stored;
use crate::error::Result;
use crate::model::{Fingerprint, Number, Scope, TenantId, Uid};
use crate::rows::{Existing, Keys, Plan};
use async_trait::async_trait;

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
