//! From a resource and what was seen of the world to a `System` that can be built, or to what is wrong and where.
//!
//! The API server has refused what its schema forbids; here is what it cannot see: fields that contradict each
//! other over a distance, and Secrets. Bounds that a panic would hang on are looked at again, for resources that
//! come out of a file.

mod environment;
mod secrets;

pub use secrets::{SecretFacts, Secrets, secret_names};

use crate::crd::{ChatSystem, ChatSystemSpec, ExposureType, RESERVED_PREFIXES, Role, SecretKey};
use kube::ResourceExt;
use std::collections::BTreeMap;

/// What was seen of the world around a resource, as far as building depends on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    pub secrets: Secrets,
    /// Where the operator runs: from there probes and metrics are reached.
    pub operator_namespace: String,
}

/// A specification that can be built. Nothing in it is checked again.
#[derive(Clone, Debug, PartialEq)]
pub struct System {
    pub name: String,
    pub namespace: String,
    /// Absent for a resource that is in no cluster yet: its children have no owner.
    pub uid: Option<String>,
    pub spec: ChatSystemSpec,
    /// The resourceVersion of each Secret it refers to.
    pub revisions: BTreeMap<String, String>,
    pub operator_namespace: String,
}

impl System {
    /// Changes with what the Secret holds.
    pub fn revision(&self, key: &SecretKey) -> &str {
        self.revisions.get(&key.name).map_or("", String::as_str)
    }
}

/// Why a resource cannot be built; at least one problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Invalid(pub Vec<Problem>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Problem {
    pub reason: Reason,
    /// As `kubectl explain` takes it, with places in lists: `spec.api.env[2].name`.
    pub field: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// As the condition says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The specification cannot work, whatever the world is like.
    InvalidSpec,
    SecretNotFound,
    SecretKeyMissing,
}

impl Reason {
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidSpec => "InvalidSpec",
            Self::SecretNotFound => "SecretNotFound",
            Self::SecretKeyMissing => "SecretKeyMissing",
        }
    }
}

/// Everything that is wrong is found at once.
pub fn validate(resource: &ChatSystem, observed: &Observed) -> Result<System, Invalid> {
    let name = resource.name_any();
    let spec = &resource.spec;
    let references = secrets::references(spec);
    let mut problems = Vec::new();
    problems.extend(wrong_name(&name));
    problems.extend(wrong_bounds(spec));
    problems.extend(wrong_exposure(spec));
    problems.extend(reserved_keys(spec));
    problems.extend(environment::problems(spec));
    problems.extend(secrets::problems(&references, &observed.secrets));
    if !problems.is_empty() {
        return Err(Invalid(problems));
    }
    Ok(System {
        name,
        namespace: resource.namespace().unwrap_or_else(|| "default".to_owned()),
        uid: resource.uid(),
        spec: spec.clone(),
        revisions: observed.secrets.revisions(&references),
        operator_namespace: observed.operator_namespace.clone(),
    })
}

fn invalid(field: impl Into<String>, message: impl Into<String>) -> Problem {
    Problem {
        reason: Reason::InvalidSpec,
        field: field.into(),
        message: message.into(),
    }
}

fn wrong_name(name: &str) -> Option<Problem> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let valid = name.len() <= 40
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(allowed);
    (!valid).then(|| {
        invalid(
            "metadata.name",
            format!(
                "{name:?} is not a DNS label of at most 40 characters that starts with a letter"
            ),
        )
    })
}

fn wrong_bounds(spec: &ChatSystemSpec) -> Vec<Problem> {
    let api = spec.api.autoscaling.iter().map(|bounds| {
        let field = "spec.api.autoscaling.minReplicas".to_owned();
        (field, bounds.min_replicas, bounds.max_replicas)
    });
    let workers = Role::ALL.into_iter().map(|role| {
        let bounds = &spec.workers.role(role).autoscaling;
        let field = format!("spec.workers.{}.autoscaling.minReplicas", role.name());
        (field, bounds.min_replicas, bounds.max_replicas)
    });
    api.chain(workers)
        .filter(|(_, min, max)| min > max || *max < 1)
        .map(|(field, min, max)| invalid(field, format!("{min} exceeds maxReplicas, {max}")))
        .collect()
}

fn wrong_exposure(spec: &ChatSystemSpec) -> Vec<Problem> {
    let exposure = &spec.exposure;
    let mut problems = Vec::new();
    if exposure.type_ != ExposureType::None && exposure.host.is_none() {
        problems.push(invalid(
            "spec.exposure.host",
            "is required unless type is None",
        ));
    }
    if (exposure.type_ == ExposureType::HTTPRoute) != exposure.http_route.is_some() {
        let message = "is required with type HTTPRoute and forbidden otherwise";
        problems.push(invalid("spec.exposure.httpRoute", message));
    }
    problems
}

fn reserved_keys(spec: &ChatSystemSpec) -> Vec<Problem> {
    let (template, account) = (&spec.pod_template, &spec.service_account);
    let reserved = |key: &str| {
        RESERVED_PREFIXES
            .iter()
            .any(|prefix| key.starts_with(prefix))
    };
    [
        ("spec.podTemplate.labels", &template.labels),
        ("spec.podTemplate.annotations", &template.annotations),
        ("spec.serviceAccount.annotations", &account.annotations),
    ]
    .into_iter()
    .flat_map(|(field, map)| map.keys().map(move |key| (field, key)))
    .filter(|(_, key)| reserved(key))
    .map(|(field, key)| {
        let message = format!("{key} is set by the operator: take another name");
        invalid(field, message)
    })
    .collect()
}
