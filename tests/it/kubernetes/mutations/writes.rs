//! What the API server tells everybody of a ChatSystem and its children: every write of the operator, as soon as it is done.

use e2e::kubernetes::ApiServer;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(super) const SYSTEMS: (&str, &str) = ("chatsystem.io/v1alpha1", "chatsystems");
const WATCHED: [(&str, &str); 11] = [
    SYSTEMS,
    ("v1", "serviceaccounts"),
    ("v1", "configmaps"),
    ("v1", "services"),
    ("networking.k8s.io/v1", "networkpolicies"),
    ("networking.k8s.io/v1", "ingresses"),
    ("policy/v1", "poddisruptionbudgets"),
    ("apps/v1", "deployments"),
    ("autoscaling/v2", "horizontalpodautoscalers"),
    ("batch/v1", "jobs"),
    ("batch/v1", "cronjobs"),
];

const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Ends watching when dropped.
pub(super) struct Writes {
    seen: Arc<watch::Sender<Seen>>,
    _watching: JoinSet<()>,
}

#[derive(Debug, Default)]
pub(super) struct Seen {
    /// By kind and name: what of it the operator writes.
    written: BTreeMap<String, Value>,
    pub(super) writes: usize,
    /// The ChatSystem as it was told last.
    pub(super) system: Value,
    /// Of the Deployments whose template did not change since the last look: the fewest pods each was to have.
    steady: BTreeMap<String, u64>,
}

impl Writes {
    pub(super) fn of(api: &Arc<ApiServer>) -> Self {
        let seen = Arc::new(watch::Sender::new(Seen::default()));
        let mut watching = JoinSet::new();
        for place in WATCHED {
            watching.spawn(watch(Arc::clone(api), place, Arc::clone(&seen)));
        }
        Self {
            seen,
            _watching: watching,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.seen.borrow().writes
    }

    /// Returns as soon as what was seen is so.
    pub(super) async fn until(&self, right: impl FnMut(&Seen) -> bool) {
        let mut seen = self.seen.subscribe();
        seen.wait_for(right).await.expect("the sender is here");
    }

    pub(super) fn system(&self) -> Value {
        self.seen.borrow().system.clone()
    }

    /// How many pods of each Deployment were not to be replaced since this was last asked.
    pub(super) fn steady(&self) -> BTreeMap<String, u64> {
        let mut steady = BTreeMap::new();
        self.seen.send_modify(|seen| {
            steady = std::mem::take(&mut seen.steady);
            let deployments = seen.written.iter().filter_map(|(place, deployment)| {
                Some((
                    place.strip_prefix("deployments/")?.to_owned(),
                    wanted(deployment),
                ))
            });
            seen.steady = deployments.collect();
        });
        steady
    }
}

fn wanted(deployment: &Value) -> u64 {
    deployment["spec"]["replicas"].as_u64().unwrap_or_default()
}

async fn watch(api: Arc<ApiServer>, place: (&str, &str), seen: Arc<watch::Sender<Seen>>) {
    loop {
        // Whoever waits for a write has a deadline.
        let Ok(list) = api.get(place).await else {
            tokio::time::sleep(ASK_AGAIN).await;
            continue;
        };
        for object in list["items"].as_array().into_iter().flatten() {
            seen.send_modify(|seen| seen.see(place.1, "ADDED", object));
        }
        let Ok(mut events) = api.watch(place, &list).await else {
            continue;
        };
        while let Some(event) = events.next().await {
            let kind = event["type"].as_str().unwrap_or_default();
            if kind == "ERROR" {
                break;
            }
            seen.send_modify(|seen| seen.see(place.1, kind, &event["object"]));
        }
    }
}

impl Seen {
    /// The API's, and those of three roles.
    pub(super) fn has_all_deployments(&self) -> bool {
        let kind = |place: &&String| place.starts_with("deployments/");
        self.written.keys().filter(kind).count() == 4
    }

    pub(super) fn has_no_children(&self) -> bool {
        self.written
            .keys()
            .all(|place| place.starts_with(SYSTEMS.1))
    }

    /// The operator has begun with the description as it is.
    pub(super) fn is_observed(&self) -> bool {
        self.system["status"]["observedGeneration"] == self.system["metadata"]["generation"]
    }

    pub(super) fn is_told(&self, condition: &str, reason: &str) -> bool {
        let conditions = self.system["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        self.is_observed()
            && conditions.any(|told| told["type"] == condition && told["reason"] == reason)
    }

    /// Ready, and nothing of it is still under way.
    pub(super) fn is_settled(&self) -> bool {
        let is_ready = ["AllReady", "SomeReady"]
            .into_iter()
            .any(|reason| self.is_told("Ready", reason));
        is_ready && self.is_told("Progressing", "RolloutComplete")
    }

    fn see(&mut self, kind: &str, event: &str, object: &Value) {
        let is_system = kind == SYSTEMS.1;
        if !is_system && object["metadata"]["ownerReferences"][0]["kind"] != "ChatSystem" {
            return;
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let place = format!("{kind}/{name}");
        if is_system {
            self.system = object.clone();
        }
        if event == "DELETED" {
            self.written.remove(&place);
            self.steady.remove(name);
            // Whoever deletes a ChatSystem is not the operator.
            self.writes += usize::from(!is_system);
            return;
        }
        let now = match is_system {
            // Its specification is ours.
            true => json!({ "status": object["status"] }),
            false => written_by_operator(object),
        };
        let before = self.written.insert(place, now.clone());
        if before.as_ref() == Some(&now) {
            return;
        }
        self.writes += 1;
        if kind == "deployments" {
            self.see_deployment(name, before.as_ref(), &now);
        }
    }

    fn see_deployment(&mut self, name: &str, before: Option<&Value>, now: &Value) {
        let same =
            before.is_some_and(|before| before["spec"]["template"] == now["spec"]["template"]);
        match self.steady.get_mut(name) {
            Some(fewest) if same => *fewest = (*fewest).min(wanted(now)),
            _ => {
                self.steady.remove(name);
            }
        }
    }
}

/// Neither what became of it nor what others note on it.
fn written_by_operator(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for others in ["resourceVersion", "managedFields", "generation"] {
            metadata.remove(others);
        }
    }
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove("deployment.kubernetes.io/revision");
    }
    object
}

#[test]
fn a_write_is_what_the_operator_changed_and_not_what_became_of_it() {
    let deployment = |replicas: u64, image: &str, ready: u64| {
        json!({
            "metadata": { "name": "acme-api", "ownerReferences": [{ "kind": "ChatSystem" }], "resourceVersion": ready.to_string() },
            "spec": { "replicas": replicas, "template": { "image": image } },
            "status": { "readyReplicas": ready },
        })
    };
    let mut seen = Seen::default();
    let kind = "deployments";
    seen.see(kind, "ADDED", &deployment(2, "a", 0));
    assert_eq!(seen.writes, 1);
    seen.see(kind, "MODIFIED", &deployment(2, "a", 2));
    assert_eq!(seen.writes, 1, "it is ready now");
    seen.steady.insert("acme-api".to_owned(), 2);
    seen.see(kind, "MODIFIED", &deployment(1, "a", 2));
    assert_eq!(
        (seen.writes, seen.steady["acme-api"]),
        (2, 1),
        "it was scaled"
    );
    seen.see(kind, "MODIFIED", &deployment(1, "b", 2));
    assert_eq!(
        (seen.writes, seen.steady.len()),
        (3, 0),
        "its pods are replaced"
    );
    seen.see(kind, "DELETED", &deployment(1, "b", 2));
    assert_eq!(seen.writes, 4);
}

#[test]
fn what_others_own_is_no_write_of_the_operator() {
    let job = json!({ "metadata": { "name": "acme-audit-1", "ownerReferences": [{ "kind": "CronJob" }] } });
    let mut seen = Seen::default();
    seen.see("jobs", "ADDED", &job);
    assert_eq!(seen.writes, 0);
}
