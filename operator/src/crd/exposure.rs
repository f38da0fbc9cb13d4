//! How the system is reached and watched from outside.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the API is reached from outside the cluster.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type == 'None' || has(self.host)")
        .message("host is required unless type is None")
        .field_path(".host"),
    validation = Rule::new("self.type == 'Ingress' || !has(self.ingress)")
        .message("ingress is only allowed with type Ingress")
        .field_path(".ingress"),
    validation = Rule::new("(self.type == 'HTTPRoute') == has(self.httpRoute)")
        .message("httpRoute is required with type HTTPRoute and forbidden otherwise")
        .field_path(".httpRoute")
)]
pub struct Exposure {
    /// None: by its Service alone. Ingress, or HTTPRoute of the Gateway API.
    #[serde(default, rename = "type")]
    pub type_: ExposureType,
    /// The name it is reached by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub host: Option<String>,
    /// Details of the Ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,
    /// Details of the HTTPRoute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_route: Option<HttpRoute>,
}

#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExposureType {
    #[default]
    None,
    Ingress,
    HTTPRoute,
}

/// Details of the Ingress.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub struct Ingress {
    /// The IngressClass. Absent: the cluster's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,
    /// The Secret with certificate and key for the host. Absent: the controller's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub tls_secret_name: Option<String>,
    /// Annotations of the Ingress.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Details of the HTTPRoute.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct HttpRoute {
    /// The Gateways it attaches to.
    #[schemars(length(min = 1, max = 8))]
    pub parent_refs: Vec<ParentReference>,
}

/// A Gateway, or one of its listeners.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ParentReference {
    /// Name of the Gateway.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace. Absent: that of the ChatSystem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// Name of a listener. Absent: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,
}

/// Who may talk to whom. Enforced where the cluster's network enforces NetworkPolicies.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// Whether there are NetworkPolicies: what they do not allow is denied then.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Who may reach the API. Empty: everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub api_from: Vec<NetworkPolicyPeer>,
    /// Who may reach metrics and probes, besides the operator. Empty: every pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub metrics_from: Vec<NetworkPolicyPeer>,
    /// TCP ports that pods may reach at any address, besides DNS: ports of the servers' pods or hosts, not of Services in front of them.
    #[serde(default = "egress_ports")]
    #[schemars(length(max = 32), inner(range(min = 1, max = 65535)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub egress_ports: Vec<i32>,
}

impl Default for NetworkPolicy {
    fn default() -> Self {
        Self {
            enabled: enabled(),
            api_from: Vec::new(),
            metrics_from: Vec::new(),
            egress_ports: egress_ports(),
        }
    }
}

fn enabled() -> bool {
    true
}

/// The servers' own, and RabbitMQ's management API.
fn egress_ports() -> Vec<i32> {
    vec![443, 3306, 5671, 5672, 6379, 9200, 15671, 15672]
}

/// How metrics are found.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub struct Monitoring {
    /// A PodMonitor for the Prometheus Operator.
    pub pod_monitor: PodMonitor,
}

/// A PodMonitor, where the cluster knows that kind.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub struct PodMonitor {
    /// Whether there is one.
    pub enabled: bool,
    /// Labels of the PodMonitor, by which a Prometheus chooses it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}
