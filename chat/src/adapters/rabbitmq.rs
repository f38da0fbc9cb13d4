//! `Publisher` and `Subscriber` on RabbitMQ quorum queues (PROTOCOLS B and C).
//!
//! Two connections: one publishes, the other consumes, because a broker that is short of memory or disk
//! stops reading from whoever publishes, and acks would wait behind it. Both are made in the background
//! and made again whenever they are lost; in which order servers and programs start does not matter.

mod ack_book;
mod burial;
mod confirms;
mod connection;
mod consume;
mod dead_letters;
mod keeper;
mod lane;
mod loans;
mod management;
mod message;
mod publish;
mod pulse;
mod rooms;
mod settle;
mod topology;
mod woken;

pub use dead_letters::{DeadLetter, Which};
pub use management::Depth;

use crate::adapters::endpoint::Endpoint;
use crate::clock;
use crate::error::{Error, Result};
use crate::event::{Envelope, Queue};
use crate::model::Millis;
use crate::ports::{Deliveries, Publisher, Slot, Subscriber};
use crate::traces;
use async_trait::async_trait;
use confirms::Decision;
use connection::{Dial, Link};
use consume::Lanes;
use keeper::{Keeper, Standing};
use management::Management;
use message::Outgoing;
use publish::{Channels, DEADLINE, Outcome};
use rooms::Room;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use topology::Problem;

/// How long `declare` and `check` wait for a connection.
const CONNECTION_WAIT: Duration = Duration::from_secs(10);

/// How this program uses RabbitMQ.
#[derive(Clone, Debug)]
pub struct RabbitSettings {
    /// `amqps://user:password@host:port/vhost`.
    pub endpoint: Endpoint,
    /// `https://user:password@host:port` of the management API. Without it nobody knows whether queues
    /// are at rest, and numbers that were never stored are not explained.
    pub management: Option<Endpoint>,
    /// Deliveries in the hands of one consumer at once: two batches.
    pub prefetch: u16,
    /// Whether this program makes exchanges and queues that are not there. Workers do, the API does not.
    pub declares: bool,
    /// How many bytes a queue holds before it takes no more. Queues that exist keep what they were
    /// declared with, and another value is refused.
    pub max_queue_bytes: u64,
}

impl RabbitSettings {
    pub const PREFETCH: u16 = 1_000;
    pub const MAX_QUEUE_BYTES: u64 = 8 << 30;
}

/// The queue of a cluster. Clones share everything.
#[derive(Clone)]
pub struct RabbitQueue {
    inner: Arc<Inner>,
}

struct Inner {
    dial: Dial,
    prefetch: u16,
    publishing: Link,
    channels: Channels,
    /// Made with the first consumer.
    consuming: OnceLock<Link>,
    topology: Keeper,
    management: Option<Management>,
    /// When all queues were known to be at rest for the last time.
    last_at_rest: AtomicI64,
    warned: AtomicBool,
    stop: CancellationToken,
    _stops_when_dropped: DropGuard,
}

impl RabbitQueue {
    /// Starts to connect, and to stay connected; waits for nothing. Within a runtime. Fails on settings
    /// that cannot work. Ends with the last clone, and the last delivery in anybody's hands.
    pub fn open(settings: RabbitSettings) -> Result<Self> {
        let dial = Dial::new(&settings.endpoint)?;
        let management = settings.management.as_ref();
        let management = management.map(|endpoint| Management::new(endpoint, dial.vhost()));
        let stop = CancellationToken::new();
        let management = management.transpose()?;
        let publishing = Link::supervise(dial.clone(), "chatsystem publishing", stop.clone());
        let topology = Keeper::keep(
            publishing.clone(),
            settings.declares,
            settings.max_queue_bytes,
            stop.clone(),
        );
        let inner = Inner {
            dial,
            prefetch: settings.prefetch,
            channels: Channels::open(publishing.clone(), topology.clone()),
            publishing,
            consuming: OnceLock::new(),
            topology,
            management,
            last_at_rest: AtomicI64::new(i64::MIN),
            warned: AtomicBool::new(false),
            _stops_when_dropped: stop.clone().drop_guard(),
            stop,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Makes exchanges and queues that are not there, now and whenever they are found missing later.
    /// Repeating is harmless. The error names what is there with other arguments.
    pub async fn declare(&self) -> Result<()> {
        let connection = self.connection().await?;
        let declared = self.inner.topology.declare(&connection).await;
        declared.map_err(|problem| self.inner.not_set_up(&problem))
    }

    /// Looks whether all exchanges and queues are there; the error names what is not.
    pub async fn check(&self) -> Result<()> {
        let connection = self.connection().await?;
        let checked = self.inner.topology.check(&connection).await;
        checked.map_err(|problem| self.inner.not_set_up(&problem))
    }

    /// What waits in each queue, as of some seconds ago. `None` without a management API.
    pub async fn depths(&self) -> Result<Option<Vec<Depth>>> {
        match &self.inner.management {
            Some(management) => management.depths().await.map(Some),
            None => Ok(None),
        }
    }

    async fn connection(&self) -> Result<Arc<lapin::Connection>> {
        let mut link = self.inner.publishing.clone();
        match timeout(CONNECTION_WAIT, link.up()).await {
            Ok(connection) => Ok(connection),
            Err(_) => Err(self.inner.unavailable(match self.inner.publishing.now() {
                Ok(_) => "the connection was lost".into(),
                Err(why) => why.to_string(),
            })),
        }
    }
}

impl Inner {
    fn consuming(&self) -> Link {
        let link = self.consuming.get_or_init(|| {
            Link::supervise(self.dial.clone(), "chatsystem consuming", self.stop.clone())
        });
        link.clone()
    }

    fn unavailable(&self, why: String) -> Error {
        let place = &self.dial.place;
        Error::unavailable(
            "queue",
            format!(
                "RabbitMQ at {place}: {why}; check that it runs there and that CHAT_RABBITMQ_URL is right"
            ),
        )
    }

    fn not_set_up(&self, problem: &Problem) -> Error {
        let place = &self.dial.place;
        Error::unavailable(
            "queue",
            format!("RabbitMQ at {place} is not set up: {}", problem.text()),
        )
    }

    /// What an outcome means for whoever published.
    fn told(&self, outcome: Outcome) -> Result<()> {
        match outcome {
            Outcome::Decided(Decision::Confirmed) => Ok(()),
            Outcome::Decided(Decision::Refused) => Err(Error::Busy("the queue is full".into())),
            Outcome::Decided(Decision::Returned) => {
                self.topology.missing();
                Err(Error::Unroutable)
            }
            Outcome::Decided(Decision::Unknown) => Err(Error::OutcomeUnknown {
                number: None,
                uid: None,
            }),
            Outcome::NotSent(why) => Err(Error::Busy(why.to_string())),
        }
    }

    async fn publish_patiently(&self, message: Outgoing) -> Result<()> {
        let outcome = self.channels.publish_patiently(message).await;
        self.told(outcome)
    }
}

// --------------------------------------------------------------------------------------------- publishing

#[async_trait]
impl Publisher for RabbitQueue {
    async fn slot(&self) -> Result<Box<dyn Slot>> {
        let by = Instant::now() + DEADLINE;
        match self.inner.topology.standing() {
            Standing::Wrong(Problem::Missing(_)) => return Err(Error::Unroutable),
            Standing::NotChecked if self.inner.channels.obstacle().is_none() => {
                let why = "exchanges and queues were not looked at yet";
                return Err(Error::Busy(why.into()));
            }
            _ => {}
        }
        let room = self.inner.channels.room().await.map_err(Error::Busy)?;
        Ok(Box::new(RoomForOne {
            inner: self.inner.clone(),
            room,
            by,
        }))
    }

    async fn ready(&self) -> Result<()> {
        let inner = &self.inner;
        inner
            .publishing
            .now()
            .map_err(|why| inner.unavailable(why.to_string()))?;
        if let Some(obstacle) = inner.channels.obstacle() {
            return Err(Error::unavailable(
                "queue",
                format!("RabbitMQ at {obstacle}"),
            ));
        }
        match inner.topology.standing() {
            Standing::Right => Ok(()),
            Standing::Wrong(problem) => Err(inner.not_set_up(&problem)),
            Standing::NotChecked => Err(Error::unavailable(
                "queue",
                "exchanges and queues were not looked at yet",
            )),
        }
    }
}

struct RoomForOne {
    inner: Arc<Inner>,
    room: Room,
    by: Instant,
}

#[async_trait]
impl Slot for RoomForOne {
    async fn publish(self: Box<Self>, mut envelope: Envelope) -> Result<()> {
        let Self { inner, room, by } = *self;
        let span = traces::publish(envelope.command.queue(), &envelope.origin);
        if let Some(traceparent) = span.traceparent() {
            envelope.origin.traceparent = Some(traceparent);
        }
        let message = message::command(topology::COMMANDS, &envelope);
        let outcome = inner.channels.publish(room, message, by).await;
        let told = inner.told(outcome);
        span.ended(told.as_ref().err());
        told
    }
}

// --------------------------------------------------------------------------------------------- consuming

#[async_trait]
impl Subscriber for RabbitQueue {
    async fn consume(&self, queue: Queue) -> Result<Box<dyn Deliveries>> {
        Ok(Box::new(Lanes::open(&self.inner, queue)))
    }

    async fn at_rest_since(&self, moment: Millis) -> Result<bool> {
        let inner = &self.inner;
        let since = |last: &AtomicI64| last.load(Ordering::Relaxed) >= moment.get();
        let Some(management) = &inner.management else {
            if !inner.warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "without CHAT_RABBITMQ_MANAGEMENT_URL nobody knows whether queues are at rest: numbers that were never stored stay unexplained"
                );
            }
            return Ok(false);
        };
        if since(&inner.last_at_rest) {
            return Ok(true);
        }
        let now = clock::now();
        if let Some(at) = management::at_rest(&management.depths().await?, now) {
            inner.last_at_rest.fetch_max(at.get(), Ordering::Relaxed);
        }
        Ok(since(&inner.last_at_rest))
    }
}
