//! Names, labels and owners of children.

use crate::crd::{ChatSystem, Role};
use crate::validate::System;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::Resource;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The label that says who looks after an object, and its value.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub const MANAGER: &str = "chat-operator";
/// The annotation that changes with settings and Secrets, and so rolls pods.
pub const CHECKSUM: &str = "chatsystem.io/checksum";

const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";
const COMPONENT: &str = "app.kubernetes.io/component";

/// Which part of a system pods belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    Api,
    Worker(Role),
    Migrate,
    Reconcile,
    Audit,
}

impl Component {
    /// Those with a Deployment.
    pub const RUNNING: [Self; 4] = [
        Self::Api,
        Self::Worker(Role::Chats),
        Self::Worker(Role::Messages),
        Self::Worker(Role::Indexing),
    ];

    /// The value of its label, and what its objects' names end with.
    pub fn name(self) -> String {
        match self {
            Self::Api => "api".to_owned(),
            Self::Worker(role) => format!("worker-{}", role.name()),
            Self::Migrate => "migrate".to_owned(),
            Self::Reconcile => "reconcile".to_owned(),
            Self::Audit => "audit".to_owned(),
        }
    }

    /// Of an object of this component of a system.
    pub fn object(self, system: &str) -> String {
        format!("{system}-{}", self.name())
    }
}

/// Of a child that belongs to the whole system.
pub(super) fn common(system: &System, name: String) -> ObjectMeta {
    meta(system, name, labels(system, None))
}

/// Of a child that belongs to one component.
pub(super) fn of(system: &System, component: Component) -> ObjectMeta {
    named(system, component, component.object(&system.name))
}

/// The same under another name.
pub(super) fn named(system: &System, component: Component, name: String) -> ObjectMeta {
    meta(system, name, labels(system, Some(component)))
}

fn meta(system: &System, name: String, labels: BTreeMap<String, String>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(system.namespace.clone()),
        labels: Some(labels),
        owner_references: owner(system).map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

fn owner(system: &System) -> Option<OwnerReference> {
    Some(OwnerReference {
        api_version: ChatSystem::api_version(&()).into_owned(),
        kind: ChatSystem::kind(&()).into_owned(),
        name: system.name.clone(),
        uid: system.uid.clone()?,
        controller: Some(true),
        block_owner_deletion: Some(true),
    })
}

/// Of objects; pods have those of the resource's `podTemplate` besides.
pub(super) fn labels(system: &System, component: Option<Component>) -> BTreeMap<String, String> {
    let mut labels = chosen_by(&system.name, component);
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    labels
}

fn chosen_by(system: &str, component: Option<Component>) -> BTreeMap<String, String> {
    let component = component.map(|component| (COMPONENT, component.name()));
    [
        (NAME, "chatsystem".to_owned()),
        (INSTANCE, system.to_owned()),
    ]
    .into_iter()
    .chain(component)
    .map(|(label, value)| (label.to_owned(), value))
    .collect()
}

/// Chooses the pods of one component, or all of the system. Never changes: a Deployment's cannot.
pub(super) fn pods(system: &System, component: Option<Component>) -> LabelSelector {
    LabelSelector {
        match_labels: Some(chosen_by(&system.name, component)),
        match_expressions: None,
    }
}

/// The same, as `kubectl get pods -l` takes it, of a system of this name.
pub fn selector(system: &str, component: Component) -> String {
    let labels = chosen_by(system, Some(component));
    let parts: Vec<_> = labels
        .into_iter()
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    parts.join(",")
}

/// Chooses what the operator made, of all systems, in the same form.
pub fn ours() -> String {
    format!("{MANAGED_BY}={MANAGER}")
}

/// The same, of a system of this name.
pub fn ours_of(system: &str) -> String {
    format!("{},{INSTANCE}={system}", ours())
}

/// Eight hexadecimal digits that change with the value.
pub(super) fn checksum(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).expect("what is hashed has a JSON form");
    let digest = Sha256::digest(&text);
    digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
