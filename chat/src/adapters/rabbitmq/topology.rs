//! Exchanges and queues (PROTOCOLS B). Declaring what is there already changes nothing.
//!
//! Every queue is a quorum queue and says everything explicitly: a default that differs between releases
//! of RabbitMQ would otherwise decide about losing messages (M6, W22).

use super::connection::describe;
use crate::event::Queue;
pub(super) use crate::event::{DEAD, SUSPECT, UNROUTED};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};

/// Commands go here; the routing key is a queue's name.
pub(super) const COMMANDS: &str = "chat.cmd";
/// Where dead letters are published.
pub(super) const DEAD_LETTERS: &str = "chat.dlx";

/// All queues, in the order a message goes through them.
pub(super) const QUEUES: [&str; 6] = [
    UNROUTED,
    "chat.chats",
    "chat.messages",
    "chat.indexing",
    SUSPECT,
    DEAD,
];

/// Far above what decides (`consume.rs`), so that the broker's own limit is the last resort.
const DELIVERY_LIMIT: i64 = 1_000;
/// A suspect is delivered this often and set aside instead of the next time.
pub(super) const SUSPECT_LIMIT: u32 = 3;
/// Dead letters are looked at by returning them, which is counted too.
const DEAD_LIMIT: i64 = 1_000_000;

/// Why exchanges and queues are not as they have to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Something is not there.
    Missing(String),
    /// Something is there with other arguments.
    Different(String),
    /// Nobody could tell.
    Unknown(String),
}

impl Problem {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Missing(text) | Self::Different(text) | Self::Unknown(text) => text,
        }
    }
}

/// Makes whatever is not there.
pub(super) async fn declare(connection: &Connection, max_queue_bytes: u64) -> Result<(), Problem> {
    let channel = channel(connection).await?;
    let mut alternate = FieldTable::default();
    alternate.insert("alternate-exchange".into(), text(UNROUTED));
    for (name, kind, arguments) in [
        (UNROUTED, ExchangeKind::Fanout, FieldTable::default()),
        (DEAD_LETTERS, ExchangeKind::Fanout, FieldTable::default()),
        (COMMANDS, ExchangeKind::Direct, alternate),
    ] {
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        channel
            .exchange_declare(name.into(), kind, options, arguments)
            .await
            .map_err(|error| problem("exchange", name, &error))?;
    }
    for name in QUEUES {
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(name.into(), options, arguments(name, max_queue_bytes))
            .await
            .map_err(|error| problem("queue", name, &error))?;
        let exchange = match name {
            UNROUTED => UNROUTED,
            DEAD => DEAD_LETTERS,
            _ => COMMANDS,
        };
        let options = QueueBindOptions::default();
        channel
            .queue_bind(
                name.into(),
                exchange.into(),
                name.into(),
                options,
                FieldTable::default(),
            )
            .await
            .map_err(|error| problem("queue", name, &error))?;
    }
    close(&channel).await;
    Ok(())
}

/// Looks whether everything is there, and makes nothing.
pub(super) async fn check(connection: &Connection) -> Result<(), Problem> {
    let channel = channel(connection).await?;
    for (name, kind) in [
        (UNROUTED, ExchangeKind::Fanout),
        (DEAD_LETTERS, ExchangeKind::Fanout),
        (COMMANDS, ExchangeKind::Direct),
    ] {
        let options = ExchangeDeclareOptions {
            passive: true,
            ..ExchangeDeclareOptions::default()
        };
        channel
            .exchange_declare(name.into(), kind, options, FieldTable::default())
            .await
            .map_err(|error| problem("exchange", name, &error))?;
    }
    for name in QUEUES {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(name.into(), options, FieldTable::default())
            .await
            .map_err(|error| problem("queue", name, &error))?;
    }
    close(&channel).await;
    Ok(())
}

fn arguments(queue: &str, max_queue_bytes: u64) -> FieldTable {
    let limit = match queue {
        SUSPECT => i64::from(SUSPECT_LIMIT),
        DEAD => DEAD_LIMIT,
        _ => DELIVERY_LIMIT,
    };
    let bytes = i64::try_from(max_queue_bytes).unwrap_or(i64::MAX);
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(bytes));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(limit));
    if queue != DEAD {
        arguments.insert("x-dead-letter-exchange".into(), text(DEAD_LETTERS));
        arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    }
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

async fn channel(connection: &Connection) -> Result<Channel, Problem> {
    let channel = connection.create_channel().await;
    channel.map_err(|error| Problem::Unknown(describe(&error)))
}

async fn close(channel: &Channel) {
    // Nothing is lost with it: a failure means that the connection ended.
    let _ = channel.close(200, "done".into()).await;
}

fn problem(what: &str, name: &str, error: &lapin::Error) -> Problem {
    const NOT_FOUND: u16 = 404;
    const PRECONDITION_FAILED: u16 = 406;
    let code = match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_id(),
        _ => 0,
    };
    let said = describe(error);
    match code {
        NOT_FOUND => Problem::Missing(format!(
            "the {what} {name} is not there: workers declare it when they start, `chat-worker topology` at once"
        )),
        PRECONDITION_FAILED => Problem::Different(format!(
            "the {what} {name} was declared with other arguments: let it run empty and delete it, or set the arguments back ({said})"
        )),
        _ => Problem::Unknown(format!("the {what} {name}: {said}")),
    }
}

/// The queues a consumer of `queue` reads beside it: every worker can carry out every command, and those
/// of messages take what has no queue of its own.
pub(super) fn reads_aside(queue: Queue) -> bool {
    queue == Queue::Messages
}
