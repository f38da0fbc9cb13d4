//! Every metric of the operator: its name, its labels and the one function that records it.
//!
//! What belongs to a system goes with it: a figure of a system that is gone, or one that nobody knows, is absent.

use crate::build::Component;
use crate::crd::Role;
use crate::status::{Known, Rollout};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use prometheus::{
    Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
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
    backlog: IntGaugeVec,
    desired: IntGaugeVec,
    replicas: IntGaugeVec,
    ready: IntGaugeVec,
    condition: IntGaugeVec,
    last_success: IntGaugeVec,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

const CONDITIONS: [&str; 6] = [
    "Ready",
    "Progressing",
    "MigrationsApplied",
    "BackendsReady",
    "QueueMetricsAvailable",
    "DeadLetters",
];

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

/// What is known about a system now.
pub fn known(namespace: &str, name: &str, known: &Known, conditions: &[Condition]) {
    for workers in &known.workers {
        let labels = [namespace, name, workers.role.name()];
        match workers
            .backlog
            .and_then(|backlog| i64::try_from(backlog).ok())
        {
            Some(backlog) => METRICS.backlog.with_label_values(&labels).set(backlog),
            // It may not have been there.
            None => drop(METRICS.backlog.remove_label_values(&labels)),
        }
        let component = Component::Worker(workers.role);
        rollout(namespace, name, component, &workers.rollout);
    }
    if let Some(api) = &known.api {
        rollout(namespace, name, Component::Api, api);
    }
    for condition in conditions {
        let value = match condition.status.as_str() {
            "True" => 1,
            "False" => 0,
            _ => -1,
        };
        METRICS
            .condition
            .with_label_values(&[namespace, name, &condition.type_])
            .set(value);
    }
}

/// The CronJob that reconciles counts ended well then.
pub fn reconciliation(namespace: &str, name: &str, last_success: Timestamp) {
    METRICS
        .last_success
        .with_label_values(&[namespace, name])
        .set(last_success.as_second());
}

fn rollout(namespace: &str, name: &str, component: Component, rollout: &Rollout) {
    let component = component.name();
    let labels = [namespace, name, &component];
    METRICS
        .desired
        .with_label_values(&labels)
        .set(rollout.wanted.into());
    METRICS
        .replicas
        .with_label_values(&labels)
        .set(rollout.replicas.into());
    METRICS
        .ready
        .with_label_values(&labels)
        .set(rollout.ready.into());
}

/// A system is gone.
pub fn forget(namespace: &str, name: &str) {
    // What was never known is not there to be removed.
    for role in Role::ALL {
        let _ = METRICS
            .backlog
            .remove_label_values(&[namespace, name, role.name()]);
    }
    for component in Component::RUNNING {
        for gauges in [&METRICS.desired, &METRICS.replicas, &METRICS.ready] {
            let _ = gauges.remove_label_values(&[namespace, name, &component.name()]);
        }
    }
    for condition in CONDITIONS {
        let _ = METRICS
            .condition
            .remove_label_values(&[namespace, name, condition]);
    }
    let _ = METRICS.last_success.remove_label_values(&[namespace, name]);
}

/// As Prometheus reads it.
pub fn render() -> String {
    let families = METRICS.registry.gather();
    TextEncoder::new()
        .encode_to_string(&families)
        .expect("metrics have a text form")
}

impl Metrics {
    fn new() -> Self {
        let registry = Registry::new();
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels);
            let gauges = gauges.expect("the name and the labels are valid");
            add(&registry, gauges.clone());
            gauges
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels);
            let counters = counters.expect("the name and the labels are valid");
            add(&registry, counters.clone());
            counters
        };
        let pods = ["namespace", "chatsystem", "component"];
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
            backlog: gauges(
                "chat_operator_backlog",
                "Commands that wait in the queues of a role, as RabbitMQ told last.",
                &["namespace", "chatsystem", "role"],
            ),
            desired: gauges(
                "chat_operator_desired_replicas",
                "Pods there should be.",
                &pods,
            ),
            replicas: gauges("chat_operator_replicas", "Pods there are.", &pods),
            ready: gauges(
                "chat_operator_ready_replicas",
                "Pods that are ready.",
                &pods,
            ),
            condition: gauges(
                "chat_operator_condition",
                "The conditions of a ChatSystem: 1 True, 0 False, -1 Unknown.",
                &["namespace", "chatsystem", "type"],
            ),
            last_success: gauges(
                "chat_operator_reconciliation_last_success_timestamp_seconds",
                "When counts were last reconciled.",
                &["namespace", "chatsystem"],
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
