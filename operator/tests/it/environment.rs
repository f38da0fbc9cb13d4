//! What the operator sets is what the programs understand, and every file it names is mounted.

use crate::samples::{FULL, TEN_LINES, pod, pods, sample, system};
use chat::config::{Api, Auth, Environment, Numbering, Program, Settings, VARIABLES, Worker};
use k8s_openapi::api::core::v1::{ConfigMap, PodSpec};
use operator::build::{Component, build};
use operator::crd::{ChatSystem, NumberingMode, SET_BY, TlsMode};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// What each key of the samples' Secrets holds.
fn secret(name: &str, key: &str, plain: bool) -> &'static str {
    match (name, key, plain) {
        ("acme-mysql", "url", _) => "mysql://chat:canary@mysql/chat",
        ("acme-mysql", "migrationUrl", _) => "mysql://migrate:canary@mysql/chat",
        ("acme-redis", "url", false) => "rediss://:canary@redis",
        ("acme-redis", "url", true) => "redis://:canary@redis",
        ("acme-rabbitmq", "url", false) => "amqps://chat:canary@rabbitmq/chat",
        ("acme-rabbitmq", "url", true) => "amqp://chat:canary@rabbitmq/chat",
        ("acme-rabbitmq", "managementUrl", false) => "https://chat:canary@rabbitmq:15671",
        ("acme-rabbitmq", "managementUrl", true) => "http://chat:canary@rabbitmq:15672",
        ("acme-elasticsearch", "url", false) => "https://chat:canary@search:9200",
        ("acme-elasticsearch", "url", true) => "http://chat:canary@search:9200",
        ("acme-ca", "ca.crt", _) => "-----BEGIN CERTIFICATE-----\n",
        ("acme-admin", "key", _) => "canary-canary-canary",
        other => panic!("no sample refers to {other:?}"),
    }
}

/// As a kubelet would start it.
struct Started {
    environment: BTreeMap<String, String>,
    files: BTreeMap<String, &'static str>,
}

fn start(pod: &PodSpec, config: &ConfigMap, plain: bool) -> Started {
    let [container] = &pod.containers[..] else {
        panic!("one container");
    };
    let from = container.env_from.as_ref().unwrap()[0]
        .config_map_ref
        .as_ref()
        .unwrap();
    assert_eq!(Some(&from.name), config.metadata.name.as_ref());
    let mut environment = config.data.clone().unwrap();
    for variable in container.env.iter().flatten() {
        environment.insert(variable.name.clone(), variable.value.clone().unwrap());
    }
    let mount = &container.volume_mounts.as_ref().unwrap()[0];
    let volume = &pod.volumes.as_ref().unwrap()[0];
    assert_eq!(mount.name, volume.name);
    let sources = volume.projected.as_ref().unwrap().sources.as_ref().unwrap();
    let files = sources.iter().map(|source| {
        let projection = source.secret.as_ref().unwrap();
        let item = &projection.items.as_ref().unwrap()[0];
        let path = format!("{}/{}", mount.mount_path, item.path);
        (path, secret(&projection.name, &item.key, plain))
    });
    Started {
        environment,
        files: files.collect(),
    }
}

impl Started {
    fn settings<S: Settings>(&self) -> S {
        let lookup = |name: &str| self.environment.get(name).cloned();
        let read = |path: &Path| {
            let text = path.to_str().and_then(|path| self.files.get(path));
            text.map(|text| (*text).to_owned())
                .ok_or(io::ErrorKind::NotFound.into())
        };
        S::from_lookup(&lookup, &read).unwrap_or_else(|wrong| panic!("{wrong}"))
    }
}

/// Every program of the system, started; the API's and the workers' settings.
fn settings(resource: &ChatSystem, plain: bool) -> (Api, Vec<(Component, Worker)>) {
    let objects = build(&system(resource));
    let mut api = None;
    let mut workers = Vec::new();
    for (component, template) in pods(&objects) {
        let started = start(pod(template), &objects.config_map, plain);
        match component {
            Component::Api => api = Some(started.settings()),
            _ => workers.push((component, started.settings())),
        }
        let environment: Environment = started.environment.into_iter().collect();
        assert_eq!(
            environment.unknown().collect::<Vec<_>>(),
            Vec::<&str>::new()
        );
    }
    (api.unwrap(), workers)
}

#[test]
fn the_programs_understand_what_the_samples_set() {
    for text in [TEN_LINES, FULL] {
        let (api, workers) = settings(&sample(text), false);
        assert_eq!(workers.len(), 6);
        assert_eq!(api.serving.listen.to_string(), "0.0.0.0:8080");
        for process in workers
            .iter()
            .map(|(_, worker)| &worker.process)
            .chain([&api.process])
        {
            assert_eq!(process.admin_listen.to_string(), "0.0.0.0:8081");
            assert_eq!(process.log, "info");
        }
        assert!(api.servers.without_tls().is_empty());
    }
}

#[test]
fn every_field_reaches_its_setting() {
    let mut resource = sample(FULL);
    resource.spec.data_prefix = "acme".to_owned();
    resource.spec.numbering.mode = NumberingMode::MySQL;
    resource.spec.api.rate_limit.requests_per_second = 100_000;
    let (api, _) = settings(&resource, false);
    assert_eq!(api.servers.key_prefix, "acme");
    assert_eq!(api.servers.numbering, Numbering::Mysql);
    assert_eq!(api.serving.trusted_proxies, 1);
    assert_eq!(api.value("CHAT_RATE_LIMIT"), "general=100000/s,create=50/s");
    assert_eq!(api.expected_replicas, 10);
    assert_eq!(api.serving.max_connections, 2_000);
    assert!(matches!(
        api.serving.auth,
        Auth::Keys { admin_key: Some(_) }
    ));
    assert!(api.servers.mysql.trust.ca_pem.is_some());
    assert!(
        api.servers.rabbitmq.trust.ca_pem.is_none(),
        "MySQL's authority is its own"
    );

    resource.spec.api.rate_limit.enabled = false;
    resource.spec.api.auth.admin_key_secret_ref = None;
    resource.spec.api.autoscaling = None;
    let (api, _) = settings(&resource, false);
    assert_eq!(api.value("CHAT_RATE_LIMIT"), "off");
    assert_eq!(api.expected_replicas, 2);
    assert!(matches!(api.serving.auth, Auth::Keys { admin_key: None }));
}

#[test]
fn plaintext_is_said_for_each_server() {
    let mut resource = sample(TEN_LINES);
    let spec = &mut resource.spec;
    let servers = [
        &mut spec.redis.tls,
        &mut spec.rabbitmq.tls,
        &mut spec.elasticsearch.tls,
    ];
    for tls in servers {
        tls.mode = TlsMode::Plaintext;
    }
    let mut collector = k8s_openapi::api::core::v1::EnvVar {
        name: "CHAT_OTLP_ENDPOINT".to_owned(),
        value: Some("http://collector:4318".to_owned()),
        value_from: None,
    };
    spec.pod_template.env.push(collector.clone());
    let (api, _) = settings(&resource, true);
    assert_eq!(
        api.servers.without_tls(),
        ["rabbitmq", "redis", "elasticsearch", "otlp"]
    );

    collector.value = Some("https://collector:4318".to_owned());
    resource.spec.pod_template.env = vec![collector];
    let (api, _) = settings(&resource, true);
    assert_eq!(
        api.servers.without_tls(),
        ["rabbitmq", "redis", "elasticsearch"]
    );
}

#[test]
fn only_who_needs_it_gets_a_secret() {
    let objects = build(&system(&sample(FULL)));
    for (component, template) in pods(&objects) {
        let started = start(pod(template), &objects.config_map, false);
        let has = |value: &str| started.files.values().any(|text| *text == value);
        let admin_key = has("canary-canary-canary");
        assert_eq!(admin_key, component == Component::Api, "{component:?}");
        let management = has("https://chat:canary@rabbitmq:15671");
        assert_eq!(
            management,
            component == Component::Reconcile,
            "{component:?}"
        );
        let migrates = has("mysql://migrate:canary@mysql/chat");
        assert_eq!(migrates, component == Component::Migrate, "{component:?}");
        assert_eq!(
            has("mysql://chat:canary@mysql/chat"),
            !migrates,
            "{component:?}"
        );
    }
}

#[test]
fn what_the_operator_sets_is_a_setting_of_a_program() {
    for (name, _) in SET_BY {
        let variable = VARIABLES
            .iter()
            .find(|variable| variable.name == name)
            .unwrap();
        let in_a_cluster = [Program::Api, Program::Worker];
        assert!(
            variable
                .programs
                .iter()
                .any(|program| in_a_cluster.contains(program)),
            "{name}"
        );
    }
    // The other way round: whatever it sets is refused where people set it.
    let objects = build(&system(&sample(FULL)));
    for name in objects.config_map.data.unwrap().keys() {
        assert!(SET_BY.iter().any(|(set, _)| set == name), "{name}");
    }
}
