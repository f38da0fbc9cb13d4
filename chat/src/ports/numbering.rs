//! Giving numbers.

use crate::error::Result;
use crate::model::{ChatKey, Fingerprint, Millis, Number, Scope, State, Uid};
use async_trait::async_trait;

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
