//! Every metric of the operator: its name, its labels and the one function that records it.
//!
//! What belongs to a system goes with it: a figure of a system that is gone, or one that nobody knows, is absent.

mod systems;

pub use systems::{cron_jobs, forget, known};

use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};
use std::sync::LazyLock;

/// How looking after a system ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The specification cannot work.
    Refused,
    /// It is tried again soon.
    Failed,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    errors: IntCounterVec,
    duration: Histogram,
    leader: IntGauge,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// One system was looked after.
pub fn reconciled(outcome: Outcome, seconds: f64) {
    METRICS
        .reconciles
        .with_label_values(&[outcome.name()])
        .inc();
    METRICS.duration.observe(seconds);
}

pub fn failed(error: &kube::Error) {
    let reason = match error {
        kube::Error::Api(status) => match status.code {
            409 => "conflict",
            401 | 403 => "forbidden",
            400 | 422 => "invalid",
            _ => "api",
        },
        _ => "network",
    };
    METRICS.errors.with_label_values(&[reason]).inc();
}

pub fn leads(leads: bool) {
    METRICS.leader.set(leads.into());
}

/// As Prometheus reads it.
pub fn render() -> String {
    let families = METRICS.registry.gather();
    let own = TextEncoder::new().encode_to_string(&families);
    own.expect("metrics have a text form") + &systems::render()
}

impl Metrics {
    fn new() -> Self {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels);
            let counters = counters.expect("the name and the labels are valid");
            add(&registry, counters.clone());
            counters
        };
        let metrics = Self {
            reconciles: counters(
                "chat_operator_reconciles_total",
                "How often a system was looked after, by how that ended.",
                &["outcome"],
            ),
            errors: counters(
                "chat_operator_reconcile_errors_total",
                "What the API server did not do for the operator.",
                &["reason"],
            ),
            duration: {
                let buckets = vec![0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
                let name = "chat_operator_reconcile_duration_seconds";
                let options = HistogramOpts::new(name, "How long looking after a system takes.");
                let duration = Histogram::with_opts(options.buckets(buckets));
                let duration = duration.expect("the name and the buckets are valid");
                add(&registry, duration.clone());
                duration
            },
            leader: {
                let help = "1 while this operator is the one that acts.";
                let leader = IntGauge::new("chat_operator_leader", help);
                let leader = leader.expect("the name is valid");
                add(&registry, leader.clone());
                leader
            },
            registry: registry.clone(),
        };
        #[cfg(target_os = "linux")]
        add(
            &registry,
            prometheus::process_collector::ProcessCollector::for_self(),
        );
        for outcome in Outcome::ALL {
            metrics.reconciles.with_label_values(&[outcome.name()]);
        }
        for reason in ["api", "conflict", "forbidden", "invalid", "network"] {
            metrics.errors.with_label_values(&[reason]);
        }
        metrics
    }
}

fn add(registry: &Registry, collector: impl prometheus::core::Collector + 'static) {
    let added = registry.register(Box::new(collector));
    added.expect("no two metrics have one name");
}
