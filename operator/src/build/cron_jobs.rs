//! What runs by the clock: reconciliation and the audit. Any number of either may run at once and may be killed;
//! one at a time is economy.

use super::meta::{self, Component};
use super::pod;
use crate::validate::System;
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, JobSpec, JobTemplateSpec};
use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// After so many seconds a missed start is missed. Above 100 misses a CronJob without this never starts again.
const STARTING_SECONDS: i64 = 200;

struct Task<'a> {
    component: Component,
    argument: &'a str,
    schedule: &'a str,
    suspend: bool,
    /// Longer than it ever takes.
    deadline_seconds: i64,
}

pub(super) fn build(system: &System) -> Vec<CronJob> {
    let (reconciliation, audit) = (&system.spec.reconciliation, &system.spec.audit);
    [
        Task {
            component: Component::Reconcile,
            argument: "reconcile",
            schedule: &reconciliation.schedule,
            suspend: reconciliation.suspend,
            deadline_seconds: 15 * 60,
        },
        Task {
            component: Component::Audit,
            argument: "audit",
            schedule: &audit.schedule,
            suspend: audit.suspend,
            deadline_seconds: 6 * 60 * 60,
        },
    ]
    .map(|task| cron_job(system, &task))
    .into()
}

fn cron_job(system: &System, task: &Task<'_>) -> CronJob {
    let container = Container {
        args: Some(vec![task.argument.to_owned()]),
        ..Container::default()
    };
    let mut template = pod::template(system, task.component, container, &[]);
    template.spec.get_or_insert_default().restart_policy = Some("Never".to_owned());
    CronJob {
        metadata: meta::of(system, task.component),
        spec: Some(CronJobSpec {
            schedule: task.schedule.to_owned(),
            time_zone: Some("Etc/UTC".to_owned()),
            suspend: Some(task.suspend),
            concurrency_policy: Some("Forbid".to_owned()),
            starting_deadline_seconds: Some(STARTING_SECONDS),
            successful_jobs_history_limit: Some(1),
            failed_jobs_history_limit: Some(1),
            job_template: JobTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(meta::labels(system, Some(task.component))),
                    ..ObjectMeta::default()
                }),
                spec: Some(JobSpec {
                    template,
                    // The next start is the next try.
                    backoff_limit: Some(0),
                    active_deadline_seconds: Some(task.deadline_seconds),
                    ..JobSpec::default()
                }),
            },
        }),
        status: None,
    }
}
