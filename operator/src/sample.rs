//! What RabbitMQ's management API said about the queues, as far as anything is decided on it.
//!
//! A figure that is absent is unknown and never 0: after the broker was killed, figures are missing for about ten
//! seconds. A role of which one queue is not known is not known. Asking is done elsewhere.

use crate::crd::Role;
use crate::scaling::{Counters, Rates, Sight};
use chat::event::{DEAD, Queue, SUSPECT, UNROUTED};
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two samples.
pub const PERIOD: Duration = Duration::from_secs(5);
/// What to ask `/api/queues/{vhost}` for, so that the answer stays small.
pub const COLUMNS: &str =
    "name,state,messages_ready,messages_unacknowledged,message_stats.publish,message_stats.ack";

/// How long to leave it alone after so many failures in a row.
pub fn pause(failures: u32) -> Duration {
    match failures {
        0 | 1 => PERIOD,
        2 => PERIOD * 2,
        3 => PERIOD * 4,
        _ => PERIOD * 6,
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// A role that is not known says why.
    pub roles: BTreeMap<Role, Result<Figures, Unusable>>,
    /// Commands that nobody could carry out. `None`: unknown.
    pub dead_letters: Option<u64>,
}

/// Of all queues of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Ready and unacknowledged.
    pub backlog: u64,
    pub counters: Counters,
}

/// Why nothing is decided on an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("RabbitMQ's management API said something else than queues: {0}")]
    NotUnderstood(String),
    #[error("there is no queue {0}: workers declare it when they start")]
    QueueMissing(&'static str),
    #[error("the queue {0} is {1}, not running")]
    QueueNotRunning(&'static str, String),
    #[error("RabbitMQ does not know yet how much waits in {0}")]
    FiguresAbsent(&'static str),
}

impl Unusable {
    /// As the condition says it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotUnderstood(_) => "NotUnderstood",
            Self::QueueMissing(_) => "QueueMissing",
            Self::QueueNotRunning(..) => "QueueNotRunning",
            Self::FiguresAbsent(_) => "FiguresAbsent",
        }
    }
}

/// The queues whose backlog the role works off.
pub fn queues(role: Role) -> &'static [&'static str] {
    const CHATS: [&str; 1] = [Queue::Chats.name()];
    const MESSAGES: [&str; 3] = [Queue::Messages.name(), SUSPECT, UNROUTED];
    const INDEXING: [&str; 1] = [Queue::Indexing.name()];
    match role {
        Role::Chats => &CHATS,
        Role::Messages => &MESSAGES,
        Role::Indexing => &INDEXING,
    }
}

#[derive(Deserialize)]
struct QueueSaid {
    name: String,
    state: Option<String>,
    messages_ready: Option<u64>,
    messages_unacknowledged: Option<u64>,
    #[serde(default)]
    message_stats: Stats,
}

/// Absent until there was something to count.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Stats {
    publish: u64,
    ack: u64,
}

/// The body of an answer that came with 200.
pub fn parse(body: &[u8], read: Timestamp) -> Result<Sample, Unusable> {
    let said: Vec<QueueSaid> =
        serde_json::from_slice(body).map_err(|error| Unusable::NotUnderstood(error.to_string()))?;
    let said: BTreeMap<_, _> = said
        .iter()
        .map(|queue| (queue.name.as_str(), queue))
        .collect();
    let roles = Role::ALL.map(|role| (role, figures(role, &said, read)));
    Ok(Sample {
        roles: roles.into(),
        dead_letters: figures_of(DEAD, &said).ok().map(|(backlog, _)| backlog),
    })
}

type Said<'a> = BTreeMap<&'a str, &'a QueueSaid>;

fn figures(role: Role, said: &Said<'_>, read: Timestamp) -> Result<Figures, Unusable> {
    let mut figures = Figures {
        backlog: 0,
        counters: Counters {
            read,
            published: 0,
            acked: 0,
        },
    };
    for queue in queues(role) {
        let (backlog, stats) = figures_of(queue, said)?;
        let counters = &mut figures.counters;
        figures.backlog = figures.backlog.saturating_add(backlog);
        counters.published = counters.published.saturating_add(stats.publish);
        counters.acked = counters.acked.saturating_add(stats.ack);
    }
    Ok(figures)
}

fn figures_of<'a>(name: &'static str, said: &Said<'a>) -> Result<(u64, &'a Stats), Unusable> {
    let queue = said.get(name).ok_or(Unusable::QueueMissing(name))?;
    match queue.state.as_deref() {
        Some("running") => {}
        None => return Err(Unusable::FiguresAbsent(name)),
        Some(other) => return Err(Unusable::QueueNotRunning(name, other.to_owned())),
    }
    let numbers = queue.messages_ready.zip(queue.messages_unacknowledged);
    let (ready, unacked) = numbers.ok_or(Unusable::FiguresAbsent(name))?;
    Ok((ready.saturating_add(unacked), &queue.message_stats))
}

/// What a role's decision is made on. `before` is the sample before this one, `blind_since` when the last valid one
/// came to an end.
pub fn sight(
    role: Role,
    sample: Option<&Sample>,
    before: Option<&Sample>,
    blind_since: Timestamp,
) -> Sight {
    let of = |sample: Option<&Sample>| sample?.roles.get(&role)?.as_ref().ok().copied();
    match of(sample) {
        None => Sight::Blind { since: blind_since },
        Some(figures) => Sight::Seen {
            backlog: figures.backlog,
            rates: of(before).and_then(|before| Rates::between(before.counters, figures.counters)),
        },
    }
}

#[cfg(test)]
mod tests;
