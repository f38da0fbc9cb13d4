//! The kinds of children: a closed list. What is not on it is neither watched nor pruned.

use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    ServiceAccount,
    ConfigMap,
    NetworkPolicy,
    Service,
    PodDisruptionBudget,
    Job,
    Deployment,
    HorizontalPodAutoscaler,
    CronJob,
    Ingress,
    /// Of the Gateway API.
    HTTPRoute,
    /// Of the Prometheus Operator.
    PodMonitor,
}

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::NetworkPolicy,
        Self::Service,
        Self::PodDisruptionBudget,
        Self::Job,
        Self::Deployment,
        Self::HorizontalPodAutoscaler,
        Self::CronJob,
        Self::Ingress,
        Self::HTTPRoute,
        Self::PodMonitor,
    ];
    /// Those that not every cluster knows. They are asked for and not watched: a watch of a kind that is not there
    /// fails for ever.
    pub const OPTIONAL: [Self; 2] = [Self::HTTPRoute, Self::PodMonitor];

    /// As `kind` in a document says it.
    pub fn name(self) -> &'static str {
        self.parts().2
    }

    /// As `apiVersion` says it.
    pub fn api_version(self) -> String {
        match self.parts() {
            ("", version, ..) => version.to_owned(),
            (group, version, ..) => format!("{group}/{version}"),
        }
    }

    pub fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = self.parts();
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }

    /// Of an object as it is applied.
    pub fn of(document: &Value) -> Option<Self> {
        let kind = document["kind"].as_str()?;
        Self::ALL.into_iter().find(|known| known.name() == kind)
    }

    fn parts(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::ServiceAccount => ("", "v1", "ServiceAccount", "serviceaccounts"),
            Self::ConfigMap => ("", "v1", "ConfigMap", "configmaps"),
            Self::Service => ("", "v1", "Service", "services"),
            Self::NetworkPolicy => (
                "networking.k8s.io",
                "v1",
                "NetworkPolicy",
                "networkpolicies",
            ),
            Self::Ingress => ("networking.k8s.io", "v1", "Ingress", "ingresses"),
            Self::PodDisruptionBudget => (
                "policy",
                "v1",
                "PodDisruptionBudget",
                "poddisruptionbudgets",
            ),
            Self::Job => ("batch", "v1", "Job", "jobs"),
            Self::CronJob => ("batch", "v1", "CronJob", "cronjobs"),
            Self::Deployment => ("apps", "v1", "Deployment", "deployments"),
            Self::HorizontalPodAutoscaler => (
                "autoscaling",
                "v2",
                "HorizontalPodAutoscaler",
                "horizontalpodautoscalers",
            ),
            Self::HTTPRoute => ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
            Self::PodMonitor => ("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors"),
        }
    }
}
