//! A budget for each Deployment: drained nodes take one pod at a time, and a pod that is not ready never stops them.

use super::meta::{self, Component};
use crate::validate::System;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

pub(super) fn build(system: &System) -> Vec<PodDisruptionBudget> {
    let budget = |component| PodDisruptionBudget {
        metadata: meta::of(system, component),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(meta::pods(system, Some(component))),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            min_available: None,
        }),
        status: None,
    };
    Component::RUNNING.map(budget).into()
}
