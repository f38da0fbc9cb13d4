//! The resource `ChatSystem`: what people ask for, its defaults and bounds, and what they are told.
//!
//! The schema in `crds/chatsystem.yaml` is generated from here. What the API server can refuse, it refuses
//! there (bounds, patterns, CEL); what only several fields together or the world can tell is for `validate`.
//! Within `v1alpha1` fields are only added, all of them optional, and no default changes.

#![expect(
    unreachable_pub,
    reason = "the derive of KubeSchema repeats each type inside of a function"
)]

mod api;
mod backends;
mod exposure;
mod pods;
mod reserved;
mod schedule;
mod status;
mod workers;

pub use api::{Api, ApiAutoscaling, Auth, AuthMode, RateLimit};
pub use backends::{
    Elasticsearch, Mysql, Numbering, NumberingMode, Rabbitmq, Redis, SecretKey, Tls, TlsMode,
};
pub use exposure::{
    Exposure, ExposureType, HttpRoute, Ingress, Monitoring, NetworkPolicy, ParentReference,
    PodMonitor,
};
pub use pods::{Image, LogLevel, PodTemplate, PullPolicy, ServiceAccount};
pub use reserved::{RESERVED_PREFIXES, SET_BY};
pub use status::{ApiStatus, ChatSystemStatus, WorkerStatus};
pub use workers::{Audit, QueueScaling, Reconciliation, Role, Worker, Workers};

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// What a chat system should be. Only version and the references to the four servers are required.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "chatsystem.io",
    version = "v1alpha1",
    kind = "ChatSystem",
    namespaced,
    shortname = "chat",
    category = "chat",
    status = "ChatSystemStatus",
    derive = "PartialEq",
    doc = "A multi-tenant chat: an HTTP API and workers on MySQL, Redis, RabbitMQ and Elasticsearch.",
    scale(
        spec_replicas_path = ".spec.api.replicas",
        status_replicas_path = ".status.api.replicas",
        label_selector_path = ".status.api.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status",
        description = "Does everything this system consists of work?"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason",
        description = "Why it does or does not"
    ),
    printcolumn(
        name = "Version",
        type_ = "string",
        json_path = ".status.version",
        description = "The version that all pods run"
    ),
    printcolumn(
        name = "API",
        type_ = "integer",
        json_path = ".status.api.readyReplicas",
        description = "Pods of the API that are ready"
    ),
    printcolumn(
        name = "Workers",
        type_ = "integer",
        json_path = ".status.workerReplicas",
        description = "Pods of all worker roles"
    ),
    printcolumn(
        name = "Backlog",
        type_ = "integer",
        json_path = ".status.backlog",
        description = "Commands that wait in the queues, two significant digits"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    validation = Rule::new("self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name must be a DNS label of at most 40 characters that starts with a letter: child objects are named after it")
)]
#[serde(rename_all = "camelCase")]
pub struct ChatSystemSpec {
    /// Tag of the images chat-api and chat-worker. It never follows the operator's own version: an upgrade is a change here.
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")
    )]
    pub version: String,
    /// Where the images come from.
    #[serde(default)]
    pub image: Image,
    /// While true, nothing is written but the workers' replicas and the status; before the first installation nothing is made.
    #[serde(default)]
    pub paused: bool,
    /// How much the programs log: Error, Warn, Info, Debug or Trace.
    #[serde(default)]
    pub log_level: LogLevel,
    /// What the names of keys in Redis and of the search index start with. Cannot be changed. The database and the virtual host are in the addresses.
    #[serde(default = "data_prefix")]
    #[schemars(length(min = 1, max = 30), regex(pattern = r"^[a-z][a-z0-9-]*$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("dataPrefix is immutable: keys in Redis and the search index carry it"))]
    pub data_prefix: String,
    /// Where numbers are counted.
    #[serde(default)]
    pub numbering: Numbering,
    /// The database: MySQL 8 or later, or MariaDB 10.6 or later.
    pub mysql: Mysql,
    /// Redis 7 or later, or Valkey.
    pub redis: Redis,
    /// RabbitMQ 3.10 or later with its management plugin.
    pub rabbitmq: Rabbitmq,
    /// Elasticsearch 8 or 9.
    pub elasticsearch: Elasticsearch,
    /// The HTTP API.
    #[serde(default)]
    pub api: Api,
    /// Who stores and indexes what the API accepted.
    #[serde(default)]
    pub workers: Workers,
    /// The CronJob that folds counts, purges what was deleted and explains gaps.
    #[serde(default)]
    pub reconciliation: Reconciliation,
    /// The CronJob that recounts everything and compares the search index with the database.
    #[serde(default)]
    pub audit: Audit,
    /// How the API is reached from outside the cluster.
    #[serde(default)]
    pub exposure: Exposure,
    /// Who may talk to whom.
    #[serde(default)]
    pub network_policy: NetworkPolicy,
    /// How metrics are found.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// What every pod of this system has.
    #[serde(default)]
    pub pod_template: PodTemplate,
    /// The accounts the pods run under.
    #[serde(default)]
    pub service_account: ServiceAccount,
}

fn data_prefix() -> String {
    "chat".to_owned()
}
