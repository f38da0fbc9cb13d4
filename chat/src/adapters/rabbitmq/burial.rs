//! What a dead letter says of itself beside what the message said. Pure.

use super::message::{
    FIRST_SEEN, Outgoing, as_count, first_seen, moved, read_integer, read_text, text,
};
use crate::model::Millis;
use lapin::BasicProperties;
use lapin::types::AMQPValue;
use std::collections::BTreeMap;

const REASON: &str = "reason";
const ERROR: &str = "error";
const ATTEMPTS: &str = "attempts";
const WORKER_VERSION: &str = "worker_version";
const SOURCE: &str = "source_queue";
/// Written by the broker when it sets a message aside itself.
const BROKERS_SOURCE: &str = "x-first-death-queue";
const BROKERS_REASON: &str = "x-first-death-reason";
/// How much of an error's text travels with a dead letter.
const LONGEST_ERROR: usize = 1_000;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::rabbitmq::message::command;
    use crate::adapters::rabbitmq::message::tests::envelope;
    use lapin::types::FieldTable;

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
    fn a_message_that_the_broker_gave_up_is_a_crash() {
        let mut headers = FieldTable::default();
        headers.insert(BROKERS_REASON.into(), text("delivery_limit"));
        headers.insert(BROKERS_SOURCE.into(), text("chat.suspect"));
        let burial = burial(&BasicProperties::default().with_headers(headers));
        assert_eq!(burial.reason, "crash");
        assert_eq!(burial.source.as_deref(), Some("chat.suspect"));
    }
}
