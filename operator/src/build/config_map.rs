//! `<name>-config`: every setting that the operator makes out of the specification. Addresses and keys are not
//! among them, only the files they are mounted as.

use super::{meta, pod};
use crate::crd::{ChatSystemSpec, LogLevel, NumberingMode, RateLimit, TlsMode};
use crate::validate::System;
use chat::config as c;
use k8s_openapi::api::core::v1::{ConfigMap, EnvVar};
use std::collections::BTreeMap;

pub(super) fn build(system: &System) -> ConfigMap {
    ConfigMap {
        metadata: meta::common(system, name(system)),
        data: Some(settings(&system.spec)),
        ..ConfigMap::default()
    }
}

pub(super) fn name(system: &System) -> String {
    format!("{}-config", system.name)
}

/// The settings that pods have to be rolled for. How many replicas share the rate limits matters only while Redis
/// is away: new pods are told, running ones need not restart whenever somebody scales.
pub(super) fn rolling(config_map: &ConfigMap) -> BTreeMap<&str, &str> {
    let settings = config_map.data.iter().flatten();
    settings
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| *name != c::EXPECTED_REPLICAS)
        .collect()
}

fn settings(spec: &ChatSystemSpec) -> BTreeMap<String, String> {
    let mut settings: BTreeMap<&str, String> = BTreeMap::from([
        (c::LISTEN, format!("0.0.0.0:{}", pod::API_PORT)),
        (c::ADMIN_LISTEN, format!("0.0.0.0:{}", pod::ADMIN_PORT)),
        (c::KEY_PREFIX, spec.data_prefix.clone()),
        (c::NUMBERING, numbering(spec.numbering.mode).to_owned()),
        (c::AUTH_MODE, "keys".to_owned()),
        (c::TRUSTED_PROXIES, spec.api.trusted_proxies.to_string()),
        (c::RATE_LIMIT, rates(&spec.api.rate_limit)),
        (c::EXPECTED_REPLICAS, expected_replicas(spec).to_string()),
        (c::LOG, level(spec.log_level).to_owned()),
    ]);
    let insecure = insecure(spec);
    if !insecure.is_empty() {
        settings.insert(c::TLS_INSECURE, insecure.join(","));
    }
    settings
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn numbering(mode: NumberingMode) -> &'static str {
    match mode {
        NumberingMode::Redis => "redis",
        NumberingMode::MySQL => "mysql",
    }
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    }
}

fn rates(limit: &RateLimit) -> String {
    match limit.enabled {
        false => "off".to_owned(),
        true => format!(
            "general={}/s,create={}/s",
            limit.requests_per_second, limit.creates_per_second
        ),
    }
}

/// The most there may be: while Redis is away they let through too little together rather than too much.
fn expected_replicas(spec: &ChatSystemSpec) -> i32 {
    let autoscaling = spec.api.autoscaling.as_ref();
    autoscaling
        .map_or(spec.api.replicas, |bounds| bounds.max_replicas)
        .max(1)
}

/// The servers that may be reached without TLS. A collector of traces has no field of its own: the scheme of its
/// address says it.
fn insecure(spec: &ChatSystemSpec) -> Vec<&'static str> {
    let servers = [
        ("mysql", &spec.mysql.tls),
        ("rabbitmq", &spec.rabbitmq.tls),
        ("redis", &spec.redis.tls),
        ("elasticsearch", &spec.elasticsearch.tls),
    ];
    let plaintext = servers
        .into_iter()
        .filter(|(_, tls)| tls.mode == TlsMode::Plaintext)
        .map(|(name, _)| name);
    let workers = &spec.workers;
    let mut added = [
        &spec.pod_template.env,
        &spec.api.env,
        &workers.chats.env,
        &workers.messages.env,
        &workers.indexing.env,
    ]
    .into_iter()
    .flatten();
    let plain_collector = |env: &EnvVar| {
        let value = env.value.as_deref().unwrap_or_default();
        env.name == c::OTLP_ENDPOINT && value.starts_with("http://")
    };
    plaintext
        .chain(added.any(plain_collector).then_some("otlp"))
        .collect()
}
