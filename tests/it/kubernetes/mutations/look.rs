//! What has to be so when a system is looked at.

use super::walk::{Walk, identity};
use e2e::eventually::eventually;
use e2e::kubernetes::SOON;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::timeout;

const APP: &str = "app.kubernetes.io";

impl Walk<'_> {
    pub(super) async fn settles(&self) {
        let wanted = &self.wanted;
        let settled = self
            .writes
            .until(|seen| identity(&seen.system) == *wanted && seen.is_settled());
        if timeout(SOON, settled).await.is_err() {
            panic!(
                "it does not come to rest: {:#}",
                self.writes.system()["status"]
            );
        }
    }

    /// Ready, and what a new one of the same description would be; and who had no reason to go is still there.
    pub(super) async fn is_as_a_new_one(&mut self) {
        self.settles().await;
        let system = &self.run.system;
        system.is_ready().await;
        let expected = system.made_anew(&self.described(), &self.asked.operator, &self.asked.empty);
        let differences = async || match system.children() {
            Ok(children) => children.differences(&expected),
            Err(complaint) => vec![complaint],
        };
        eventually(SOON, differences, Vec::is_empty).await;
        self.pods_stayed();
        self.progress.stops += 1;
        self.made.0.clear();
    }

    /// Those of templates that did not change.
    pub(super) fn pods_stayed(&mut self) {
        let steady = self.writes.steady();
        let now = self.pods();
        for (deployment, fewest) in steady {
            let Some(before) = self.pods.get(&deployment) else {
                continue;
            };
            let stayed = now
                .get(&deployment)
                .map_or(0, |now| now.intersection(before).count());
            let fewest = usize::try_from(fewest).expect("so few").min(before.len());
            assert!(
                stayed >= fewest,
                "of {before:?} {fewest} had to stay, and there are {now:?}"
            );
        }
        self.pods = now;
    }

    fn pods(&self) -> BTreeMap<String, BTreeSet<String>> {
        let selector = format!("--selector={APP}/instance=acme");
        let list = self
            .run
            .system
            .kubectl(&["get", "pods", &selector, "--output=json"]);
        let list: Value = serde_json::from_str(&list).expect("kubectl prints JSON");
        let mut pods: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for pod in list["items"].as_array().into_iter().flatten() {
            let metadata = &pod["metadata"];
            if !metadata["deletionTimestamp"].is_null() {
                continue;
            }
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let component = text(&metadata["labels"][format!("{APP}/component")]);
            pods.entry(format!("acme-{component}"))
                .or_default()
                .insert(text(&metadata["uid"]));
        }
        pods
    }
}
