//! The samples, and systems made of them.

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use operator::build::{Component, Objects, build};
use operator::crd::{ChatSystem, ChatSystemSpec};
use operator::manifest;
use operator::validate::{Observed, SecretFacts, Secrets, System, validate};

pub(crate) const TEN_LINES: &str = include_str!("../../../examples/ten-lines.yaml");
pub(crate) const FULL: &str = include_str!("../../../examples/full.yaml");

pub(crate) fn sample(text: &str) -> ChatSystem {
    manifest::read(text).unwrap().remove(0)
}

/// What `render` sees.
pub(crate) fn nothing_seen() -> Observed {
    Observed {
        secrets: Secrets::Unseen,
        operator_namespace: "chat-operator".to_owned(),
    }
}

/// The Secrets that the samples refer to.
pub(crate) fn secrets() -> Vec<(&'static str, SecretFacts)> {
    [
        ("acme-mysql", &["url", "migrationUrl"][..]),
        ("acme-redis", &["url"]),
        ("acme-rabbitmq", &["url", "managementUrl"]),
        ("acme-elasticsearch", &["url"]),
        ("acme-ca", &["ca.crt"]),
        ("acme-admin", &["key"]),
    ]
    .map(|(name, keys)| {
        let facts = SecretFacts {
            revision: "1".to_owned(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        (name, facts)
    })
    .into()
}

pub(crate) fn seen(secrets: Vec<(&str, SecretFacts)>) -> Observed {
    let secrets = secrets
        .into_iter()
        .map(|(name, facts)| (name.to_owned(), facts));
    Observed {
        secrets: Secrets::Seen(secrets.collect()),
        ..nothing_seen()
    }
}

/// The full sample with a change.
pub(crate) fn full(change: impl FnOnce(&mut ChatSystemSpec)) -> Objects {
    let mut resource = sample(FULL);
    change(&mut resource.spec);
    build(&system(&resource))
}

pub(crate) fn system(resource: &ChatSystem) -> System {
    validate(resource, &seen(secrets())).unwrap()
}

/// The pods of every component.
pub(crate) fn pods(objects: &Objects) -> Vec<(Component, &PodTemplateSpec)> {
    let deployments = &objects.deployments;
    let api = deployments
        .api
        .spec
        .as_ref()
        .map(|spec| (Component::Api, &spec.template));
    let workers = deployments.workers.iter().map(|(role, deployment)| {
        (
            Component::Worker(*role),
            &deployment.spec.as_ref().unwrap().template,
        )
    });
    let migration = objects
        .migration
        .spec
        .as_ref()
        .map(|spec| (Component::Migrate, &spec.template));
    let cron = objects
        .cron_jobs
        .iter()
        .zip([Component::Reconcile, Component::Audit]);
    let cron = cron.map(|(job, component)| {
        let job = job
            .spec
            .as_ref()
            .unwrap()
            .job_template
            .spec
            .as_ref()
            .unwrap();
        (component, &job.template)
    });
    api.into_iter()
        .chain(workers)
        .chain(migration)
        .chain(cron)
        .collect()
}

pub(crate) fn pod(template: &PodTemplateSpec) -> &PodSpec {
    template.spec.as_ref().unwrap()
}
