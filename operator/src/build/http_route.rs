//! The HTTPRoute of the Gateway API that leads from outside to the API, where that is asked for.

use super::meta::{self, Component};
use super::service;
use crate::crd::ExposureType;
use crate::validate::System;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::json;

/// The kind, which not every cluster knows.
fn resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(
        "gateway.networking.k8s.io",
        "v1",
        "HTTPRoute",
    ))
}

pub(super) fn build(system: &System) -> Option<DynamicObject> {
    let exposure = &system.spec.exposure;
    let (ExposureType::HTTPRoute, Some(route)) = (exposure.type_, &exposure.http_route) else {
        return None;
    };
    let backend = json!({ "name": Component::Api.object(&system.name), "port": service::PORT });
    let mut object = DynamicObject::new("", &resource()).data(json!({
        "spec": {
            "parentRefs": route.parent_refs,
            "hostnames": exposure.host.as_slice(),
            "rules": [{ "backendRefs": [backend] }],
        },
    }));
    object.metadata = meta::of(system, Component::Api);
    Some(object)
}
