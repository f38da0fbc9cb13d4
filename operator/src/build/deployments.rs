//! The programs that run all the time: the API and a Deployment for each role of workers.

use super::meta::{self, CHECKSUM, Component};
use super::{config_map, pod};
use crate::crd::Role;
use crate::validate::System;
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{
    Affinity, ConfigMap, Container, ContainerPort, EnvVar, HTTPGetAction, Lifecycle,
    LifecycleHandler, PodAffinityTerm, PodAntiAffinity, PodTemplateSpec, Probe, SleepAction,
    TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// While endpoints learn that a pod of the API is going, it goes on answering.
const LEAVING_SECONDS: i64 = 5;

#[derive(Clone, Debug, PartialEq)]
pub struct Deployments {
    pub workers: Vec<(Role, Deployment)>,
    /// Rolled only after the workers: they understand what its new version will say.
    pub api: Deployment,
}

pub(super) fn build(system: &System, config_map: &ConfigMap) -> Deployments {
    let workers = Role::ALL.map(|role| (role, worker(system, config_map, role)));
    Deployments {
        workers: workers.into(),
        api: api(system, config_map),
    }
}

fn api(system: &System, config_map: &ConfigMap) -> Deployment {
    let spec = &system.spec.api;
    let container = Container {
        ports: Some(vec![
            port(pod::API_PORT_NAME, pod::API_PORT),
            port(pod::ADMIN_PORT_NAME, pod::ADMIN_PORT),
        ]),
        resources: spec.resources.clone(),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction {
                    seconds: LEAVING_SECONDS,
                }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        ..probed()
    };
    // Nobody is to notice that it is rolled.
    let none = IntOrString::Int(0);
    deployment(
        system,
        config_map,
        Component::Api,
        container,
        &spec.env,
        none,
    )
}

fn worker(system: &System, config_map: &ConfigMap, role: Role) -> Deployment {
    let spec = system.spec.workers.role(role);
    let container = Container {
        args: Some(["run", "--role", role.name()].map(str::to_owned).into()),
        ports: Some(vec![port(pod::ADMIN_PORT_NAME, pod::ADMIN_PORT)]),
        resources: spec.resources.clone(),
        ..probed()
    };
    let component = Component::Worker(role);
    let quarter = IntOrString::String("25%".to_owned());
    deployment(system, config_map, component, container, &spec.env, quarter)
}

fn deployment(
    system: &System,
    config_map: &ConfigMap,
    component: Component,
    container: Container,
    env: &[EnvVar],
    max_unavailable: IntOrString,
) -> Deployment {
    let mut template = pod::template(system, component, container, env);
    spread(system, component, &mut template);
    stamp(system, config_map, component, &mut template);
    Deployment {
        metadata: meta::of(system, component),
        spec: Some(DeploymentSpec {
            selector: meta::pods(system, Some(component)),
            template,
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::String("25%".to_owned())),
                    max_unavailable: Some(max_unavailable),
                }),
            }),
            revision_history_limit: Some(3),
            progress_deadline_seconds: Some(600),
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

/// Rolls the pods when what they read at their start has changed.
fn stamp(
    system: &System,
    config_map: &ConfigMap,
    component: Component,
    template: &mut PodTemplateSpec,
) {
    let read = (
        config_map::rolling(config_map),
        pod::revisions(system, component),
    );
    let metadata = template.metadata.get_or_insert_default();
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.insert(CHECKSUM.to_owned(), meta::checksum(&read));
}

/// Which nodes its pods prefer, and how they spread where that is asked for. The scheduler spreads over nodes and zones
/// by itself those that ask for nothing, and so weakly that both pods of an API were seen on one of two nodes, which
/// then died. Constraints over both topologies are no remedy: on nodes without a zone they count for neither.
fn spread(system: &System, component: Component, template: &mut PodTemplateSpec) {
    let asked = &system.spec.pod_template.topology_spread_constraints;
    let pods = meta::pods(system, Some(component));
    let of_component = |constraint: &TopologySpreadConstraint| TopologySpreadConstraint {
        label_selector: constraint
            .label_selector
            .clone()
            .or_else(|| Some(pods.clone())),
        ..constraint.clone()
    };
    let constraints: Vec<_> = asked.iter().flatten().map(of_component).collect();
    let pod = template.spec.get_or_insert_default();
    pod.topology_spread_constraints = (!constraints.is_empty()).then_some(constraints);
    let affinity = pod.affinity.take();
    let affinity = affinity.filter(|asked| *asked != Affinity::default());
    pod.affinity = affinity.or_else(|| Some(apart(pods)));
}

/// As far as there are other nodes. Pods of the template before are going and do not count.
fn apart(pods: LabelSelector) -> Affinity {
    let term = PodAffinityTerm {
        label_selector: Some(pods),
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        topology_key: "kubernetes.io/hostname".to_owned(),
        ..PodAffinityTerm::default()
    };
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![
                WeightedPodAffinityTerm {
                    pod_affinity_term: term,
                    weight: 100,
                },
            ]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

fn probed() -> Container {
    Container {
        liveness_probe: Some(Probe {
            period_seconds: Some(10),
            timeout_seconds: Some(5),
            // A minute: whoever waits for a server is alive.
            failure_threshold: Some(6),
            ..asks("/livez")
        }),
        readiness_probe: Some(Probe {
            period_seconds: Some(5),
            timeout_seconds: Some(5),
            failure_threshold: Some(2),
            ..asks("/readyz")
        }),
        ..Container::default()
    }
}

fn asks(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(pod::ADMIN_PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        ..Probe::default()
    }
}

fn port(name: &str, port: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: port,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}
