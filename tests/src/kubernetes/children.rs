//! What the operator made of a ChatSystem, as it is and as it would be if it were made anew, without what differs from one
//! making to the next.

use super::{System, run};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const KINDS: &str = "serviceaccounts,configmaps,networkpolicies,services,poddisruptionbudgets,jobs,deployments,\
                     horizontalpodautoscalers,cronjobs,ingresses";

/// Identities, times, checksums of Secrets, who wrote what, and what became of it. How many pods there are follows from what
/// was, within bounds.
const DIFFERS: [&str; 19] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "namespace",
    "ownerReferences",
    "status",
    "replicas",
    "chatsystem.io/checksum",
    "chatsystem.io/applied-hash",
    "deployment.kubernetes.io/revision",
    "batch.kubernetes.io/job-tracking",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
    "clusterIP",
    "clusterIPs",
];

/// A migration is known by what it runs, not by its name, and earlier ones may be there besides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Children {
    /// By kind and name.
    pub others: BTreeMap<String, Value>,
    pub migrations: Vec<Value>,
}

impl Children {
    fn of(objects: impl IntoIterator<Item = Value>) -> Self {
        let mut children = Self::default();
        for mut object in objects {
            let of = |field: &Value| field.as_str().unwrap_or_default().to_owned();
            let (kind, name) = (of(&object["kind"]), of(&object["metadata"]["name"]));
            strip(&mut object);
            if kind == "Job" {
                object["metadata"] = json!({});
                children.migrations.push(object);
            } else {
                children.others.insert(format!("{kind} {name}"), object);
            }
        }
        children
    }

    /// What it would take to be as the expected ones, a line each. Of migrations the operator keeps three at most.
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let (expected_leaves, leaves) = (leaves_of(&expected.others), leaves_of(&self.others));
        let places: BTreeSet<_> = expected_leaves.keys().chain(leaves.keys()).collect();
        let differs = |place: &&&String| expected_leaves.get(**place) != leaves.get(**place);
        let say = |place: &String| {
            let (now, expected) = (leaves.get(place), expected_leaves.get(place));
            format!("{place} is {now:?}, not {expected:?}")
        };
        let mut differences: Vec<_> = places
            .iter()
            .filter(differs)
            .map(|place| say(place))
            .collect();
        if !expected
            .migrations
            .iter()
            .all(|job| self.migrations.contains(job))
        {
            differences.push(format!(
                "no migration is {:?}, there are {:?}",
                expected.migrations, self.migrations
            ));
        }
        if self.migrations.len() > 3 {
            differences.push(format!("there are {} migrations", self.migrations.len()));
        }
        differences
    }
}

impl System {
    /// As they are.
    pub fn children(&self) -> Result<Children, String> {
        let list = parsed(&self.try_kubectl(&["get", KINDS, "--output=json"])?);
        let items = list["items"].as_array().cloned().unwrap_or_default();
        Ok(Children::of(items.into_iter().filter(is_child)))
    }

    /// As an operator, this program, would make them of this specification in an empty namespace, completed by the API
    /// server. The namespace has to be there; nothing is made in it.
    pub fn made_anew(&self, spec: &Value, operator: &Path, namespace: &str) -> Children {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).expect("a file can be written");
            path.to_str().expect("the path is text").to_owned()
        };
        let resource = json!({
            "apiVersion": "chatsystem.io/v1alpha1",
            "kind": "ChatSystem",
            "metadata": { "name": "acme", "namespace": namespace },
            "spec": spec,
        });
        let resource = file("resource.json", &resource.to_string());
        let rendered = run(Command::new(operator).args(["render", "-f", &resource]));
        let rendered = rendered.unwrap_or_else(|complaint| panic!("{spec}: {complaint}"));
        let rendered = file("rendered.yaml", &rendered);
        let completed = run(Command::new("kubectl").args([
            "apply",
            "--server-side",
            "--dry-run=server",
            "--namespace",
            namespace,
            "--filename",
            &rendered,
            "--output=json",
        ]));
        let completed = completed.unwrap_or_else(|complaint| panic!("{spec}: {complaint}"));
        let list = parsed(&completed);
        Children::of(list["items"].as_array().cloned().unwrap_or_default())
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("kubectl prints JSON")
}

/// Of the ChatSystem itself, not of one of its children.
fn is_child(object: &Value) -> bool {
    object["metadata"]["ownerReferences"][0]["kind"] == "ChatSystem"
}

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

fn leaves_of(objects: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    for (name, object) in objects {
        collect(name, object, &mut leaves);
    }
    leaves
}

fn collect(place: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                collect(&format!("{place}.{key}"), value, leaves);
            }
        }
        Value::Array(list) => {
            for (number, value) in list.iter().enumerate() {
                collect(&format!("{place}[{number}]"), value, leaves);
            }
        }
        leaf => {
            leaves.insert(place.to_owned(), leaf.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(port: u16, uid: &str) -> Value {
        json!({
            "kind": "Service",
            "metadata": { "name": "acme-api", "uid": uid, "annotations": { "chatsystem.io/applied-hash": uid } },
            "spec": { "ports": [{ "port": port }], "clusterIP": uid },
            "status": {},
        })
    }

    fn migration(image: &str) -> Value {
        json!({ "kind": "Job", "metadata": { "name": image }, "spec": { "image": image } })
    }

    #[test]
    fn another_making_of_the_same_makes_no_difference() {
        let now = Children::of([service(80, "a"), migration("old"), migration("new")]);
        let expected = Children::of([service(80, "b"), migration("new")]);
        assert_eq!(now.differences(&expected), Vec::<String>::new());
    }

    #[test]
    fn what_is_other_superfluous_or_missing_is_said() {
        let now = Children::of([
            service(81, "a"),
            json!({ "kind": "ConfigMap", "metadata": { "name": "left" } }),
        ]);
        let expected = Children::of([service(80, "a"), migration("new")]);
        let said = now.differences(&expected).join("\n");
        for part in [
            "Service acme-api.spec.ports[0].port",
            "ConfigMap left",
            "migration",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
}
