//! How a system gets from one version to another, and what becomes of its Deployments and their pods.

use super::{ANSWERED, Maker, SOON, System, chart};
use crate::eventually::eventually;

/// The API, and workers of three roles.
pub const DEPLOYMENTS: usize = 4;

impl System {
    /// Of a system of the operator; returns at once.
    pub fn set_version(&self, version: &str) {
        self.patch(&format!(r#"{{"spec":{{"version":"{version}"}}}}"#));
    }

    /// Upgrades it, or takes it back, with another number of API pods; returns at once.
    pub fn change_to(&self, version: &str, api_replicas: &str) {
        match self.maker {
            Maker::Chart => {
                let values = format!("image.tag={version},api.replicas={api_replicas}");
                let chart = chart();
                self.helm(&[
                    "upgrade",
                    "acme",
                    &chart,
                    "--reuse-values",
                    "--set",
                    &values,
                ]);
            }
            Maker::Operator => self.patch(&format!(
                r#"{{"spec":{{"version":"{version}","api":{{"replicas":{api_replicas}}}}}}}"#
            )),
        }
    }

    /// Returns once every Deployment is of this version and ready.
    pub async fn runs(&self, version: &str) {
        let all = |of_version: &Result<usize, String>| *of_version == Ok(DEPLOYMENTS);
        eventually(SOON, async || self.deployments_of_version(version), all)
            .await
            .expect(ANSWERED);
        self.is_ready().await;
    }

    pub fn deployments_of_version(&self, version: &str) -> Result<usize, String> {
        let images = self.of_deployments("{.items[*].spec.template.spec.containers[*].image}")?;
        let tag = format!(":{version}");
        let of_version = |image: &&str| image.ends_with(&tag);
        Ok(images.split_whitespace().filter(of_version).count())
    }

    /// How often a Deployment's pods were replaced.
    pub fn revision(&self, deployment: &str) -> String {
        let path = r"jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}";
        self.kubectl(&["get", "deployment", deployment, "--output", path])
    }

    /// Returns once its pods are being replaced.
    pub async fn is_rolled_out(&self, deployment: &str, revision: &str) {
        let differs = |now: &String| now != revision;
        eventually(SOON, async || self.revision(deployment), differs).await;
    }

    /// Returns once so many pods of a Deployment are ready, and no more are there.
    pub async fn has_replicas(&self, deployment: &str, wanted: &str) {
        let path = "jsonpath={.spec.replicas} {.status.readyReplicas} {.status.replicas}";
        let asked = ["get", "deployment", deployment, "--output", path];
        let all = format!("{wanted} {wanted} {wanted}");
        let right = |now: &Result<String, String>| now.as_ref() == Ok(&all);
        let counts = eventually(SOON, async || self.try_kubectl(&asked), right);
        counts.await.expect(ANSWERED);
    }

    /// Returns once the last specification is carried out and every pod is ready.
    pub async fn is_ready(&self) {
        if self.maker == Maker::Operator {
            let path = "jsonpath={.metadata.generation}/{.status.observedGeneration}/\
                        {.status.conditions[?(@.type==\"Ready\")].status}";
            let asked = ["get", "chatsystem/acme", "--output", path];
            let right = |now: &Result<String, String>| {
                let Ok(now) = now else { return false };
                matches!(now.split('/').collect::<Vec<_>>()[..], [wanted, seen, "True"] if wanted == seen)
            };
            let ready = eventually(SOON, async || self.try_kubectl(&asked), right);
            ready.await.expect(ANSWERED);
        }
        // Of each Deployment: its specification, and what the rest is said of; how many pods are wanted, are of the newest
        // template, are ready, and are there.
        let path = "{range .items[*]}{.metadata.generation},{.status.observedGeneration} \
                    {.spec.replicas},{.status.updatedReplicas},{.status.readyReplicas},{.status.replicas} {end}";
        let all_equal = |now: &Result<String, String>| {
            let Ok(now) = now else { return false };
            let equal = |numbers: &str| {
                let mut counts = numbers.split(',');
                let wanted = counts.next();
                counts.all(|count| Some(count) == wanted)
            };
            !now.is_empty() && now.split_whitespace().all(equal)
        };
        let counts = eventually(SOON, async || self.of_deployments(path), all_equal);
        counts.await.expect(ANSWERED);
    }

    /// Those of its Deployments, by name.
    pub fn pods(&self) -> Vec<String> {
        let components =
            "app.kubernetes.io/component in (api, worker-chats, worker-indexing, worker-messages)";
        let pods = self.kubectl(&["get", "pods", "--selector", components, "--output=name"]);
        pods.lines().map(str::to_owned).collect()
    }

    /// Returns once none of these pods is there, not even one that ends.
    pub async fn has_no_more(&self, pods: &[String]) {
        let gone = |now: &Vec<String>| !now.iter().any(|pod| pods.contains(pod));
        eventually(SOON, async || self.pods(), gone).await;
    }

    /// How many pods of its Deployments are ready.
    pub fn ready_pods(&self) -> Result<usize, String> {
        let counts = self.of_deployments("{.items[*].status.readyReplicas}")?;
        let counts = counts.split_whitespace();
        Ok(counts.filter_map(|count| count.parse::<usize>().ok()).sum())
    }

    fn of_deployments(&self, path: &str) -> Result<String, String> {
        let output = format!("jsonpath={path}");
        let selector = "--selector=app.kubernetes.io/instance=acme";
        self.try_kubectl(&["get", "deployments", selector, "--output", &output])
    }
}
