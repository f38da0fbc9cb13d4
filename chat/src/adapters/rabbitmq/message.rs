//! How a command looks as an AMQP message: the body is `event::encode`, everything else is for people,
//! traces and tools, except how often it was delivered. Pure but for random ids.

use crate::clock;
use crate::event::{Command, Envelope, encode};
use crate::model::{ChatKey, MessageKey, Millis};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Survives a restart of the broker (W4).
const PERSISTENT: u8 = 2;

pub(super) const FIRST_SEEN: &str = "first_seen";
/// Written by quorum queues: how often a message came back without an ack.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// A message to publish.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) exchange: &'static str,
    pub(super) routing_key: String,
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
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

/// How often a message was delivered and came back without an ack.
pub(super) fn delivery_count(properties: &BasicProperties) -> u32 {
    read_integer(properties, DELIVERY_COUNT).map_or(0, as_count)
}

/// When a worker first had it, if it was moved since.
pub(super) fn first_seen(properties: &BasicProperties) -> Option<Millis> {
    read_integer(properties, FIRST_SEEN).map(Millis::new)
}

pub(super) fn as_count(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(if value < 0 { 0 } else { u32::MAX })
}

pub(super) fn read_text(properties: &BasicProperties, name: &str) -> Option<String> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

pub(super) fn read_integer(properties: &BasicProperties, name: &str) -> Option<i64> {
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

pub(super) fn text(value: &str) -> AMQPValue {
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
pub(super) mod tests {
    use super::*;
    use crate::event::{DeleteMessage, Origin, VERSION, decode};
    use crate::model::{AppId, Number, Rev};

    pub(in super::super) fn envelope() -> Envelope {
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
    fn a_moved_message_starts_to_be_counted_anew() {
        let message = command("chat.cmd", &envelope());
        let mut headers = message.properties.headers().clone().unwrap();
        headers.insert(DELIVERY_COUNT.into(), AMQPValue::LongLongInt(12));
        let properties = message.properties.with_headers(headers);
        assert_eq!(delivery_count(&properties), 12);
        let again = moved("", "chat.suspect", &properties, &message.body);
        assert_eq!(delivery_count(&again.properties), 0);
    }
}
