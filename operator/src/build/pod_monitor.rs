//! The PodMonitor by which the Prometheus Operator finds the pods' metrics, where one is asked for.

use super::meta;
use super::pod;
use crate::validate::System;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

/// The kind, which not every cluster knows.
fn resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(
        "monitoring.coreos.com",
        "v1",
        "PodMonitor",
    ))
}

pub(super) fn build(system: &System) -> Option<DynamicObject> {
    let monitor = &system.spec.monitoring.pod_monitor;
    if !monitor.enabled {
        return None;
    }
    let mut object = DynamicObject::new("", &resource()).data(json!({
        "spec": {
            "selector": meta::pods(system, None),
            "podMetricsEndpoints": [{
                "port": pod::ADMIN_PORT_NAME,
                "path": "/metrics",
                "relabelings": [
                    relabel("app_kubernetes_io_instance", "chatsystem"),
                    relabel("app_kubernetes_io_component", "component"),
                ],
            }],
        },
    }));
    object.metadata = meta::common(system, system.name.clone());
    let labels = object.metadata.labels.get_or_insert_default();
    for (label, value) in &monitor.labels {
        labels.entry(label.clone()).or_insert_with(|| value.clone());
    }
    Some(object)
}

/// What rules and dashboards know a pod's system and component by.
fn relabel(label: &str, target: &str) -> Value {
    json!({
        "sourceLabels": [format!("__meta_kubernetes_pod_label_{label}")],
        "targetLabel": target,
    })
}
