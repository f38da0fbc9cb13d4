//! Who may talk to whom. The first policy denies every pod of the system what it does not allow, the second lets
//! clients reach the API.

use super::meta::{self, Component};
use super::pod;
use crate::validate::System;
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The label that every namespace carries with its name.
const NAMESPACE: &str = "kubernetes.io/metadata.name";
const DNS: i32 = 53;

pub(super) fn build(system: &System) -> Vec<NetworkPolicy> {
    match system.spec.network_policy.enabled {
        true => vec![all_pods(system), api(system)],
        false => Vec::new(),
    }
}

fn all_pods(system: &System) -> NetworkPolicy {
    let spec = &system.spec.network_policy;
    let watchers = match &spec.metrics_from[..] {
        [] => vec![everybody()],
        some => [some, &[namespace(&system.operator_namespace)]].concat(),
    };
    NetworkPolicy {
        metadata: meta::common(system, format!("{}-pods", system.name)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(meta::pods(system, None)),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                from: Some(watchers),
                ports: Some(vec![tcp(IntOrString::String(
                    pod::ADMIN_PORT_NAME.to_owned(),
                ))]),
            }]),
            egress: Some(vec![NetworkPolicyEgressRule {
                // Anywhere: servers may be outside the cluster, and TLS and passwords guard them.
                to: None,
                ports: Some(egress(&spec.egress_ports)),
            }]),
        }),
    }
}

fn api(system: &System) -> NetworkPolicy {
    let from = &system.spec.network_policy.api_from;
    NetworkPolicy {
        metadata: meta::of(system, Component::Api),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(meta::pods(system, Some(Component::Api))),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                from: (!from.is_empty()).then(|| from.clone()),
                ports: Some(vec![tcp(IntOrString::String(
                    pod::API_PORT_NAME.to_owned(),
                ))]),
            }]),
            egress: None,
        }),
    }
}

fn egress(ports: &[i32]) -> Vec<NetworkPolicyPort> {
    let dns = NetworkPolicyPort {
        protocol: Some("UDP".to_owned()),
        ..tcp(IntOrString::Int(DNS))
    };
    let tcp_ports = [DNS].into_iter().chain(ports.iter().copied());
    [dns]
        .into_iter()
        .chain(tcp_ports.map(|port| tcp(IntOrString::Int(port))))
        .collect()
}

fn tcp(port: IntOrString) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(port),
        protocol: Some("TCP".to_owned()),
        end_port: None,
    }
}

/// Every pod of every namespace.
fn everybody() -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector::default()),
        ..NetworkPolicyPeer::default()
    }
}

fn namespace(name: &str) -> NetworkPolicyPeer {
    let labels = [(NAMESPACE.to_owned(), name.to_owned())];
    NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector {
            match_labels: Some(labels.into()),
            match_expressions: None,
        }),
        ..NetworkPolicyPeer::default()
    }
}
