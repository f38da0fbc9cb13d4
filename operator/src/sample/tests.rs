//! Answers as RabbitMQ 4.0 gives them, whole and with holes.

use super::*;
use serde_json::{Value, json};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn queue(name: &str, ready: u64, unacked: u64) -> Value {
    json!({
        "name": name,
        "state": "running",
        "messages_ready": ready,
        "messages_unacknowledged": unacked,
        "message_stats": { "publish": 100, "ack": 40 },
    })
}

/// All queues.
fn answer() -> Vec<Value> {
    vec![
        queue("chat.unrouted", 1, 0),
        queue("chat.chats", 7, 2),
        queue("chat.messages", 1_000, 200),
        queue("chat.indexing", 0, 0),
        queue("chat.suspect", 30, 4),
        queue("chat.dead", 3, 0),
        queue("somebody.elses", 9, 9),
    ]
}

fn parsed(answer: &[Value]) -> Sample {
    parse(json!(answer).to_string().as_bytes(), at(0)).unwrap()
}

/// The answer with another `name`d queue in the place of the one there is.
fn with(name: &str, change: impl FnOnce(&mut Value)) -> Sample {
    let mut answer = answer();
    change(
        answer
            .iter_mut()
            .find(|queue| queue["name"] == name)
            .unwrap(),
    );
    parsed(&answer)
}

#[test]
fn a_role_is_the_sum_of_its_queues() {
    let sample = parsed(&answer());
    let figures = |backlog, published, acked| {
        Ok(Figures {
            backlog,
            counters: Counters {
                read: at(0),
                published,
                acked,
            },
        })
    };
    let expected = [
        (Role::Chats, figures(9, 100, 40)),
        (Role::Messages, figures(1_235, 300, 120)),
        (Role::Indexing, figures(0, 100, 40)),
    ];
    assert_eq!(sample.roles, BTreeMap::from(expected));
    assert_eq!(sample.dead_letters, Some(3));
}

#[test]
fn a_figure_that_is_absent_is_unknown_and_never_nothing() {
    for field in ["messages_ready", "messages_unacknowledged", "state"] {
        let sample = with("chat.suspect", |queue| {
            queue.as_object_mut().unwrap().remove(field);
        });
        let unknown = Err(Unusable::FiguresAbsent("chat.suspect"));
        assert_eq!(sample.roles[&Role::Messages], unknown, "{field}");
        assert!(sample.roles[&Role::Chats].is_ok(), "{field}");
    }
    let sample = with("chat.dead", |queue| queue["messages_ready"] = Value::Null);
    assert_eq!(sample.dead_letters, None);
}

#[test]
fn a_queue_that_is_missing_or_does_not_run_is_named() {
    let sample = with("chat.indexing", |queue| queue["name"] = json!("another"));
    let error = sample.roles[&Role::Indexing].as_ref().unwrap_err();
    assert_eq!(error.reason(), "QueueMissing");
    assert!(error.to_string().contains("chat.indexing"));
    let sample = with("chat.chats", |queue| queue["state"] = json!("minority"));
    let error = sample.roles[&Role::Chats].as_ref().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the queue chat.chats is minority, not running"
    );
}

#[test]
fn a_queue_nothing_went_through_has_counted_nothing() {
    let sample = with("chat.chats", |queue| {
        queue.as_object_mut().unwrap().remove("message_stats");
    });
    let figures = sample.roles[&Role::Chats].as_ref().unwrap();
    assert_eq!((figures.counters.published, figures.counters.acked), (0, 0));
}

#[test]
fn anything_else_is_not_understood() {
    for body in [
        "",
        "{}",
        "<html>",
        r#"{"error":"not_authorised"}"#,
        r#"[{"state":"running"}]"#,
    ] {
        let error = parse(body.as_bytes(), at(0)).unwrap_err();
        assert_eq!(error.reason(), "NotUnderstood", "{body}");
    }
}

#[test]
fn two_samples_make_rates_and_one_makes_none() {
    let first = parsed(&answer());
    let mut later = first.clone();
    later.roles.insert(
        Role::Chats,
        Ok(Figures {
            backlog: 5,
            counters: Counters {
                read: at(5),
                published: 150,
                acked: 140,
            },
        }),
    );
    let seen = |rates| Sight::Seen { backlog: 5, rates };
    let rates = Rates {
        publish: 10.0,
        ack: 20.0,
    };
    let sight = |before| sight(Role::Chats, Some(&later), before, at(-9));
    assert_eq!(sight(Some(&first)), seen(Some(rates)));
    assert_eq!(sight(None), seen(None));
}

#[test]
fn nobody_sees_without_a_sample() {
    let blind = Sight::Blind { since: at(-9) };
    assert_eq!(sight(Role::Chats, None, None, at(-9)), blind);
    let hole = with("chat.chats", |queue| queue["messages_ready"] = Value::Null);
    assert_eq!(sight(Role::Chats, Some(&hole), Some(&hole), at(-9)), blind);
    assert_ne!(sight(Role::Messages, Some(&hole), None, at(-9)), blind);
}

#[test]
fn failures_are_asked_about_less_and_less_often() {
    let seconds = [0, 1, 2, 3, 4, 99].map(|failures| pause(failures).as_secs());
    assert_eq!(seconds, [5, 5, 10, 20, 30, 30]);
}
