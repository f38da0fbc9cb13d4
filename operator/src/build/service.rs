//! The Service in front of the API.

use super::meta::{self, Component};
use super::pod;
use crate::validate::System;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Where the Service answers.
pub(super) const PORT: i32 = 80;

pub(super) fn build(system: &System) -> Service {
    Service {
        metadata: meta::of(system, Component::Api),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: meta::pods(system, Some(Component::Api)).match_labels,
            ports: Some(vec![ServicePort {
                name: Some(pod::API_PORT_NAME.to_owned()),
                port: PORT,
                target_port: Some(IntOrString::String(pod::API_PORT_NAME.to_owned())),
                protocol: Some("TCP".to_owned()),
                app_protocol: Some("http".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}
