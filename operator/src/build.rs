//! From a system to its children: every object as it should be, and no word about how it gets there.
//!
//! One function for each object, one field for each kind. How many pods there are is not among it: applying a
//! number and then leaving it out would reset it, so replicas are written through the `scale` subresource alone.

mod autoscaler;
mod config_map;
mod cron_jobs;
mod deployments;
mod disruption_budgets;
mod http_route;
mod ingress;
mod meta;
mod migration;
mod network_policies;
mod pod;
mod pod_monitor;
mod service;
mod service_accounts;

pub use deployments::Deployments;
pub use meta::{CHECKSUM, Component, MANAGER, ours, ours_of, selector};
pub use pod::ADMIN_PORT;

use crate::validate::System;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::DynamicObject;
use serde::Serialize;
use serde_json::Value;

/// The children of one system.
#[derive(Clone, Debug, PartialEq)]
pub struct Objects {
    pub service_accounts: Vec<ServiceAccount>,
    pub config_map: ConfigMap,
    pub network_policies: Vec<NetworkPolicy>,
    /// Its name changes with whatever a migration depends on; no Job is ever changed.
    pub migration: Job,
    pub deployments: Deployments,
    pub disruption_budgets: Vec<PodDisruptionBudget>,
    pub service: Service,
    pub autoscaler: Option<HorizontalPodAutoscaler>,
    pub ingress: Option<Ingress>,
    pub http_route: Option<DynamicObject>,
    pub cron_jobs: Vec<CronJob>,
    pub pod_monitor: Option<DynamicObject>,
}

/// Everything that the system consists of.
pub fn build(system: &System) -> Objects {
    let config_map = config_map::build(system);
    Objects {
        service_accounts: service_accounts::build(system),
        network_policies: network_policies::build(system),
        migration: migration::build(system),
        deployments: deployments::build(system, &config_map),
        disruption_budgets: disruption_budgets::build(system),
        service: service::build(system),
        autoscaler: autoscaler::build(system),
        ingress: ingress::build(system),
        http_route: http_route::build(system),
        cron_jobs: cron_jobs::build(system),
        pod_monitor: pod_monitor::build(system),
        config_map,
    }
}

impl Objects {
    /// All of them with apiVersion and kind, in the order of the fields.
    pub fn documents(&self) -> Vec<Value> {
        let Self {
            service_accounts,
            config_map,
            network_policies,
            migration,
            deployments: Deployments { workers, api },
            disruption_budgets,
            service,
            autoscaler,
            ingress,
            http_route,
            cron_jobs,
            pod_monitor,
        } = self;
        let mut documents = values(service_accounts);
        documents.extend(values([config_map]));
        documents.extend(values(network_policies));
        documents.extend(values([migration]));
        documents.extend(values(workers.iter().map(|(_, deployment)| deployment)));
        documents.extend(values::<Deployment>([api]));
        documents.extend(values(disruption_budgets));
        documents.extend(values([service]));
        documents.extend(values(autoscaler));
        documents.extend(values(ingress));
        documents.extend(values(http_route));
        documents.extend(values(cron_jobs));
        documents.extend(values(pod_monitor));
        documents
    }
}

fn values<'a, K: Serialize + 'a>(objects: impl IntoIterator<Item = &'a K>) -> Vec<Value> {
    let value = |object| serde_json::to_value(object).expect("objects have a JSON form");
    objects.into_iter().map(value).collect()
}
