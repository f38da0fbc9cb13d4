//! References to Secrets: which there are, and whether what they name is there. No value is ever looked at.

use super::{Problem, Reason};
use crate::crd::{ChatSystemSpec, SecretKey};
use std::collections::{BTreeMap, BTreeSet};

/// The Secrets a resource refers to, as they were when somebody looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// By name; one that is not here does not exist.
    Seen(BTreeMap<String, SecretFacts>),
    /// Nobody looked: whatever is referred to counts as there.
    Unseen,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFacts {
    /// Its resourceVersion.
    pub revision: String,
    pub keys: BTreeSet<String>,
}

impl Secrets {
    pub(super) fn revisions(
        &self,
        references: &[(String, &SecretKey)],
    ) -> BTreeMap<String, String> {
        let Self::Seen(secrets) = self else {
            return BTreeMap::new();
        };
        let names: BTreeSet<_> = references.iter().map(|(_, key)| &key.name).collect();
        let seen = names
            .into_iter()
            .filter_map(|name| Some((name, secrets.get(name)?)));
        seen.map(|(name, facts)| (name.clone(), facts.revision.clone()))
            .collect()
    }
}

/// The Secrets that a specification refers to.
pub fn secret_names(spec: &ChatSystemSpec) -> BTreeSet<String> {
    let references = references(spec).into_iter();
    references.map(|(_, key)| key.name.clone()).collect()
}

/// Every reference with the path of its field.
pub(super) fn references(spec: &ChatSystemSpec) -> Vec<(String, &SecretKey)> {
    let required = [
        ("mysql.urlSecretRef", &spec.mysql.url_secret_ref),
        ("redis.urlSecretRef", &spec.redis.url_secret_ref),
        ("rabbitmq.urlSecretRef", &spec.rabbitmq.url_secret_ref),
        (
            "rabbitmq.managementURLSecretRef",
            &spec.rabbitmq.management_url_secret_ref,
        ),
        (
            "elasticsearch.urlSecretRef",
            &spec.elasticsearch.url_secret_ref,
        ),
    ];
    let optional = [
        (
            "mysql.migrationURLSecretRef",
            &spec.mysql.migration_url_secret_ref,
        ),
        ("mysql.tls.caSecretRef", &spec.mysql.tls.ca_secret_ref),
        ("redis.tls.caSecretRef", &spec.redis.tls.ca_secret_ref),
        ("rabbitmq.tls.caSecretRef", &spec.rabbitmq.tls.ca_secret_ref),
        (
            "elasticsearch.tls.caSecretRef",
            &spec.elasticsearch.tls.ca_secret_ref,
        ),
        (
            "api.auth.adminKeySecretRef",
            &spec.api.auth.admin_key_secret_ref,
        ),
    ];
    let optional = optional
        .into_iter()
        .filter_map(|(field, key)| Some((field, key.as_ref()?)));
    required
        .into_iter()
        .chain(optional)
        .map(|(field, key)| (format!("spec.{field}"), key))
        .collect()
}

pub(super) fn problems(references: &[(String, &SecretKey)], secrets: &Secrets) -> Vec<Problem> {
    let Secrets::Seen(secrets) = secrets else {
        return Vec::new();
    };
    let problem = |(field, wanted): &(String, &SecretKey)| {
        let SecretKey { name, key } = wanted;
        match secrets.get(name) {
            None => Some(Problem {
                reason: Reason::SecretNotFound,
                field: format!("{field}.name"),
                message: format!("there is no Secret {name}: create it with the key {key}"),
            }),
            Some(facts) if !facts.keys.contains(key) => Some(Problem {
                reason: Reason::SecretKeyMissing,
                field: format!("{field}.key"),
                message: format!("the Secret {name} has no key {key}: add it, or name another"),
            }),
            Some(_) => None,
        }
    };
    references.iter().filter_map(problem).collect()
}
