//! What is remembered of a child as it is in the cluster: enough to tell whether it is as it should be, and little,
//! because there are twenty for each system.

use crate::build::MANAGER;
use crate::crd::ChatSystem;
use crate::kinds::Kind;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use serde_json::Value;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// Which child of a system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Child {
    pub kind: Kind,
    pub name: String,
}

impl Child {
    /// Of an object as it is applied.
    pub fn of(document: &Value) -> Self {
        let name = document["metadata"]["name"].as_str();
        Self {
            kind: Kind::of(document).expect("every kind that is built is on the list"),
            name: name.unwrap_or_default().to_owned(),
        }
    }
}

/// A child as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    pub resource_version: String,
    /// Changes when somebody takes a field that we set, labels and annotations among them.
    pub ours: Option<u64>,
    pub facts: Facts,
}

/// What of its specification and status is looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum Facts {
    None,
    Deployment(DeploymentFacts),
    Job(JobFacts),
    CronJob(CronJobFacts),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentFacts {
    pub wanted: i32,
    pub replicas: i32,
    pub updated: i32,
    pub ready: i32,
    pub available: i32,
    /// The controller has seen its newest specification.
    pub is_observed: bool,
    /// Of the template's first container.
    pub image: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CronJobFacts {
    pub last_success: Option<Timestamp>,
    /// What the clock started last is over, and nothing has ended well since.
    pub has_failed: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum JobFacts {
    #[default]
    Unfinished,
    Complete {
        at: Option<Timestamp>,
        message: String,
    },
    Failed {
        at: Option<Timestamp>,
        message: String,
    },
}

impl Live {
    /// Whether somebody who has seen the first wants to look again. Times at which jobs ran are for metrics alone,
    /// and what others keep in an object of ours is not our business.
    pub fn is_news(&self, before: &Self) -> bool {
        let rest = |live: &Self| Self {
            resource_version: String::new(),
            facts: match &live.facts {
                Facts::CronJob(_) => Facts::None,
                other => other.clone(),
            },
            ours: live.ours,
        };
        rest(self) != rest(before)
    }
}

pub(super) fn live(meta: &ObjectMeta, facts: Facts) -> Live {
    Live {
        resource_version: meta.resource_version.clone().unwrap_or_default(),
        ours: ours(meta),
        facts,
    }
}

/// The fields that the API server counts as ours, as a checksum. Generations will not do: scaling changes a
/// Deployment's, some kinds have none, and the status of an autoscaler changes its resourceVersion all the time.
pub fn ours(meta: &ObjectMeta) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    let fields = fields_of_ours(meta)?.map(Value::to_string);
    fields.hash(&mut hasher);
    Some(hasher.finish())
}

/// Whether it was us who gave an Ingress its class.
pub fn has_class_of_ours(meta: &ObjectMeta) -> bool {
    let fields = fields_of_ours(meta).flatten();
    fields.is_some_and(|fields| !fields["f:spec"]["f:ingressClassName"].is_null())
}

/// As managedFields has them: the outer `None` for what we have never applied.
fn fields_of_ours(meta: &ObjectMeta) -> Option<Option<&Value>> {
    let entry = meta.managed_fields.iter().flatten().find(|entry| {
        entry.manager.as_deref() == Some(MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    })?;
    Some(entry.fields_v1.as_ref().map(|fields| &fields.0))
}

/// The ChatSystem that it belongs to.
pub fn owner(meta: &ObjectMeta) -> Option<&OwnerReference> {
    let owners = meta.owner_references.iter().flatten();
    owners.into_iter().find(|owner| {
        owner.controller == Some(true)
            && owner.kind == ChatSystem::kind(&())
            && owner.api_version == ChatSystem::api_version(&())
    })
}

pub(super) fn deployment(deployment: &Deployment) -> Facts {
    let spec = deployment.spec.as_ref();
    let status = deployment.status.clone().unwrap_or_default();
    let pod = spec.and_then(|spec| spec.template.spec.as_ref());
    let image = pod.and_then(|pod| pod.containers.first()?.image.clone());
    Facts::Deployment(DeploymentFacts {
        wanted: spec.and_then(|spec| spec.replicas).unwrap_or(1),
        replicas: status.replicas.unwrap_or(0),
        updated: status.updated_replicas.unwrap_or(0),
        ready: status.ready_replicas.unwrap_or(0),
        available: status.available_replicas.unwrap_or(0),
        is_observed: status.observed_generation >= deployment.metadata.generation,
        image: image.unwrap_or_default(),
    })
}

pub(super) fn job(job: &Job) -> Facts {
    let status = job.status.as_ref();
    let mut conditions = status
        .and_then(|status| status.conditions.as_ref())
        .into_iter()
        .flatten()
        .filter(|condition| condition.status == "True");
    let ended = conditions.find_map(|condition| {
        let at = condition.last_transition_time.as_ref().map(|time| time.0);
        let message = condition.message.clone().unwrap_or_default();
        match condition.type_.as_str() {
            "Complete" => Some(JobFacts::Complete { at, message }),
            "Failed" => Some(JobFacts::Failed { at, message }),
            _ => None,
        }
    });
    Facts::Job(ended.unwrap_or_default())
}

pub(super) fn cron_job(cron_job: &CronJob) -> Facts {
    let status = cron_job.status.clone().unwrap_or_default();
    let last_success = status.last_successful_time.map(|time| time.0);
    let last_start = status.last_schedule_time.map(|time| time.0);
    let runs = status.active.is_some_and(|jobs| !jobs.is_empty());
    Facts::CronJob(CronJobFacts {
        last_success,
        has_failed: !runs && last_start > last_success,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::batch::v1::CronJobStatus;
    use k8s_openapi::api::core::v1::ObjectReference;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    #[test]
    fn a_cron_job_has_failed_once_its_last_start_is_over_and_was_no_success() {
        let at = |second: i64| Timestamp::from_second(second).ok();
        for (start, active, success, has_failed) in [
            (None, false, None, false),
            (at(60), true, None, false),
            (at(60), false, None, true),
            (at(60), false, at(63), false),
            (at(120), true, at(63), false),
            (at(120), false, at(63), true),
            // Started by hand, which is no start of the clock.
            (at(120), false, at(130), false),
        ] {
            let status = CronJobStatus {
                active: active.then(|| vec![ObjectReference::default()]),
                last_schedule_time: start.map(Time),
                last_successful_time: success.map(Time),
            };
            let facts = cron_job(&CronJob {
                status: Some(status),
                ..CronJob::default()
            });
            let expected = CronJobFacts {
                last_success: success,
                has_failed,
            };
            assert_eq!(facts, Facts::CronJob(expected), "{start:?} {active}");
        }
    }
}
