//! How a command looks as an AMQP message: the body is `event::encode`, everything else is for people,
//! traces and tools, except how often it was delivered and why it was set aside. Pure.

use crate::clock;
use crate::event::{Command, Envelope, encode};
use crate::model::{ChatKey, MessageKey, Millis};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Survives a restart of the broker (W4).
const PERSISTENT: u8 = 2;

const REASON: &str = "reason";
const ERROR: &str = "error";
const FIRST_SEEN: &str = "first_seen";
const ATTEMPTS: &str = "attempts";
const WORKER_VERSION: &str = "worker_version";
const SOURCE: &str = "source_queue";
/// Written by quorum queues: how often a message came back without an ack.
const DELIVERY_COUNT: &str = "x-delivery-count";
/// Written by the broker when it sets a message aside itself.
const BROKERS_SOURCE: &str = "x-first-death-queue";
const BROKERS_REASON: &str = "x-first-death-reason";

/// How much of an error's text travels with a dead letter.
const LONGEST_ERROR: usize = 1_000;

/// A message to publish.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) exchange: &'static str,
    pub(super) routing_key: String,
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
}

/// Why and from where a delivery is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Burial {
    pub(super) reason: String,
    /// No text that somebody wrote.
    pub(super) error: Option<String>,
    pub(super) source: Option<String>,
    pub(super) first_seen: Option<Millis>,
    pub(super) attempts: u32,
    pub(super) worker_version: Option<String>,
}

pub(super) fn command(exchange: &'static str, envelope: &Envelope) -> Outgoing {
    let mut headers = FieldTable::default();
    headers.insert("version".into(), i64::from(envelope.version).into());
    let (chat, n) = about(&envelope.command);
    if let Some(chat) = chat {
        headers.insert("app".into(), chat.app.get().into());
        headers.insert("chat".into(), number(chat.number.get()));
    }
    if let Some(n) = n {
        headers.insert("n".into(), number(n));
    }
    let origin = &envelope.origin;
    for (name, value) in [
        ("request_id", &origin.request_id),
        ("traceparent", &origin.traceparent),
    ] {
        if let Some(value) = value {
            headers.insert(name.into(), text(value));
        }
    }
    Outgoing {
        exchange,
        routing_key: envelope.command.queue().name().to_owned(),
        properties: BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into())
            .with_type(envelope.command.kind().into())
            .with_message_id(ShortString::from(message_id(&envelope.command)))
            .with_headers(headers),
        body: encode(envelope),
    }
}

/// The same message, to be delivered from another queue as if it were new there.
pub(super) fn moved(
    exchange: &'static str,
    routing_key: &str,
    properties: &BasicProperties,
    body: &[u8],
) -> Outgoing {
    let headers = properties.headers().clone().unwrap_or_default();
    let kept = headers.inner().iter();
    let kept = kept.filter(|(name, _)| !name.as_str().starts_with("x-"));
    let kept: BTreeMap<_, _> = kept
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Outgoing {
        exchange,
        routing_key: routing_key.to_owned(),
        properties: properties
            .clone()
            .with_delivery_mode(PERSISTENT)
            .with_headers(kept.into()),
        body: body.to_vec(),
    }
}

/// The same message as a dead letter.
pub(super) fn buried(
    exchange: &'static str,
    properties: &BasicProperties,
    body: &[u8],
    burial: &Burial,
) -> Outgoing {
    let source = burial.source.as_deref().unwrap_or_default();
    let mut outgoing = moved(exchange, source, properties, body);
    let mut headers = outgoing.properties.headers().clone().unwrap_or_default();
    let mut set = |name: &str, value: AMQPValue| {
        headers.insert(name.into(), value);
    };
    set(REASON, text(&burial.reason));
    set(SOURCE, text(source));
    set(ATTEMPTS, i64::from(burial.attempts).into());
    if let Some(error) = &burial.error {
        let end = error.floor_char_boundary(LONGEST_ERROR);
        set(ERROR, text(&error[..end]));
    }
    if let Some(seen) = burial.first_seen {
        set(FIRST_SEEN, seen.get().into());
    }
    if let Some(version) = &burial.worker_version {
        set(WORKER_VERSION, text(version));
    }
    outgoing.properties = outgoing.properties.with_headers(headers);
    outgoing
}

/// A dead letter as the command it was, without what made it one.
pub(super) fn redriven(
    exchange: &'static str,
    routing_key: &str,
    properties: &BasicProperties,
    body: &[u8],
) -> Outgoing {
    let mut outgoing = moved(exchange, routing_key, properties, body);
    let headers = outgoing.properties.headers().clone().unwrap_or_default();
    let kept = headers.inner().iter();
    let kept = kept.filter(|(name, _)| {
        ![REASON, ERROR, ATTEMPTS, WORKER_VERSION, SOURCE].contains(&name.as_str())
    });
    let kept: BTreeMap<_, _> = kept
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    outgoing.properties = outgoing.properties.with_headers(kept.into());
    outgoing
}

/// What a dead letter says of itself; also one that the broker set aside.
pub(super) fn burial(properties: &BasicProperties) -> Burial {
    let read = |name| read_text(properties, name);
    let reason = read(REASON).or_else(|| {
        // Only a delivery that ended with its worker is counted by the broker up to its limit.
        read(BROKERS_REASON).map(|reason| match reason.as_str() {
            "delivery_limit" => "crash".to_owned(),
            _ => reason,
        })
    });
    Burial {
        reason: reason.unwrap_or_else(|| "unknown".to_owned()),
        error: read(ERROR),
        source: read(SOURCE).or_else(|| read(BROKERS_SOURCE)),
        first_seen: first_seen(properties),
        attempts: read_integer(properties, ATTEMPTS).map_or(0, as_count),
        worker_version: read(WORKER_VERSION),
    }
}

/// How often a message was delivered and came back without an ack.
pub(super) fn delivery_count(properties: &BasicProperties) -> u32 {
    read_integer(properties, DELIVERY_COUNT).map_or(0, as_count)
}

/// When a worker first had it, if it was moved since.
pub(super) fn first_seen(properties: &BasicProperties) -> Option<Millis> {
    read_integer(properties, FIRST_SEEN).map(Millis::new)
}

fn as_count(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(if value < 0 { 0 } else { u32::MAX })
}

fn read_text(properties: &BasicProperties, name: &str) -> Option<String> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

fn read_integer(properties: &BasicProperties, name: &str) -> Option<i64> {
    match *properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::ShortShortInt(n) => Some(n.into()),
        AMQPValue::ShortShortUInt(n) => Some(n.into()),
        AMQPValue::ShortInt(n) => Some(n.into()),
        AMQPValue::ShortUInt(n) => Some(n.into()),
        AMQPValue::LongInt(n) => Some(n.into()),
        AMQPValue::LongUInt(n) => Some(n.into()),
        AMQPValue::LongLongInt(n) => Some(n),
        _ => None,
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

fn number(value: u64) -> AMQPValue {
    AMQPValue::LongLongInt(i64::try_from(value).unwrap_or(i64::MAX))
}

fn about(command: &Command) -> (Option<ChatKey>, Option<u64>) {
    let message = |key: &MessageKey| (Some(key.chat), Some(key.number.get()));
    match command {
        Command::CreateChat(c) => (Some(c.key), None),
        Command::EditChat(c) => (Some(c.key), None),
        Command::DeleteChat(c) => (Some(c.key), None),
        Command::CreateMessage(c) => message(&c.key),
        Command::EditMessage(c) => message(&c.key),
        Command::DeleteMessage(c) => message(&c.key),
        Command::IndexRows(_) => (None, None),
    }
}

/// The uid of what is created, so that a message is found by what its sender was told.
fn message_id(command: &Command) -> String {
    match command {
        Command::CreateChat(create) => create.uid.to_string(),
        Command::CreateMessage(create) => create.uid.to_string(),
        _ => Uuid::from_bytes(clock::random_bytes()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{DeleteMessage, Origin, VERSION, decode};
    use crate::model::{AppId, Number, Rev};

    fn envelope() -> Envelope {
        let chat = ChatKey {
            app: AppId::from_stored(7),
            number: Number::new(8).unwrap(),
        };
        Envelope {
            version: VERSION,
            command: Command::DeleteMessage(DeleteMessage {
                key: chat.message(Number::new(9).unwrap()),
                rev: Rev::from_stored(3),
                accepted_at: Millis::new(5),
            }),
            origin: Origin {
                request_id: Some("r".into()),
                traceparent: None,
            },
        }
    }

    #[test]
    fn a_message_says_what_it_is_about_and_survives_a_restart() {
        let message = command("chat.cmd", &envelope());
        assert_eq!(message.routing_key, "chat.messages");
        assert_eq!(decode(&message.body), Ok(envelope()));
        assert_eq!(*message.properties.delivery_mode(), Some(2));
        let expected = [
            ("app", 7.into()),
            ("chat", number(8)),
            ("n", number(9)),
            ("request_id", text("r")),
            ("version", 1_i64.into()),
        ];
        let expected: FieldTable = expected
            .map(|(name, value): (&str, AMQPValue)| {
                (
                    ShortString::from(name),
                    match value {
                        AMQPValue::LongInt(n) => AMQPValue::LongLongInt(n.into()),
                        other => other,
                    },
                )
            })
            .into_iter()
            .collect::<BTreeMap<_, _>>()
            .into();
        assert_eq!(*message.properties.headers(), Some(expected));
    }

    #[test]
    fn a_dead_letter_says_why_and_keeps_what_the_message_said() {
        let message = command("chat.cmd", &envelope());
        let why = Burial {
            reason: "refused".into(),
            error: Some("too long".into()),
            source: Some("chat.messages".into()),
            first_seen: Some(Millis::new(77)),
            attempts: 3,
            worker_version: Some("1.2.3".into()),
        };
        let letter = buried("chat.dlx", &message.properties, &message.body, &why);
        assert_eq!(burial(&letter.properties), why);
        assert_eq!(letter.body, message.body);
        assert_eq!(
            read_text(&letter.properties, "request_id"),
            Some("r".into())
        );
        assert_eq!(
            letter.properties.message_id(),
            message.properties.message_id()
        );
    }

    #[test]
    fn a_moved_message_starts_to_be_counted_anew() {
        let message = command("chat.cmd", &envelope());
        let mut headers = message.properties.headers().clone().unwrap();
        headers.insert(DELIVERY_COUNT.into(), AMQPValue::LongLongInt(12));
        let properties = message.properties.with_headers(headers);
        assert_eq!(delivery_count(&properties), 12);
        let again = moved("", "chat.suspect", &properties, &message.body);
        assert_eq!(delivery_count(&again.properties), 0);
    }

    #[test]
    fn a_message_that_the_broker_gave_up_is_a_crash() {
        let mut headers = FieldTable::default();
        headers.insert(BROKERS_REASON.into(), text("delivery_limit"));
        headers.insert(BROKERS_SOURCE.into(), text("chat.suspect"));
        let burial = burial(&BasicProperties::default().with_headers(headers));
        assert_eq!(burial.reason, "crash");
        assert_eq!(burial.source.as_deref(), Some("chat.suspect"));
    }
}
