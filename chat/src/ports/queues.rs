//! Commands into the queue and out of it.

use crate::error::{Error, Result};
use crate::event::{DecodeError, Envelope, Queue};
use crate::model::Millis;
use async_trait::async_trait;

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
    pub const ALL: [Self; 4] = [Self::Decode, Self::Refused, Self::Collision, Self::Index];

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
