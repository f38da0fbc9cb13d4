//! The Ingress that leads from outside to the API, where that is asked for.

use super::meta::{self, Component};
use super::pod;
use crate::crd::ExposureType;
use crate::validate::System;
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule,
    IngressServiceBackend, IngressSpec, IngressTLS, ServiceBackendPort,
};

pub(super) fn build(system: &System) -> Option<Ingress> {
    let exposure = &system.spec.exposure;
    if exposure.type_ != ExposureType::Ingress {
        return None;
    }
    let details = exposure.ingress.clone().unwrap_or_default();
    let mut metadata = meta::of(system, Component::Api);
    metadata.annotations = Some(details.annotations).filter(|map| !map.is_empty());
    let tls = details.tls_secret_name.map(|secret| {
        vec![IngressTLS {
            hosts: exposure.host.clone().map(|host| vec![host]),
            secret_name: Some(secret),
        }]
    });
    let backend = IngressBackend {
        service: Some(IngressServiceBackend {
            name: Component::Api.object(&system.name),
            port: Some(ServiceBackendPort {
                name: Some(pod::API_PORT_NAME.to_owned()),
                number: None,
            }),
        }),
        resource: None,
    };
    Some(Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: details.class_name,
            tls,
            rules: Some(vec![IngressRule {
                host: exposure.host.clone(),
                http: Some(HTTPIngressRuleValue {
                    paths: vec![HTTPIngressPath {
                        path: Some("/".to_owned()),
                        path_type: "Prefix".to_owned(),
                        backend,
                    }],
                }),
            }]),
            default_backend: None,
        }),
        status: None,
    })
}
