//! What all pods of a system have in common.

use super::reserved;
use k8s_openapi::api::core::v1::{
    Affinity, EnvVar, LocalObjectReference, Toleration, TopologySpreadConstraint,
};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the images come from.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub struct Image {
    /// The images are REGISTRY/chat-api:VERSION and REGISTRY/chat-worker:VERSION.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-._/:a-z0-9]*[a-z0-9])?$")
    )]
    pub registry: String,
    /// When images are pulled: IfNotPresent, Always or Never.
    pub pull_policy: PullPolicy,
    /// Secrets with credentials for the registry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub pull_secrets: Vec<LocalObjectReference>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            registry: "ghcr.io/chatsystem".to_owned(),
            pull_policy: PullPolicy::default(),
            pull_secrets: Vec::new(),
        }
    }
}

#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    #[default]
    IfNotPresent,
    Always,
    Never,
}

#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// What every pod of this system has, jobs included.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplate {
    /// Labels besides the operator's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(transform = reserved::keys)]
    pub labels: BTreeMap<String, String>,
    /// Annotations besides the operator's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(transform = reserved::keys)]
    pub annotations: BTreeMap<String, String>,
    /// Labels of the nodes they may run on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes they tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<Toleration>,
    /// Which nodes they prefer or need. Absent or empty: pods of one component that run all the time prefer nodes without another of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// How pods of one component spread. Absent: as the scheduler does by itself, over nodes and zones. A constraint without a selector counts the pods of its own component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,
    /// Their PriorityClass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// Any other setting of the programs (CHAT_..), for all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), transform = reserved::settings)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
}

/// The accounts the pods run under. They get no token and no rights.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceAccount {
    /// Annotations of the ServiceAccounts, such as a cloud's role.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(transform = reserved::keys)]
    pub annotations: BTreeMap<String, String>,
}
