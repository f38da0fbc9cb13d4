//! Names, help texts, labels and buckets of all metrics, registered once.

use super::{BatchEnd, IndexEnd};
use crate::event::Queue;
use crate::model::GapCause;
use crate::ports::BuryReason;
use crate::rows::Outcome;
use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

pub const HTTP_REQUESTS: &str = "chat_http_requests_total";
pub const HTTP_DURATION: &str = "chat_http_request_duration_seconds";
pub const QUEUE_MESSAGES: &str = "chat_queue_messages";
pub const BATCHES: &str = "chat_batches_total";
pub const BATCH_SIZE: &str = "chat_batch_size";
pub const BATCH_DURATION: &str = "chat_batch_duration_seconds";
pub const COMMANDS: &str = "chat_commands_total";
pub const BURIED: &str = "chat_buried_total";
pub const FOLD_ROWS: &str = "chat_fold_rows_total";
pub const FOLD_DURATION: &str = "chat_fold_duration_seconds";
pub const RECONCILED: &str = "chat_reconciliation_last_success_timestamp_seconds";
pub const INDEX_DIRTY_KEYS: &str = "chat_index_dirty_keys";
pub const INDEX_LAG: &str = "chat_index_lag_seconds";
pub const INDEX_WRITES: &str = "chat_index_writes_total";
pub const NUMBERS_GIVEN: &str = "chat_numbers_given_total";
pub const NUMBER_BLOCKS: &str = "chat_number_blocks_reserved_total";
pub const NUMBER_GAPS: &str = "chat_number_gaps_total";
pub const COUNT_DRIFT: &str = "chat_count_drift_total";
pub const READY: &str = "chat_ready";
pub const BUILD_INFO: &str = "chat_build_info";

const REQUEST_BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
const SIZE_BUCKETS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

pub(super) struct Metrics {
    pub(super) registry: Registry,
    pub(super) http_requests: IntCounterVec,
    pub(super) http_duration: HistogramVec,
    /// By `Queue`, in the order of `Queue::ALL`.
    pub(super) queues: [Depth; 3],
    pub(super) batches: IntCounterVec,
    pub(super) batch_size: HistogramVec,
    pub(super) batch_duration: HistogramVec,
    pub(super) commands: IntCounterVec,
    pub(super) buried: IntCounterVec,
    pub(super) fold_rows: IntCounter,
    pub(super) fold_duration: Histogram,
    pub(super) reconciled: Gauge,
    pub(super) index_dirty_keys: IntGauge,
    pub(super) index_lag: Gauge,
    pub(super) index_writes: IntCounterVec,
    pub(super) numbers_given: IntCounterVec,
    pub(super) number_blocks: IntCounterVec,
    pub(super) number_gaps: IntCounterVec,
    pub(super) count_drift: IntCounter,
    pub(super) ready: IntGaugeVec,
}

pub(super) struct Depth {
    pub(super) waiting: IntGauge,
    pub(super) in_flight: IntGauge,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let to = Registry::new();
        let metrics = Self {
            http_requests: counters(
                &to,
                HTTP_REQUESTS,
                "Answered requests.",
                &["method", "route", "status"],
            ),
            http_duration: histograms(
                &to,
                HTTP_DURATION,
                "Time from a request's head to its answer's head.",
                &["method", "route"],
                &REQUEST_BUCKETS,
            ),
            queues: queues(&to),
            batches: counters(
                &to,
                BATCHES,
                "Attempts to carry out a batch, by how they ended.",
                &["queue", "end"],
            ),
            batch_size: histograms(
                &to,
                BATCH_SIZE,
                "Commands in a batch.",
                &["queue"],
                &SIZE_BUCKETS,
            ),
            batch_duration: histograms(
                &to,
                BATCH_DURATION,
                "Time one attempt to carry out a batch took.",
                &["queue"],
                &REQUEST_BUCKETS,
            ),
            commands: counters(
                &to,
                COMMANDS,
                "Commands of committed batches, by what became of them.",
                &["outcome"],
            ),
            buried: counters(
                &to,
                BURIED,
                "Deliveries set aside because nobody can carry them out.",
                &["queue", "reason"],
            ),
            fold_rows: register(
                &to,
                IntCounter::new(FOLD_ROWS, "Ledger rows folded into the counts."),
            ),
            fold_duration: register(
                &to,
                Histogram::with_opts(
                    HistogramOpts::new(FOLD_DURATION, "Time one fold took.")
                        .buckets(REQUEST_BUCKETS.to_vec()),
                ),
            ),
            index_dirty_keys: register(
                &to,
                IntGauge::new(INDEX_DIRTY_KEYS, "Rows that wait for the index."),
            ),
            reconciled: register(
                &to,
                Gauge::new(
                    RECONCILED,
                    "When folding, purging and explaining last ended well, in seconds since 1970.",
                ),
            ),
            index_lag: register(
                &to,
                Gauge::new(INDEX_LAG, "Age of the oldest row that waits for the index."),
            ),
            index_writes: counters(
                &to,
                INDEX_WRITES,
                "Writes to the index, by how they ended.",
                &["end"],
            ),
            numbers_given: counters(&to, NUMBERS_GIVEN, "Numbers given out.", &["scope"]),
            number_blocks: counters(
                &to,
                NUMBER_BLOCKS,
                "Blocks of numbers reserved in the store.",
                &["scope"],
            ),
            number_gaps: counters(
                &to,
                NUMBER_GAPS,
                "Numbers found given and never stored.",
                &["cause"],
            ),
            count_drift: register(
                &to,
                IntCounter::new(COUNT_DRIFT, "Counts that differed from their rows."),
            ),
            ready: gauges(
                &to,
                READY,
                "1 while this part of the process is ready.",
                &["part"],
            ),
            registry: to,
        };
        metrics.start_at_zero();
        metrics.describe_the_process();
        metrics
    }

    /// Touches every combination of labels that is known before anything happens.
    fn start_at_zero(&self) {
        for queue in Queue::ALL.map(Queue::name) {
            for end in BatchEnd::ALL {
                self.batches.with_label_values(&[queue, end.as_str()]);
            }
            self.batch_size.with_label_values(&[queue]);
            self.batch_duration.with_label_values(&[queue]);
            // Else the first that is set aside would not be an increase, and nobody would be told.
            for reason in BuryReason::ALL {
                self.buried.with_label_values(&[queue, reason.as_str()]);
            }
        }
        for outcome in Outcome::ALL {
            self.commands.with_label_values(&[outcome.as_str()]);
        }
        for end in IndexEnd::ALL {
            self.index_writes.with_label_values(&[end.as_str()]);
        }
        for scope in ["chats", "messages", "revs"] {
            self.numbers_given.with_label_values(&[scope]);
            self.number_blocks.with_label_values(&[scope]);
        }
        for cause in [GapCause::Voided, GapCause::BlockLost] {
            self.number_gaps.with_label_values(&[cause.as_str()]);
        }
    }

    fn describe_the_process(&self) {
        let build = gauges(
            &self.registry,
            BUILD_INFO,
            "1, labelled with the version.",
            &["version"],
        );
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        #[cfg(target_os = "linux")]
        self.registry
            .register(Box::new(
                prometheus::process_collector::ProcessCollector::for_self(),
            ))
            .expect("it is registered once");
    }
}

fn register<C: Collector + Clone + 'static>(to: &Registry, metric: prometheus::Result<C>) -> C {
    let metric = metric.expect("names, labels and buckets are constants that a test has rendered");
    to.register(Box::new(metric.clone()))
        .expect("every name is registered once");
    metric
}

fn counters(to: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    register(to, IntCounterVec::new(Opts::new(name, help), labels))
}

fn gauges(to: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    register(to, IntGaugeVec::new(Opts::new(name, help), labels))
}

fn histograms(
    to: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: &[f64],
) -> HistogramVec {
    register(
        to,
        HistogramVec::new(
            HistogramOpts::new(name, help).buckets(buckets.to_vec()),
            labels,
        ),
    )
}

/// Resolved once: they change with every message.
fn queues(to: &Registry) -> [Depth; 3] {
    let help = "Messages that wait in a queue of this process, or that a worker has.";
    let messages = gauges(to, QUEUE_MESSAGES, help, &["queue", "state"]);
    Queue::ALL.map(|queue| Depth {
        waiting: messages.with_label_values(&[queue.name(), "waiting"]),
        in_flight: messages.with_label_values(&[queue.name(), "in_flight"]),
    })
}
