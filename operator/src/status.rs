//! What the operator says about a system, computed from what it knows, and writing it: once, and only when `is_news`
//! says so.
//!
//! Whatever happens, `observedGeneration` says which specification it happened to, and everything that is not known
//! at the moment stays as it was said before.

mod conditions;
mod events;
mod news;
mod write;

pub use events::{Told, events};
pub use news::{is_news, two_digits, with_backlog_of};
pub use write::{Teller, Written};

use crate::crd::{ApiStatus, ChatSystem, ChatSystemStatus, ExposureType, Role, WorkerStatus};
use crate::kinds::Kind;
use crate::observe::live::DeploymentFacts;
use crate::scaling::{AckRate, Decision, Low, Memory, Workload};
use crate::validate::Invalid;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeSet;

/// What is known about a system, after it was applied or could not be.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Why nothing of the specification was applied.
    pub refused: Option<Invalid>,
    /// Why not all of it could be applied.
    pub failed: Option<Trouble>,
    /// Kinds that were asked for and that the cluster does not know.
    pub unknown: BTreeSet<Kind>,
    pub migration: Migration,
    /// Some Deployment has not got the newest template yet, or only now.
    pub is_under_way: bool,
    /// Of the API; absent before there is a Deployment.
    pub api: Option<Rollout>,
    /// `kubectl get pods -l` chooses the API's pods by it.
    pub api_selector: String,
    pub workers: Vec<Workers>,
    /// Whether the servers answer, as the pods see it. `None`: no pod could be asked.
    pub backends: Option<Result<(), Trouble>>,
    /// Whether the broker tells how much waits. `None`: it was not asked yet.
    pub queue_metrics: Option<Result<(), Trouble>>,
    /// Commands nobody could carry out. `None`: unknown.
    pub dead_letters: Option<u64>,
}

/// A reason for machines, and a sentence for people that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// CamelCase.
    pub reason: String,
    pub message: String,
}

/// Where the Job of this specification is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Migration {
    /// Not made yet, for example because the specification was refused.
    None,
    Running,
    /// With what it said last.
    Complete(String),
    Failed(Trouble),
}

/// How far a Deployment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    pub wanted: i32,
    pub replicas: i32,
    pub ready: i32,
    /// Every pod is as the newest template says, and none is on its way.
    pub complete: bool,
    /// The version that all pods run, if they run one.
    pub version: Option<String>,
}

/// The workers of one role.
#[derive(Clone, Debug, PartialEq)]
pub struct Workers {
    pub role: Role,
    pub rollout: Rollout,
    pub decision: Decision,
    /// Of the last valid sample, unless it is too old.
    pub backlog: Option<u64>,
}

/// The status, with the times of conditions that did not change kept.
pub fn compute(resource: &ChatSystem, known: &Known, now: Timestamp) -> ChatSystemStatus {
    let before = resource.status.clone().unwrap_or_default();
    let workers: Vec<_> = known.workers.iter().map(worker).collect();
    let backlogs = known.workers.iter().map(|workers| workers.backlog);
    let backlog: Option<u64> = backlogs.sum();
    let api = known.api.as_ref().map(|rollout| ApiStatus {
        replicas: rollout.replicas,
        ready_replicas: rollout.ready,
        selector: known.api_selector.clone(),
    });
    ChatSystemStatus {
        observed_generation: resource.metadata.generation,
        version: version(known).or(before.version),
        url: url(resource),
        backlog: backlog.filter(|_| !workers.is_empty()).map(two_digits),
        worker_replicas: (!workers.is_empty())
            .then(|| workers.iter().map(|workers| workers.replicas).sum()),
        api: api.or(before.api),
        workers: match workers.is_empty() {
            true => before.workers,
            false => workers,
        },
        conditions: conditions::compute(resource, known, &before.conditions, now),
    }
}

fn worker(workers: &Workers) -> WorkerStatus {
    let Workers {
        role,
        rollout,
        decision,
        backlog,
    } = workers;
    let Memory {
        last_scale,
        low,
        ack_rate,
    } = decision.memory;
    WorkerStatus {
        role: *role,
        replicas: rollout.replicas,
        ready_replicas: rollout.ready,
        desired_replicas: decision.replicas,
        backlog: backlog.map(two_digits),
        reason: decision.reason.name().to_owned(),
        last_scale_time: last_scale.map(Time),
        low_since: low.map(|low| Time(low.since)),
        low_peak: low.map(|low| low.peak),
        ack_rate_per_replica: ack_rate.map(|rate| rate.per_replica),
        ack_rate_time: ack_rate.map(|rate| Time(rate.seen)),
    }
}

/// What a status remembers of a role; nothing where half of a pair is missing.
pub fn memory(status: &ChatSystemStatus, role: Role) -> Memory {
    let Some(workers) = status.workers.iter().find(|workers| workers.role == role) else {
        return Memory::default();
    };
    let low = workers.low_since.as_ref().zip(workers.low_peak);
    let rate = workers
        .ack_rate_time
        .as_ref()
        .zip(workers.ack_rate_per_replica);
    Memory {
        last_scale: workers.last_scale_time.as_ref().map(|time| time.0),
        low: low.map(|(since, peak)| Low {
            since: since.0,
            peak,
        }),
        ack_rate: rate.map(|(seen, per_replica)| AckRate {
            per_replica,
            seen: seen.0,
        }),
    }
}

impl From<&DeploymentFacts> for Rollout {
    fn from(facts: &DeploymentFacts) -> Self {
        let complete = facts.is_observed
            && facts.updated == facts.wanted
            && facts.replicas == facts.updated
            && facts.available == facts.updated;
        let tag = facts.image.rsplit_once(':').map(|(_, tag)| tag.to_owned());
        Self {
            wanted: facts.wanted,
            replicas: facts.replicas,
            ready: facts.ready,
            complete,
            version: tag.filter(|_| complete),
        }
    }
}

impl Rollout {
    pub fn workload(&self) -> Workload {
        Workload {
            replicas: self.wanted,
            ready: self.ready,
        }
    }

    /// Somebody does the work, or nobody has to.
    fn works(&self) -> bool {
        self.ready > 0 || self.wanted == 0
    }
}

/// What everything that runs agrees on.
fn version(known: &Known) -> Option<String> {
    if known.is_under_way {
        return None;
    }
    let workers = known.workers.iter().map(|workers| &workers.rollout);
    let mut versions = known
        .api
        .iter()
        .chain(workers)
        .map(|rollout| rollout.version.as_ref());
    let first = versions.next()??;
    versions
        .all(|version| version == Some(first))
        .then(|| first.clone())
}

fn url(resource: &ChatSystem) -> Option<String> {
    let exposure = &resource.spec.exposure;
    let host = exposure.host.as_ref()?;
    let ingress = exposure.ingress.as_ref();
    let has_certificate = ingress.is_some_and(|ingress| ingress.tls_secret_name.is_some());
    match exposure.type_ {
        ExposureType::None => None,
        ExposureType::Ingress if has_certificate => Some(format!("https://{host}")),
        ExposureType::Ingress | ExposureType::HTTPRoute => Some(format!("http://{host}")),
    }
}

#[cfg(test)]
mod tests;
