//! What the operator says about a system, and what it has to remember to scale it.

use super::Role;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the system is.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ChatSystemStatus {
    /// The generation of the specification that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The version that all pods run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where the API is reached from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Commands that wait in the queues of all roles, two significant digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<i64>,
    /// Pods of all worker roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_replicas: Option<i32>,
    /// The pods of the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiStatus>,
    /// The workers of each role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["role".into()]))]
    pub workers: Vec<WorkerStatus>,
    /// Ready, Progressing, MigrationsApplied, BackendsReady, QueueMetricsAvailable, DeadLetters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The pods of the API.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ApiStatus {
    /// Pods there are.
    pub replicas: i32,
    /// Pods that are ready.
    pub ready_replicas: i32,
    /// Labels that choose them, as `kubectl get pods -l` takes them.
    pub selector: String,
}

/// The workers of one role.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct WorkerStatus {
    /// chats, messages or indexing.
    pub role: Role,
    /// Pods there are.
    pub replicas: i32,
    /// Pods that are ready.
    pub ready_replicas: i32,
    /// Pods there should be.
    pub desired_replicas: i32,
    /// Commands that wait in the role's queues, two significant digits. Absent: nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<i64>,
    /// Why there should be so many.
    pub reason: String,
    /// When their number last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scale_time: Option<Time>,
    /// Since when fewer would be enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_since: Option<Time>,
    /// The most that were needed since lowSince.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_peak: Option<i32>,
    /// Commands a second that one ready pod has been seen to finish under load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack_rate_per_replica: Option<i32>,
    /// When that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack_rate_time: Option<Time>,
}
