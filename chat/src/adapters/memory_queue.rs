//! The queue of one process. A publisher's confirm comes when the worker's step has committed, so an
//! accepted message is a stored one, and nothing waits here that somebody was promised.
//!
//! A delivery that is given back is not delivered again: its publisher is told, and may try again.
//! Index commands never wait: they become a set of dirty keys (`dirty.rs`).

mod dirty;
mod lane;

pub use dirty::DirtyKeys;

use crate::clock;
use crate::error::{Error, Result};
use crate::event::{Command, Envelope, Queue};
use crate::metrics;
use crate::model::Millis;
use crate::ports::{BuryReason, Deliveries, Delivery, Publisher, Settle, Slot, Subscriber};
use async_trait::async_trait;
use lane::Lane;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// How long a publisher waits for its confirm before it has to say that it does not know.
pub const PUBLISH_DEADLINE: Duration = Duration::from_secs(5);
/// How long a publisher waits for room.
const SLOT_WAIT: Duration = Duration::from_millis(200);
/// Publishes under way at once.
const SLOTS: usize = 1024;

#[derive(Clone)]
pub struct MemoryQueue {
    shared: Arc<Shared>,
    slots: Arc<Semaphore>,
}

struct Shared {
    chats: Lane<Item>,
    messages: Lane<Item>,
    dirty: Arc<DirtyKeys>,
    rest: Rest,
}

/// When nothing was waiting or unsettled for the last time.
struct Rest {
    unsettled: AtomicUsize,
    last_at_rest: AtomicI64,
}

struct Item {
    envelope: Envelope,
    reply: oneshot::Sender<Result<()>>,
    /// Kept until it is settled, also when its publisher waits no more: what waits is bounded.
    room: OwnedSemaphorePermit,
}

impl Default for MemoryQueue {
    fn default() -> Self {
        Self {
            shared: Arc::new(Shared {
                chats: Lane::default(),
                messages: Lane::default(),
                dirty: Arc::default(),
                rest: Rest {
                    unsettled: AtomicUsize::new(0),
                    last_at_rest: AtomicI64::new(0),
                },
            }),
            slots: Arc::new(Semaphore::new(SLOTS)),
        }
    }
}

impl MemoryQueue {
    /// The same queue with room of its own: a worker that tells the index what it stored must not wait
    /// for those who wait for the worker.
    pub fn with_own_room(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            slots: Arc::new(Semaphore::new(SLOTS)),
        }
    }

    /// The keys whose rows wait to be indexed.
    pub fn dirty(&self) -> Arc<DirtyKeys> {
        self.shared.dirty.clone()
    }

    /// Publishes under way: waiting, in a worker's hands, or not yet confirmed.
    pub fn unsettled(&self) -> usize {
        self.shared.rest.unsettled.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn lane(&self, queue: Queue) -> Option<&Lane<Item>> {
        match queue {
            Queue::Chats => Some(&self.chats),
            Queue::Messages => Some(&self.messages),
            Queue::Indexing => None,
        }
    }
}

impl Rest {
    fn enter(&self) {
        self.unsettled.fetch_add(1, Ordering::Relaxed);
    }

    fn leave(&self) {
        if self.unsettled.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.last_at_rest
                .store(clock::now().get(), Ordering::Relaxed);
        }
    }
}

// --------------------------------------------------------------------------------------------- publishing

#[async_trait]
impl Publisher for MemoryQueue {
    async fn slot(&self) -> Result<Box<dyn Slot>> {
        let acquired = tokio::time::timeout(SLOT_WAIT, self.slots.clone().acquire_owned()).await;
        let permit = acquired
            .map_err(|_| Error::Busy(format!("{SLOTS} messages wait to be stored already")))?;
        let permit = permit.expect("the semaphore is never closed");
        Ok(Box::new(OneSlot {
            shared: self.shared.clone(),
            room: permit,
        }))
    }

    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}

struct OneSlot {
    shared: Arc<Shared>,
    room: OwnedSemaphorePermit,
}

#[async_trait]
impl Slot for OneSlot {
    async fn publish(self: Box<Self>, envelope: Envelope) -> Result<()> {
        let Some(lane) = self.shared.lane(envelope.command.queue()) else {
            if let Command::IndexRows(command) = envelope.command {
                self.shared.dirty.add(command.rows);
            }
            return Ok(());
        };
        let (reply, outcome) = oneshot::channel();
        self.shared.rest.enter();
        metrics::enqueued(envelope.command.queue());
        lane.push(Item {
            envelope,
            reply,
            room: self.room,
        });
        let unknown = || Error::OutcomeUnknown {
            number: None,
            uid: None,
        };
        match tokio::time::timeout(PUBLISH_DEADLINE, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(unknown()),
        }
    }
}

// --------------------------------------------------------------------------------------------- consuming

#[async_trait]
impl Subscriber for MemoryQueue {
    async fn consume(&self, queue: Queue) -> Result<Box<dyn Deliveries>> {
        let consumer = Consumer {
            shared: self.shared.clone(),
            queue,
            state: Consuming::Waits,
        };
        Ok(if queue == Queue::Indexing {
            Box::new(self.shared.dirty.deliveries())
        } else {
            Box::new(consumer)
        })
    }

    async fn at_rest_since(&self, moment: Millis) -> Result<bool> {
        let rest = &self.shared.rest;
        let at_rest_now = rest.unsettled.load(Ordering::Relaxed) == 0;
        Ok(at_rest_now || rest.last_at_rest.load(Ordering::Relaxed) >= moment.get())
    }
}

struct Consumer {
    shared: Arc<Shared>,
    queue: Queue,
    state: Consuming,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Consuming {
    /// The next delivery is waited for.
    Waits,
    /// It was cancelled: what is there now is handed out.
    Drains,
    /// What comes now is for another consumer.
    Ended,
}

#[async_trait]
impl Deliveries for Consumer {
    async fn next(&mut self) -> Option<Delivery> {
        let lane = self
            .shared
            .lane(self.queue)
            .expect("the indexing queue has deliveries of its own");
        let item = match self.state {
            Consuming::Waits => Some(lane.pop().await),
            Consuming::Drains => lane.try_pop(),
            Consuming::Ended => None,
        };
        let Some(Item {
            envelope,
            reply,
            room,
        }) = item
        else {
            self.state = Consuming::Ended;
            return None;
        };
        metrics::delivered(self.queue);
        let settle = Reply {
            shared: self.shared.clone(),
            queue: self.queue,
            reply,
            _room: room,
        };
        Some(Delivery::new(Ok(envelope), 0, Box::new(settle)))
    }

    async fn cancel(&mut self) {
        if self.state == Consuming::Waits {
            self.state = Consuming::Drains;
        }
    }
}

struct Reply {
    shared: Arc<Shared>,
    queue: Queue,
    reply: oneshot::Sender<Result<()>>,
    _room: OwnedSemaphorePermit,
}

impl Reply {
    /// A publisher that does not wait any more has said that it does not know.
    fn tell(self, outcome: Result<()>) {
        let _ = self.reply.send(outcome);
        self.shared.rest.leave();
        metrics::settled(self.queue);
    }
}

#[async_trait]
impl Settle for Reply {
    async fn ack(self: Box<Self>) {
        self.tell(Ok(()));
    }

    async fn nack(self: Box<Self>, why: Error) {
        self.tell(Err(why));
    }

    async fn bury(self: Box<Self>, reason: BuryReason, detail: String) -> Result<()> {
        tracing::error!(reason = reason.as_str(), detail, "a command was refused");
        self.tell(Err(match reason {
            BuryReason::Refused => Error::Invalid {
                field: "body",
                problem: detail,
                fix: "send values the store can hold".into(),
            },
            BuryReason::Decode | BuryReason::Collision | BuryReason::Index => {
                Error::internal(detail)
            }
        }));
        Ok(())
    }

    fn abandoned(self: Box<Self>) {
        self.tell(Err(Error::OutcomeUnknown {
            number: None,
            uid: None,
        }));
    }
}
