//! The HTTP API: how many pods, who comes in, how often.

use super::{SecretKey, reserved};
use k8s_openapi::api::core::v1::{EnvVar, ResourceRequirements};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The HTTP API.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.autoscaling) || !has(oldSelf.autoscaling) || self.replicas == oldSelf.replicas")
        .message("replicas has no effect while autoscaling is set; change autoscaling.minReplicas or remove autoscaling")
        .field_path(".replicas"),
    validation = Rule::new("!has(self.autoscaling) || !has(self.resources) || (has(self.resources.requests) && 'cpu' in self.resources.requests) || (has(self.resources.limits) && 'cpu' in self.resources.limits)")
        .message("resources needs requests.cpu while autoscaling is set: its target is a part of that")
        .field_path(".resources")
)]
pub struct Api {
    /// How many pods; `kubectl scale chatsystem` changes it. No effect while autoscaling is set.
    #[serde(default = "replicas")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,
    /// A HorizontalPodAutoscaler by processor time. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<ApiAutoscaling>,
    /// Who comes in.
    #[serde(default)]
    pub auth: Auth,
    /// Requests a second for each application and for each client address.
    #[serde(default)]
    pub rate_limit: RateLimit,
    /// How many proxies in front of the API add the address they see to X-Forwarded-For. 0: the header is ignored.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10))]
    pub trusted_proxies: i32,
    /// Processor time and memory of a pod. Absent: requests of 100m and 128Mi, a limit of 512Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Any other setting of chat-api (CHAT_..), as `chat-api --help` lists them. Wins over podTemplate.env.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), transform = reserved::settings)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            replicas: replicas(),
            autoscaling: None,
            auth: Auth::default(),
            rate_limit: RateLimit::default(),
            trusted_proxies: 0,
            resources: None,
            env: Vec::new(),
        }
    }
}

/// Bounds of the HorizontalPodAutoscaler.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.minReplicas <= self.maxReplicas")
    .message("minReplicas must not exceed maxReplicas")
    .field_path(".minReplicas"))]
pub struct ApiAutoscaling {
    /// At least so many pods.
    #[serde(default = "replicas")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: i32,
    /// At most so many pods.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,
    /// Processor time the pods should use on average, in percent of what they request.
    #[serde(
        default = "target_percentage",
        rename = "targetCPUUtilizationPercentage"
    )]
    #[schemars(range(min = 1, max = 100))]
    pub target_cpu_utilization_percentage: i32,
}

/// One more than whoever is drained or killed.
fn replicas() -> i32 {
    2
}

fn target_percentage() -> i32 {
    70
}

/// Who comes in.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub struct Auth {
    /// Keys: every request carries an application's key or the admin key.
    pub mode: AuthMode,
    /// The key that may create, list and delete applications: 16 to 255 printable ASCII characters. Absent: nobody may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_key_secret_ref: Option<SecretKey>,
}

#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMode {
    #[default]
    Keys,
}

/// Requests a second for each application and for each client address; twice as many may come at once.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub struct RateLimit {
    /// Whether there are limits.
    pub enabled: bool,
    /// All requests.
    #[schemars(range(min = 1, max = 100_000))]
    pub requests_per_second: i32,
    /// Requests that create something.
    #[schemars(range(min = 1, max = 100_000))]
    pub creates_per_second: i32,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            enabled: true,
            requests_per_second: 100,
            creates_per_second: 50,
        }
    }
}
