//! What would run the pods: it says of every Deployment that its pods are there, and of every Job that it ended.

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobStatus, UncountedTerminatedPods};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

/// Dropping it ends it.
pub(crate) struct Kubelet {
    _tasks: JoinSet<()>,
    switches: Arc<Switches>,
}

#[derive(Default)]
struct Switches {
    fail_jobs: AtomicBool,
    hold_pods: AtomicBool,
}

impl Kubelet {
    pub(crate) fn start(client: &Client, namespace: &str) -> Self {
        let switches = Arc::new(Switches::default());
        let mut tasks = JoinSet::new();
        let of_pods = switches.clone();
        tasks.spawn(run::<Deployment, _>(client, namespace, move |deployment| {
            let hold = of_pods.hold_pods.load(Ordering::Relaxed);
            (!hold).then(|| deployment_status(deployment)).flatten()
        }));
        let of_jobs = switches.clone();
        tasks.spawn(run::<Job, _>(client, namespace, move |job| {
            job_status(job, of_jobs.fail_jobs.load(Ordering::Relaxed))
        }));
        Self {
            _tasks: tasks,
            switches,
        }
    }

    /// Whether nothing happens to Deployments from now on.
    pub(crate) fn hold_pods(&self, hold: bool) {
        self.switches.hold_pods.store(hold, Ordering::Relaxed);
    }

    /// Whether Jobs fail from now on.
    pub(crate) fn fail_jobs(&self, fail: bool) {
        self.switches.fail_jobs.store(fail, Ordering::Relaxed);
    }
}

/// Writes the status that `status` makes of each object, if it makes one.
fn run<K, S>(
    client: &Client,
    namespace: &str,
    status: impl Fn(&K) -> Option<S> + Send + Sync + 'static,
) -> BoxFuture<'static, ()>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
    S: Serialize + Send,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let mut seen = watcher(api.clone(), watcher::Config::default())
        .default_backoff()
        .applied_objects()
        .boxed();
    async move {
        loop {
            let Ok(Some(object)) = seen.try_next().await else {
                continue;
            };
            if let Some(status) = status(&object) {
                let patch = Patch::Merge(json!({ "status": status }));
                // It may be gone, or be told of again.
                let _ = api
                    .patch_status(&object.name_any(), &PatchParams::default(), &patch)
                    .await;
            }
        }
    }
    .boxed()
}

fn deployment_status(deployment: &Deployment) -> Option<DeploymentStatus> {
    let before = deployment.status.clone().unwrap_or_default();
    let replicas = deployment.spec.as_ref()?.replicas;
    let status = DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas,
        updated_replicas: replicas,
        ready_replicas: replicas,
        available_replicas: replicas,
        ..before.clone()
    };
    // The API server leaves out a 0.
    let counts = |status: &DeploymentStatus| {
        let counts = [
            status.replicas,
            status.updated_replicas,
            status.ready_replicas,
            status.available_replicas,
        ];
        (
            status.observed_generation,
            counts.map(|count| count.unwrap_or(0)),
        )
    };
    (counts(&status) != counts(&before)).then_some(status)
}

fn job_status(job: &Job, fails: bool) -> Option<JobStatus> {
    let conditions = job
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    if conditions.is_some_and(|conditions| !conditions.is_empty()) {
        return None;
    }
    let now = Time(Timestamp::now());
    let condition = |type_: &str, reason: &str| JobCondition {
        type_: type_.to_owned(),
        status: "True".to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(format!("told by a test: {reason}")),
        last_transition_time: Some(now.clone()),
        last_probe_time: Some(now.clone()),
    };
    let conditions = match fails {
        true => vec![
            condition("FailureTarget", "BackoffLimitExceeded"),
            condition("Failed", "BackoffLimitExceeded"),
        ],
        false => vec![
            condition("SuccessCriteriaMet", "CompletionsReached"),
            condition("Complete", "CompletionsReached"),
        ],
    };
    Some(JobStatus {
        start_time: Some(now.clone()),
        completion_time: (!fails).then(|| now.clone()),
        succeeded: (!fails).then_some(1),
        failed: fails.then_some(1),
        ready: Some(0),
        terminating: Some(0),
        uncounted_terminated_pods: Some(UncountedTerminatedPods::default()),
        conditions: Some(conditions),
        ..JobStatus::default()
    })
}
