//! The gauges of each system, kept as numbers and written out when somebody asks.
//!
//! As gauges of the library each would hold its name, help and labels: thirty times of what is kept here.

use crate::build::Component;
use crate::crd::Role;
use crate::observe::live::CronJobFacts;
use crate::status::{Known, Rollout};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// By namespace and name.
type Systems = BTreeMap<(String, String), Figures>;

static SYSTEMS: LazyLock<Mutex<Systems>> = LazyLock::new(Mutex::default);

/// Of one system; what is absent is not known.
#[derive(Default)]
struct Figures {
    /// As `Role::ALL`.
    backlogs: [Option<u64>; Role::ALL.len()],
    /// As `Component::RUNNING`.
    pods: [Option<Pods>; Component::RUNNING.len()],
    /// As `CONDITIONS`.
    conditions: [Option<i8>; CONDITIONS.len()],
    /// Seconds since 1970.
    reconciled: Option<i64>,
    /// Seconds since 1970.
    audited: Option<i64>,
    audit_failed: Option<bool>,
}

#[derive(Clone, Copy)]
struct Pods {
    wanted: i32,
    there: i32,
    ready: i32,
}

const CONDITIONS: [&str; 6] = [
    "Ready",
    "Progressing",
    "MigrationsApplied",
    "BackendsReady",
    "QueueMetricsAvailable",
    "DeadLetters",
];

/// What is known about a system now.
pub fn known(namespace: &str, name: &str, known: &Known, conditions: &[Condition]) {
    let rollout = |component: Component| match component {
        Component::Worker(role) => {
            let workers = known.workers.iter().find(|workers| workers.role == role);
            workers.map(|workers| &workers.rollout)
        }
        _ => known.api.as_ref(),
    };
    let backlog = |role: Role| {
        let workers = known.workers.iter().find(|workers| workers.role == role);
        workers.and_then(|workers| workers.backlog)
    };
    let condition = |type_: &str| {
        let condition = conditions
            .iter()
            .find(|condition| condition.type_ == type_)?;
        Some(match condition.status.as_str() {
            "True" => 1,
            "False" => 0,
            _ => -1,
        })
    };
    let mut systems = systems();
    let figures = systems
        .entry((namespace.to_owned(), name.to_owned()))
        .or_default();
    figures.backlogs = Role::ALL.map(backlog);
    figures.pods = Component::RUNNING.map(|component| rollout(component).map(Pods::from));
    figures.conditions = CONDITIONS.map(condition);
}

/// What the clock starts: when counts were reconciled, and how audits ended.
pub fn cron_jobs(namespace: &str, name: &str, reconcile: CronJobFacts, audit: CronJobFacts) {
    let mut systems = systems();
    let figures = systems.entry((namespace.to_owned(), name.to_owned()));
    let figures = figures.or_default();
    let seconds = |time: Timestamp| time.as_second();
    figures.reconciled = reconcile.last_success.map(seconds);
    figures.audited = audit.last_success.map(seconds);
    figures.audit_failed = Some(audit.has_failed);
}

/// A system is gone.
pub fn forget(namespace: &str, name: &str) {
    systems().remove(&(namespace.to_owned(), name.to_owned()));
}

/// As Prometheus reads it.
pub(super) fn render() -> String {
    written(&systems())
}

impl From<&Rollout> for Pods {
    fn from(rollout: &Rollout) -> Self {
        Self {
            wanted: rollout.wanted,
            there: rollout.replicas,
            ready: rollout.ready,
        }
    }
}

fn systems() -> MutexGuard<'static, Systems> {
    // Whoever panicked left a whole map.
    SYSTEMS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn written(systems: &Systems) -> String {
    let roles = || Role::ALL.map(|role| role.name().to_owned());
    let components = || Component::RUNNING.map(Component::name);
    let mut text = Text {
        systems,
        written: String::new(),
    };
    text.gauge(
        "chat_operator_backlog",
        "Commands that wait in the queues of a role, as RabbitMQ told last.",
        "role",
        roles(),
        |figures, role| figures.backlogs[role],
    );
    text.gauge(
        "chat_operator_desired_replicas",
        "Pods there should be.",
        "component",
        components(),
        |figures, component| figures.pods[component].map(|pods| pods.wanted),
    );
    text.gauge(
        "chat_operator_replicas",
        "Pods there are.",
        "component",
        components(),
        |figures, component| figures.pods[component].map(|pods| pods.there),
    );
    text.gauge(
        "chat_operator_ready_replicas",
        "Pods that are ready.",
        "component",
        components(),
        |figures, component| figures.pods[component].map(|pods| pods.ready),
    );
    text.gauge(
        "chat_operator_condition",
        "The conditions of a ChatSystem: 1 True, 0 False, -1 Unknown.",
        "type",
        CONDITIONS.map(str::to_owned),
        |figures, condition| figures.conditions[condition],
    );
    text.gauge(
        "chat_operator_reconciliation_last_success_timestamp_seconds",
        "When counts were last reconciled.",
        "",
        [String::new()],
        |figures, _| figures.reconciled,
    );
    text.gauge(
        "chat_operator_audit_last_success_timestamp_seconds",
        "When an audit last ended well.",
        "",
        [String::new()],
        |figures, _| figures.audited,
    );
    text.gauge(
        "chat_operator_audit_failed",
        "1 once the last audit has not ended well, until one does.",
        "",
        [String::new()],
        |figures, _| figures.audit_failed.map(u8::from),
    );
    text.written
}

struct Text<'a> {
    systems: &'a Systems,
    written: String,
}

impl Text<'_> {
    /// A line for each system and each value of its label, as far as the figure is known. An empty label is none.
    fn gauge<const VALUES: usize, N: std::fmt::Display>(
        &mut self,
        gauge: &str,
        help: &str,
        label: &str,
        values: [String; VALUES],
        figure: fn(&Figures, usize) -> Option<N>,
    ) {
        // Names in Kubernetes need no escapes.
        let labels = values.map(|value| match label {
            "" => String::new(),
            label => format!(",{label}=\"{value}\""),
        });
        let mut is_first = true;
        for ((namespace, name), figures) in self.systems {
            for (index, label) in labels.iter().enumerate() {
                let Some(figure) = figure(figures, index) else {
                    continue;
                };
                if std::mem::take(&mut is_first) {
                    self.line(format_args!("# HELP {gauge} {help}"));
                    self.line(format_args!("# TYPE {gauge} gauge"));
                }
                self.line(format_args!(
                    "{gauge}{{chatsystem=\"{name}\",namespace=\"{namespace}\"{label}}} {figure}"
                ));
            }
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.written, "{line}").expect("a string takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_system_is_written_and_nothing_else() {
        let mut figures = Figures {
            reconciled: Some(1_700_000_000),
            audited: Some(1_600_000_000),
            audit_failed: Some(true),
            ..Figures::default()
        };
        figures.backlogs[1] = Some(7);
        figures.conditions[0] = Some(-1);
        figures.pods[0] = Some(Pods {
            wanted: 3,
            there: 2,
            ready: 1,
        });
        let of = ("space".to_owned(), "acme".to_owned());
        let expected = "\
# HELP chat_operator_backlog Commands that wait in the queues of a role, as RabbitMQ told last.
# TYPE chat_operator_backlog gauge
chat_operator_backlog{chatsystem=\"acme\",namespace=\"space\",role=\"messages\"} 7
# HELP chat_operator_desired_replicas Pods there should be.
# TYPE chat_operator_desired_replicas gauge
chat_operator_desired_replicas{chatsystem=\"acme\",namespace=\"space\",component=\"api\"} 3
# HELP chat_operator_replicas Pods there are.
# TYPE chat_operator_replicas gauge
chat_operator_replicas{chatsystem=\"acme\",namespace=\"space\",component=\"api\"} 2
# HELP chat_operator_ready_replicas Pods that are ready.
# TYPE chat_operator_ready_replicas gauge
chat_operator_ready_replicas{chatsystem=\"acme\",namespace=\"space\",component=\"api\"} 1
# HELP chat_operator_condition The conditions of a ChatSystem: 1 True, 0 False, -1 Unknown.
# TYPE chat_operator_condition gauge
chat_operator_condition{chatsystem=\"acme\",namespace=\"space\",type=\"Ready\"} -1
# HELP chat_operator_reconciliation_last_success_timestamp_seconds When counts were last reconciled.
# TYPE chat_operator_reconciliation_last_success_timestamp_seconds gauge
chat_operator_reconciliation_last_success_timestamp_seconds{chatsystem=\"acme\",namespace=\"space\"} 1700000000
# HELP chat_operator_audit_last_success_timestamp_seconds When an audit last ended well.
# TYPE chat_operator_audit_last_success_timestamp_seconds gauge
chat_operator_audit_last_success_timestamp_seconds{chatsystem=\"acme\",namespace=\"space\"} 1600000000
# HELP chat_operator_audit_failed 1 once the last audit has not ended well, until one does.
# TYPE chat_operator_audit_failed gauge
chat_operator_audit_failed{chatsystem=\"acme\",namespace=\"space\"} 1
";
        assert_eq!(written(&Systems::from([(of, figures)])), expected);
        assert_eq!(written(&Systems::default()), "");
    }
}
