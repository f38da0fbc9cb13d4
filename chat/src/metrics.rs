//! Every metric of ChatSystem: its name, its labels and the one function that records it.
//!
//! Names follow Prometheus' rules (<https://prometheus.io/docs/practices/naming/>) and start with
//! `chat_`. Label values come from small enums and route templates, never from what a client sent.
//! Metrics with known labels exist from the start with 0, so that a rate over them is never absent.

mod registry;

pub use registry::{
    BATCH_DURATION, BATCH_SIZE, BATCHES, BUILD_INFO, BURIED, COMMANDS, COUNT_DRIFT, FOLD_DURATION,
    FOLD_ROWS, HTTP_DURATION, HTTP_REQUESTS, INDEX_DIRTY_KEYS, INDEX_LAG, INDEX_WRITES,
    NUMBER_BLOCKS, NUMBER_GAPS, NUMBERS_GIVEN, QUEUE_MESSAGES, READY, RECONCILED,
};

use crate::event::Queue;
use crate::model::{GapCause, Millis, Scope};
use crate::ports::BuryReason;
use crate::rows::Outcome;
use prometheus::TextEncoder;
use registry::Metrics;
use std::sync::LazyLock;
use std::time::Duration;

/// How one attempt to carry out a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchEnd {
    Committed,
    /// A value in it was refused; its halves are tried on their own.
    Split,
    /// Nothing was written; it is tried again or given back.
    Failed,
}

impl BatchEnd {
    const ALL: [Self; 3] = [Self::Committed, Self::Split, Self::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Split => "split",
            Self::Failed => "failed",
        }
    }
}

/// How one write to the index ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexEnd {
    Done,
    /// Worth another try, and tried again.
    Retried,
    /// The engine refuses this document.
    Refused,
}

impl IndexEnd {
    const ALL: [Self; 3] = [Self::Done, Self::Retried, Self::Refused];

    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retried => "retried",
            Self::Refused => "refused",
        }
    }
}

/// One answered request. `route` is the template that matched, not the path that was sent.
pub fn http_request(method: &str, route: &str, status: u16, seconds: f64) {
    let method = known_method(method).unwrap_or("other");
    let mut digits = [0; 3];
    let status = status_text(status, &mut digits);
    METRICS
        .http_requests
        .with_label_values(&[method, route, status])
        .inc();
    METRICS
        .http_duration
        .with_label_values(&[method, route])
        .observe(seconds);
}

/// A message waits in a queue of this process.
pub fn enqueued(queue: Queue) {
    METRICS.queues[queue as usize].waiting.inc();
}

/// It does not wait any more: a worker has it.
pub fn delivered(queue: Queue) {
    METRICS.queues[queue as usize].waiting.dec();
    METRICS.queues[queue as usize].in_flight.inc();
}

/// The worker has answered for it.
pub fn settled(queue: Queue) {
    METRICS.queues[queue as usize].in_flight.dec();
}

/// One attempt to carry out a batch of `size` commands.
pub fn batch(queue: Queue, size: usize, seconds: f64, end: BatchEnd) {
    METRICS
        .batches
        .with_label_values(&[queue.name(), end.as_str()])
        .inc();
    METRICS
        .batch_duration
        .with_label_values(&[queue.name()])
        .observe(seconds);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a batch has some hundreds of commands"
    )]
    METRICS
        .batch_size
        .with_label_values(&[queue.name()])
        .observe(size as f64);
}

/// What became of the commands of a committed batch.
pub fn outcomes(outcomes: &[Outcome]) {
    for outcome in outcomes {
        METRICS
            .commands
            .with_label_values(&[outcome.as_str()])
            .inc();
    }
}

/// A delivery was set aside.
pub fn buried(queue: Queue, reason: BuryReason) {
    METRICS
        .buried
        .with_label_values(&[queue.name(), reason.as_str()])
        .inc();
}

/// Ledger rows were folded into the counts.
pub fn folded(rows: u64, seconds: f64) {
    METRICS.fold_rows.inc_by(rows);
    METRICS.fold_duration.observe(seconds);
}

/// A whole pass of folding, purging and explaining ended well.
pub fn reconciled(now: Millis) {
    METRICS
        .reconciled
        .set(Duration::from_millis(now.get().unsigned_abs()).as_secs_f64());
}

/// How many rows wait for the index, and how long the oldest of them has waited.
pub fn index_lag(dirty_keys: usize, seconds: f64) {
    let keys = i64::try_from(dirty_keys).unwrap_or(i64::MAX);
    METRICS.index_dirty_keys.set(keys);
    METRICS.queues[Queue::Indexing as usize].waiting.set(keys);
    METRICS.index_lag.set(seconds);
}

pub fn index_writes(end: IndexEnd, writes: u64) {
    METRICS
        .index_writes
        .with_label_values(&[end.as_str()])
        .inc_by(writes);
}

pub fn number_given(scope: Scope) {
    METRICS
        .numbers_given
        .with_label_values(&[scope_kind(scope)])
        .inc();
}

pub fn number_block_reserved(scope: Scope) {
    METRICS
        .number_blocks
        .with_label_values(&[scope_kind(scope)])
        .inc();
}

/// Numbers were found to be given and never stored.
pub fn number_gap(cause: GapCause, numbers: u64) {
    METRICS
        .number_gaps
        .with_label_values(&[cause.as_str()])
        .inc_by(numbers);
}

/// Counts that differed from the rows they count: each one is a bug.
pub fn count_drift(counts: u64) {
    METRICS.count_drift.inc_by(counts);
}

/// Whether a part of the process is ready, as `/readyz` says it.
pub fn part_ready(part: &'static str, ready: bool) {
    METRICS
        .ready
        .with_label_values(&[part])
        .set(i64::from(ready));
}

/// All metrics in Prometheus' text format, those of the process included.
pub fn render() -> String {
    TextEncoder::new()
        .encode_to_string(&METRICS.registry.gather())
        .expect("every family has a name and its samples have finite values")
}

/// A method is a word of the client: unknown ones are all alike.
pub(crate) fn known_method(method: &str) -> Option<&'static str> {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method)
}

/// Without an allocation: this runs once a request.
fn status_text(status: u16, digits: &mut [u8; 3]) -> &str {
    const ASCII: [u8; 10] = *b"0123456789";
    let place = |divisor: u16| ASCII[usize::from(status / divisor % 10)];
    *digits = [place(100), place(10), place(1)];
    std::str::from_utf8(digits).expect("digits are ASCII")
}

fn scope_kind(scope: Scope) -> &'static str {
    match scope {
        Scope::Chats(_) => "chats",
        Scope::Messages(_) => "messages",
        Scope::Revs(_) => "revs",
    }
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_there_before_anything_happened() {
        let text = render();
        for line in [
            "chat_queue_messages{queue=\"chat.messages\",state=\"waiting\"}",
            "chat_batches_total{end=\"committed\",queue=\"chat.chats\"}",
            "chat_buried_total{queue=\"chat.indexing\",reason=\"index\"}",
            "chat_commands_total{outcome=\"collision\"}",
            "chat_fold_rows_total",
            "chat_index_dirty_keys",
            "chat_numbers_given_total{scope=\"revs\"}",
            "chat_number_gaps_total{cause=\"block_lost\"}",
            "chat_count_drift_total",
            "chat_build_info{version=\"",
        ] {
            assert!(
                text.lines().any(|l| l.starts_with(line)),
                "{line} is missing in\n{text}"
            );
        }
        #[cfg(target_os = "linux")]
        assert!(text.contains("process_resident_memory_bytes"));
    }

    #[test]
    fn a_queue_shows_what_waits_and_what_is_in_flight() {
        let shown = || {
            let depth = &METRICS.queues[Queue::Chats as usize];
            (depth.waiting.get(), depth.in_flight.get())
        };
        enqueued(Queue::Chats);
        enqueued(Queue::Chats);
        delivered(Queue::Chats);
        assert_eq!(shown(), (1, 1));
        settled(Queue::Chats);
        delivered(Queue::Chats);
        settled(Queue::Chats);
        assert_eq!(shown(), (0, 0));
    }

    #[test]
    fn a_request_is_counted_by_route_and_status() {
        http_request("GET", "/a-route/{of}/this-test", 204, 0.003);
        http_request("BREW", "/a-route/{of}/this-test", 405, 0.003);
        let text = render();
        for line in [
            "chat_http_requests_total{method=\"GET\",route=\"/a-route/{of}/this-test\",status=\"204\"} 1",
            "chat_http_requests_total{method=\"other\",route=\"/a-route/{of}/this-test\",status=\"405\"} 1",
            "chat_http_request_duration_seconds_count{method=\"GET\",route=\"/a-route/{of}/this-test\"} 1",
        ] {
            assert!(
                text.lines().any(|l| l == line),
                "{line} is missing in\n{text}"
            );
        }
    }

    /// <https://prometheus.io/docs/practices/naming/>
    #[test]
    fn names_tell_kind_and_unit() {
        http_request("GET", "/", 200, 0.0);
        outcomes(&[Outcome::New]);
        buried(Queue::Messages, BuryReason::Decode);
        part_ready("store", true);
        for family in METRICS.registry.gather() {
            let name = family.name();
            assert!(
                name.starts_with("chat_") || name.starts_with("process_"),
                "{name}"
            );
            let counts = family.get_field_type() == prometheus::proto::MetricType::COUNTER;
            assert_eq!(name.ends_with("_total"), counts, "{name}");
            assert!(family.help().ends_with('.'), "{name} has no help");
        }
    }
}
