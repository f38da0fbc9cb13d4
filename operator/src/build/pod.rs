//! What all pods have in common: Pod Security `restricted`, a read-only root, no token, and the Secrets they need
//! as files.

mod files;

use super::meta::{self, Component};
use super::{config_map, service_accounts};
use crate::crd::PullPolicy;
use crate::validate::System;
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapEnvSource, Container, EnvFromSource, EnvVar, PodSecurityContext,
    PodSpec, PodTemplateSpec, ResourceRequirements, SeccompProfile, SecurityContext,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

pub(super) use files::revisions;

/// Where the API answers, and the name of that port.
pub(super) const API_PORT: i32 = 8080;
pub(super) const API_PORT_NAME: &str = "http";
/// Where probes and metrics answer, and the name of that port.
pub const ADMIN_PORT: i32 = 8081;
pub(super) const ADMIN_PORT_NAME: &str = "admin";

/// Of the images' user, who owns nothing in them.
const USER: i64 = 65_532;
/// Workers finish what was delivered to them, which takes them less than 50 s.
const GRACE_SECONDS: i64 = 60;

/// A container of one component, without what all of them have: arguments, ports, probes and the like.
pub(super) fn template(
    system: &System,
    component: Component,
    own: Container,
    more_env: &[EnvVar],
) -> PodTemplateSpec {
    let template = &system.spec.pod_template;
    let mut labels = template.labels.clone();
    labels.extend(meta::labels(system, Some(component)));
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: Some(template.annotations.clone()).filter(|map| !map.is_empty()),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            containers: vec![container(system, component, own, more_env)],
            volumes: Some(vec![files::volume(system, component)]),
            service_account_name: Some(service_accounts::name(system, component)),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(pod_security()),
            termination_grace_period_seconds: Some(GRACE_SECONDS),
            image_pull_secrets: some(system.spec.image.pull_secrets.clone()),
            node_selector: Some(template.node_selector.clone()).filter(|map| !map.is_empty()),
            tolerations: some(template.tolerations.clone()),
            affinity: template.affinity.clone(),
            priority_class_name: template.priority_class_name.clone(),
            ..PodSpec::default()
        }),
    }
}

fn container(
    system: &System,
    component: Component,
    own: Container,
    more_env: &[EnvVar],
) -> Container {
    let program = match component {
        Component::Api => "chat-api",
        _ => "chat-worker",
    };
    let image = &system.spec.image;
    let pull_policy = match image.pull_policy {
        PullPolicy::IfNotPresent => "IfNotPresent",
        PullPolicy::Always => "Always",
        PullPolicy::Never => "Never",
    };
    let mut env = files::environment(system, component);
    env.extend(added(&system.spec.pod_template.env, more_env));
    Container {
        name: component.name(),
        image: Some(format!(
            "{}/{program}:{}",
            image.registry, system.spec.version
        )),
        image_pull_policy: Some(pull_policy.to_owned()),
        env_from: Some(vec![EnvFromSource {
            config_map_ref: Some(ConfigMapEnvSource {
                name: config_map::name(system),
                optional: None,
            }),
            ..EnvFromSource::default()
        }]),
        env: Some(env),
        volume_mounts: Some(vec![files::mount()]),
        resources: Some(own.resources.clone().unwrap_or_else(default_resources)),
        security_context: Some(container_security()),
        // What a program said last is what the status can quote.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..own
    }
}

/// Those of the component win over those of all pods.
fn added(of_all: &[EnvVar], own: &[EnvVar]) -> Vec<EnvVar> {
    let replaced = |env: &&EnvVar| own.iter().any(|own| own.name == env.name);
    let kept = of_all.iter().filter(|env| !replaced(env));
    kept.chain(own).cloned().collect()
}

fn default_resources() -> ResourceRequirements {
    let quantities = |list: &[(&str, &str)]| {
        let quantity =
            |&(name, value): &(&str, &str)| (name.to_owned(), Quantity(value.to_owned()));
        Some(list.iter().map(quantity).collect::<BTreeMap<_, _>>())
    };
    ResourceRequirements {
        requests: quantities(&[("cpu", "100m"), ("memory", "128Mi")]),
        limits: quantities(&[("memory", "512Mi")]),
        claims: None,
    }
}

fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        // So that mounted Secrets are readable for this group alone.
        fs_group: Some(USER),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            add: None,
            drop: Some(vec!["ALL".to_owned()]),
        }),
        ..SecurityContext::default()
    }
}

/// Absent rather than empty, as the API server keeps it.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
