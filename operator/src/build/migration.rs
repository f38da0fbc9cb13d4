//! The Job that brings the database's tables up to date: the gate that everything else of a version waits at.
//!
//! It runs `chat-worker migrate` and nothing else: exchanges, queues and the index are made by the workers when
//! they start, so that neither broker, Redis nor search engine holds up the gate.

use super::meta::{self, CHECKSUM, Component};
use super::pod;
use crate::validate::System;
use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::Container;

/// A setting is wrong, or the schema is newer than the program: trying again helps nobody.
const HOPELESS: [i32; 2] = [2, 3];

pub(super) fn build(system: &System) -> Job {
    let component = Component::Migrate;
    let container = Container {
        args: Some(vec!["migrate".to_owned()]),
        ..Container::default()
    };
    let mut template = pod::template(system, component, container, &[]);
    template.spec.get_or_insert_default().restart_policy = Some("Never".to_owned());
    // A mended Secret makes another Job.
    let annotations = template
        .metadata
        .get_or_insert_default()
        .annotations
        .get_or_insert_default();
    let mysql = &system.spec.mysql;
    let url = mysql
        .migration_url_secret_ref
        .as_ref()
        .unwrap_or(&mysql.url_secret_ref);
    let authority = mysql
        .tls
        .ca_secret_ref
        .as_ref()
        .map(|key| system.revision(key));
    annotations.insert(
        CHECKSUM.to_owned(),
        meta::checksum(&(system.revision(url), authority)),
    );
    let spec = JobSpec {
        template,
        backoff_limit: Some(3),
        active_deadline_seconds: Some(600),
        pod_failure_policy: Some(failure_policy()),
        ..JobSpec::default()
    };
    // Of everything in it: most of a Job cannot be changed, also not by the next operator.
    let name = format!(
        "{}-{}",
        component.object(&system.name),
        meta::checksum(&spec)
    );
    Job {
        metadata: meta::named(system, component, name),
        spec: Some(spec),
        status: None,
    }
}

fn failure_policy() -> PodFailurePolicy {
    let rule = |action: &str| PodFailurePolicyRule {
        action: action.to_owned(),
        ..PodFailurePolicyRule::default()
    };
    PodFailurePolicy {
        rules: vec![
            PodFailurePolicyRule {
                on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
                    container_name: None,
                    operator: "In".to_owned(),
                    values: HOPELESS.into(),
                }),
                ..rule("FailJob")
            },
            PodFailurePolicyRule {
                // A drained node is nobody's failure.
                on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
                    type_: "DisruptionTarget".to_owned(),
                    status: "True".to_owned(),
                }]),
                ..rule("Ignore")
            },
        ],
    }
}
