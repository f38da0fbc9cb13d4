//! Addresses, authorities and keys: each a key of a Secret, mounted as a file, and the setting that names the file.

use crate::build::meta::Component;
use crate::crd::SecretKey;
use crate::validate::System;
use chat::config as c;
use k8s_openapi::api::core::v1::{
    EnvVar, KeyToPath, ProjectedVolumeSource, SecretProjection, Volume, VolumeMount,
    VolumeProjection,
};
use std::collections::BTreeMap;

const VOLUME: &str = "secrets";
const DIRECTORY: &str = "/etc/chatsystem/secrets";
/// Readable for the pod's user and group.
const MODE: i32 = 0o440;

struct File<'a> {
    variable: String,
    name: &'static str,
    secret: &'a SecretKey,
}

/// What a component needs to know, and no more.
fn files(system: &System, component: Component) -> Vec<File<'_>> {
    let spec = &system.spec;
    let mysql = match component {
        Component::Migrate => spec.mysql.migration_url_secret_ref.as_ref(),
        _ => None,
    };
    let addresses = [
        (
            c::MYSQL_URL,
            "mysql-url",
            mysql.unwrap_or(&spec.mysql.url_secret_ref),
        ),
        (c::REDIS_URL, "redis-url", &spec.redis.url_secret_ref),
        (
            c::RABBITMQ_URL,
            "rabbitmq-url",
            &spec.rabbitmq.url_secret_ref,
        ),
        (
            c::ELASTICSEARCH_URL,
            "elasticsearch-url",
            &spec.elasticsearch.url_secret_ref,
        ),
    ];
    let authorities = [
        (c::MYSQL_CA_FILE, "mysql-ca.pem", &spec.mysql.tls),
        (c::REDIS_CA_FILE, "redis-ca.pem", &spec.redis.tls),
        (c::RABBITMQ_CA_FILE, "rabbitmq-ca.pem", &spec.rabbitmq.tls),
        (
            c::ELASTICSEARCH_CA_FILE,
            "elasticsearch-ca.pem",
            &spec.elasticsearch.tls,
        ),
    ];
    let special = match component {
        Component::Api => {
            let key = spec.api.auth.admin_key_secret_ref.as_ref();
            key.map(|key| (c::ADMIN_KEY, "admin-key", key))
        }
        // Numbers that were never stored are explained only once the queues were seen at rest.
        Component::Reconcile => {
            let key = &spec.rabbitmq.management_url_secret_ref;
            Some((c::RABBITMQ_MANAGEMENT_URL, "rabbitmq-management-url", key))
        }
        _ => None,
    };
    let secret = |(variable, name, secret)| File {
        variable: format!("{variable}_FILE"),
        name,
        secret,
    };
    let authorities = authorities.into_iter().filter_map(|(variable, name, tls)| {
        Some(File {
            variable: variable.to_owned(),
            name,
            secret: tls.ca_secret_ref.as_ref()?,
        })
    });
    let addresses = addresses.into_iter().chain(special).map(secret);
    addresses.chain(authorities).collect()
}

/// The settings that name the files.
pub(super) fn environment(system: &System, component: Component) -> Vec<EnvVar> {
    let variable = |file: File<'_>| EnvVar {
        name: file.variable,
        value: Some(format!("{DIRECTORY}/{}", file.name)),
        value_from: None,
    };
    files(system, component).into_iter().map(variable).collect()
}

/// The resourceVersion of each Secret they come from.
pub(in crate::build) fn revisions(system: &System, component: Component) -> BTreeMap<&str, &str> {
    let files = files(system, component).into_iter();
    files
        .map(|file| (file.secret.name.as_str(), system.revision(file.secret)))
        .collect()
}

pub(super) fn volume(system: &System, component: Component) -> Volume {
    let sources = files(system, component)
        .into_iter()
        .map(|file| VolumeProjection {
            secret: Some(SecretProjection {
                name: file.secret.name.clone(),
                items: Some(vec![KeyToPath {
                    key: file.secret.key.clone(),
                    path: file.name.to_owned(),
                    mode: None,
                }]),
                optional: None,
            }),
            ..VolumeProjection::default()
        });
    Volume {
        name: VOLUME.to_owned(),
        projected: Some(ProjectedVolumeSource {
            default_mode: Some(MODE),
            sources: Some(sources.collect()),
        }),
        ..Volume::default()
    }
}

pub(super) fn mount() -> VolumeMount {
    VolumeMount {
        name: VOLUME.to_owned(),
        mount_path: DIRECTORY.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    }
}
