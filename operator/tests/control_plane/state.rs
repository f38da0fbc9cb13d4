//! What a namespace holds, without what differs from one installation to the next: identities, times, checksums of
//! Secrets and who wrote what.

use crate::plane::{eventually, patiently};
use crate::room::Room;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use operator::kinds::Kind;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Kind and name, and what is in it.
pub(crate) type State = BTreeMap<String, Value>;

/// Every child there is, whoever made it. A migration is known by what it runs, not by its name, and only the newest
/// counts.
pub(crate) async fn state(room: &Room) -> State {
    let mut state = State::new();
    for kind in Kind::ALL {
        let resource = kind.resource();
        let api = room.dynamic(&resource.api_version, &resource.kind, &resource.plural);
        let objects = match api.list(&ListParams::default()).await {
            // The cluster does not know the kind.
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            objects => objects.unwrap(),
        };
        for object in objects {
            // Made in every namespace by others.
            if ["default", "kube-root-ca.crt"].contains(&object.name_any().as_str()) {
                continue;
            }
            let name = match kind {
                Kind::Job => "migration".to_owned(),
                _ => object.name_any(),
            };
            let value = serde_json::to_value(&object).unwrap();
            let text = value.to_string().replace(&room.namespace, "NAMESPACE");
            let mut value: Value = serde_json::from_str(&text).unwrap();
            strip(&mut value);
            if kind == Kind::Job {
                value["metadata"].as_object_mut().unwrap().remove("name");
            }
            state.insert(format!("{} {name}", kind.name()), value);
        }
    }
    state
}

const DIFFERS: [&str; 21] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "generateName",
    "observedGeneration",
    "chatsystem.io/checksum",
    "chatsystem.io/applied-hash",
    "deployment.kubernetes.io/revision",
    "lastTransitionTime",
    "lastUpdateTime",
    "lastProbeTime",
    "startTime",
    "completionTime",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
    "clusterIP",
    "clusterIPs",
];

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !DIFFERS.contains(&key.as_str()));
            map.values_mut().for_each(strip);
            // Empty once what differs is gone.
            let empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
            map.retain(|_, value| !empty(value));
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Deletes the system, and returns when nothing of it is left.
pub(crate) async fn remove(room: &Room) {
    let params = DeleteParams::default();
    room.systems().delete("acme", &params).await.unwrap();
    eventually("everything is gone", async || {
        state(room).await.is_empty().then_some(())
    })
    .await;
}

/// Waits until a namespace holds what is expected, as `view` sees both; says what differs otherwise.
pub(crate) async fn until_same(
    room: &Room,
    expected: &State,
    view: impl Fn(State) -> State,
    what: &str,
) {
    let found = RefCell::new(Vec::new());
    let same = async || {
        let now = view(state(room).await);
        *found.borrow_mut() = differences(expected, &now);
        found.borrow().is_empty().then_some(())
    };
    if patiently(same).await.is_none() {
        panic!("{what}: {:#?}", found.borrow());
    }
}

/// Says what differs, rather than everything that is there.
pub(crate) fn differences(expected: &State, found: &State) -> Vec<String> {
    let mut differences = Vec::new();
    for key in expected
        .keys()
        .chain(found.keys().filter(|key| !expected.contains_key(*key)))
    {
        match (expected.get(key), found.get(key)) {
            (Some(expected), Some(found)) => compare(key, expected, found, &mut differences),
            (Some(_), None) => differences.push(format!("{key} is missing")),
            (None, _) => differences.push(format!("{key} should not be there")),
        }
    }
    differences
}

fn compare(path: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for key in expected
                .keys()
                .chain(found.keys().filter(|key| !expected.contains_key(*key)))
            {
                let at = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                compare(
                    &format!("{path}.{key}"),
                    &at(expected),
                    &at(found),
                    differences,
                );
            }
        }
        _ if expected == found => {}
        _ => differences.push(format!("{path} is {found}, not {expected}")),
    }
}
