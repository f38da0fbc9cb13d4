//! The changes one after the other, and what has to be so when they are looked at.

use super::deaths::{Knife, Scene, replace_pod};
use super::writes::{SYSTEMS, Seen, Writes};
use super::{Asked, Progress, changes};
use crate::kubernetes::Run;
use e2e::kubernetes::{ApiServer, SOON};
use rand::RngExt;
use rand::rngs::SmallRng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const ACME: (&str, &str) = (SYSTEMS.0, "chatsystems/acme");
/// Every second change gives the operator so much time to begin with it; the others come while it is at work.
const BEGINS: Duration = Duration::from_secs(2);
const REFUSED: f64 = 0.1;

pub(super) struct Walk<'a> {
    pub(super) asked: &'a Asked,
    pub(super) run: &'a Run,
    pub(super) progress: &'a mut Progress,
    dice: SmallRng,
    pub(super) api: Arc<ApiServer>,
    pub(super) writes: Writes,
    /// The uid and generation of what is asked for now.
    pub(super) wanted: (Value, Value),
    /// By Deployment, at the last stop: uids.
    pub(super) pods: BTreeMap<String, BTreeSet<String>>,
    pub(super) made: Made,
    _log: tempfile::TempDir,
}

/// Since the last stop. A failed test says it.
pub(super) struct Made(pub(super) Vec<Value>);

impl Drop for Made {
    #[expect(clippy::print_stdout, reason = "a failed test says what it did")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("changes since it was right: {:#?}", self.0);
        }
    }
}

impl<'a> Walk<'a> {
    pub(super) async fn of(
        asked: &'a Asked,
        run: &'a Run,
        dice: SmallRng,
        progress: &'a mut Progress,
    ) -> Self {
        let log = tempfile::tempdir().expect("a directory can be made");
        let namespace = run.system.namespace();
        let api = Arc::new(ApiServer::in_namespace(
            namespace,
            &log.path().join("proxy"),
        ));
        let writes = Writes::of(&api);
        let acme = api.get(ACME).await.expect("there is a system");
        let mut walk = Self {
            wanted: identity(&acme),
            pods: BTreeMap::new(),
            made: Made(Vec::new()),
            asked,
            run,
            progress,
            dice,
            api,
            writes,
            _log: log,
        };
        walk.settles().await;
        timeout(SOON, walk.writes.until(Seen::has_all_deployments))
            .await
            .expect("they are watched");
        walk.pods_stayed();
        walk
    }

    /// One replica of each, as far as it is for us to say, and none that is held back.
    pub(super) async fn keeps_small(&mut self) {
        let small =
            json!({ "api": { "replicas": 1 }, "workers": { "messages": { "resources": null } } });
        self.accepted(small).await;
    }

    pub(super) fn described(&self) -> Value {
        self.writes.system()["spec"].clone()
    }

    /// As a whole.
    pub(super) async fn describe(&mut self, spec: &Value) {
        let acme = self.api.replace(ACME, "/spec", spec).await;
        self.wanted = identity(&acme.expect("it was taken before"));
        self.made.0.push(spec.clone());
    }

    async fn accepted(&mut self, change: Value) {
        let acme = self.api.merge(ACME, &json!({ "spec": change })).await;
        let acme = acme.unwrap_or_else(|complaint| panic!("{change}: {complaint}"));
        self.wanted = identity(&acme);
        self.made.0.push(change);
    }

    /// One of them, or one that has to be refused.
    pub(super) async fn changes(&mut self, quiet: bool) {
        self.progress.changes += 1;
        if self.dice.random_bool(REFUSED) {
            return self.is_refused().await;
        }
        let mut among = changes::quiet();
        if !quiet {
            among.extend(changes::rolling());
        }
        let change = self.one_of(among);
        let Ok(acme) = self.api.merge(ACME, &json!({ "spec": change })).await else {
            // Of what was said before it can be a contradiction.
            return self.nothing_came_of_it().await;
        };
        self.wanted = identity(&acme);
        self.made.0.push(change);
        if self.dice.random_bool(0.5) {
            let wanted = self.wanted.clone();
            let begun = self
                .writes
                .until(|seen| identity(&seen.system) == wanted && seen.is_observed());
            timeout(BEGINS, begun).await.ok();
        }
    }

    fn one_of(&mut self, mut changes: Vec<Value>) -> Value {
        changes.swap_remove(self.dice.random_range(0..changes.len()))
    }

    async fn is_refused(&mut self) {
        let change = self.one_of(changes::refused());
        let answer = self.api.merge(ACME, &json!({ "spec": change })).await;
        answer.expect_err("it cannot work");
        self.nothing_came_of_it().await;
    }

    async fn nothing_came_of_it(&mut self) {
        self.progress.refused += 1;
        let acme = self.api.get(ACME).await.expect("there is a system");
        assert_eq!(
            identity(&acme),
            self.wanted,
            "a refused change changes nothing"
        );
    }

    /// What is taken and cannot work is told, and leaves everything as it was.
    pub(super) async fn makes_a_mistake(&mut self) {
        self.progress.changes += super::MISTAKE;
        let before = self.run.system.children().expect("there is an API server");
        let described = self.described();
        let change = self.one_of(changes::mistakes());
        let Ok(acme) = self.api.merge(ACME, &json!({ "spec": change })).await else {
            return self.nothing_came_of_it().await;
        };
        self.wanted = identity(&acme);
        let wanted = self.wanted.clone();
        let told = self.writes.until(|seen| {
            identity(&seen.system) == wanted && seen.is_told("Progressing", "Refused")
        });
        timeout(SOON, told)
            .await
            .unwrap_or_else(|_| panic!("nobody is told of {change}"));
        let after = self.run.system.children().expect("there is an API server");
        assert_eq!(after.differences(&before), Vec::<String>::new(), "{change}");
        self.describe(&described).await;
        self.settles().await;
    }

    /// The operator dies right after its next write in such a change, and the one after it brings everything to its end.
    pub(super) async fn dies_in(&mut self, scene: Scene) {
        self.progress.changes += 1;
        let after = self.progress.deaths.entry(scene).or_default().next.max(1);
        let knife = Knife::drawn(&self.run.system);
        let writes = match scene {
            Scene::Install => self.is_installed().await,
            _ => {
                let writes = self.writes.count();
                self.accepted(scene.change(&self.described())).await;
                writes
            }
        };
        let dying = self.writes.until(|seen| seen.writes >= writes + after);
        let dies = tokio::select! {
            () = dying => true,
            () = self.settles() => false,
        };
        let deaths = self.progress.deaths.entry(scene).or_default();
        match dies {
            true => {
                knife.falls();
                deaths.all += 1;
                deaths.next = after + 1;
                deaths.most = deaths.most.max(after);
            }
            // All writes of such a change were the last ones once: from the beginning.
            false => deaths.next = 1,
        }
        let all = self.progress.deaths();
        if dies && all.is_multiple_of(2) {
            replace_pod(&self.run.system);
        }
        self.is_as_a_new_one().await;
    }

    /// Returns how many writes there were before.
    async fn is_installed(&mut self) -> usize {
        let acme = json!({
            "apiVersion": SYSTEMS.0,
            "kind": "ChatSystem",
            "metadata": { "name": "acme" },
            "spec": self.described(),
        });
        self.run.system.kubectl(&[
            "delete",
            "chatsystem/acme",
            "--cascade=foreground",
            "--timeout=180s",
        ]);
        timeout(SOON, self.writes.until(Seen::has_no_children))
            .await
            .expect("children go with their system");
        let writes = self.writes.count();
        self.run.system.apply(&acme);
        self.made.0.push(json!("installed"));
        self.wanted = identity(&self.api.get(ACME).await.expect("it was made"));
        writes
    }
}

pub(super) fn identity(acme: &Value) -> (Value, Value) {
    let metadata = &acme["metadata"];
    (metadata["uid"].clone(), metadata["generation"].clone())
}
