//! Workers and the jobs that run by the clock.

use super::reserved;
use super::schedule::schedule;
use k8s_openapi::api::core::v1::{EnvVar, ResourceRequirements};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which queues a worker reads.
#[derive(
    JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Chats,
    Messages,
    Indexing,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Chats, Self::Messages, Self::Indexing];

    /// As `chat-worker run --role` and the names of objects say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chats => "chats",
            Self::Messages => "messages",
            Self::Indexing => "indexing",
        }
    }
}

/// The roles of workers.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub struct Workers {
    /// Store chats.
    pub chats: Worker,
    /// Store messages.
    pub messages: Worker,
    /// Write what was stored into the search index.
    pub indexing: Worker,
}

impl Workers {
    pub fn role(&self, role: Role) -> &Worker {
        match role {
            Role::Chats => &self.chats,
            Role::Messages => &self.messages,
            Role::Indexing => &self.indexing,
        }
    }
}

/// One role of workers.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Worker {
    /// How many pods, by what waits in the role's queues.
    #[serde(default)]
    pub autoscaling: QueueScaling,
    /// Processor time and memory of a pod. Absent: requests of 100m and 128Mi, a limit of 512Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Any other setting of chat-worker (CHAT_..), as `chat-worker --help` lists them. Wins over podTemplate.env.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), transform = reserved::settings)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
}

/// How many workers there are for what waits. Equal bounds hold a role at that number.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.minReplicas <= self.maxReplicas")
    .message("minReplicas must not exceed maxReplicas")
    .field_path(".minReplicas"))]
pub struct QueueScaling {
    /// At least so many pods.
    #[serde(default = "min_replicas")]
    #[schemars(range(min = 0, max = 1000))]
    pub min_replicas: i32,
    /// At most so many pods.
    #[serde(default = "max_replicas")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,
    /// Waiting commands for each pod.
    #[serde(default = "backlog_per_replica")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub backlog_per_replica: i32,
    /// So long fewer pods must have been enough before some are taken away.
    #[serde(default = "scale_down_stabilization_seconds")]
    #[schemars(range(min = 0, max = 3600))]
    pub scale_down_stabilization_seconds: i32,
}

impl Default for QueueScaling {
    fn default() -> Self {
        Self {
            min_replicas: min_replicas(),
            max_replicas: max_replicas(),
            backlog_per_replica: backlog_per_replica(),
            scale_down_stabilization_seconds: scale_down_stabilization_seconds(),
        }
    }
}

fn min_replicas() -> i32 {
    1
}

fn max_replicas() -> i32 {
    5
}

fn backlog_per_replica() -> i32 {
    5_000
}

fn scale_down_stabilization_seconds() -> i32 {
    300
}

/// Folds counts, purges what was deleted and explains gaps.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub struct Reconciliation {
    /// When, as a CronJob's schedule, in UTC.
    #[schemars(transform = schedule)]
    pub schedule: String,
    /// While true it does not run.
    pub suspend: bool,
}

impl Default for Reconciliation {
    fn default() -> Self {
        Self {
            schedule: "* * * * *".to_owned(),
            suspend: false,
        }
    }
}

/// Recounts everything and compares the search index with the database.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub struct Audit {
    /// When, as a CronJob's schedule, in UTC.
    #[schemars(transform = schedule)]
    pub schedule: String,
    /// While true it does not run.
    pub suspend: bool,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            schedule: "23 3 * * *".to_owned(),
            suspend: false,
        }
    }
}
