//! Of what the chart grants nothing is for nothing. What is missing shows in every test: nothing that the operator asks
//! for may be forbidden.

pub(crate) mod granted;

use crate::plane::setting;
use granted::{RIGHTS, Right, granted};
use serde_json::Value;
use std::collections::BTreeSet;

/// Nobody sees this one in a request: the API server asks for it when a child that names its owner is written.
const UNSEEN: (&str, &str, &str) = ("chatsystem.io", "chatsystems/finalizers", "update");

/// What the operator had to be granted for this request, as the API server wrote it down. Objects that an apply makes are
/// created besides.
fn used(entry: &Value) -> Vec<Right> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (object, code) = (&entry["objectRef"], &entry["responseStatus"]["code"]);
    if entry["user"]["username"] != "operator" || code == 403 {
        return Vec::new();
    }
    let parts = [text(&object["resource"]), text(&object["subresource"])];
    let of = parts.join("/").trim_end_matches('/').to_owned();
    let verb = text(&entry["verb"]);
    let creates = verb == "patch" && code == 201;
    let created = creates.then(|| "create".to_owned());
    // Of any object, and of this one.
    let names = [None, Some(text(&object["name"]))];
    let verbs = created.into_iter().chain([verb]);
    verbs
        .flat_map(|verb| {
            let right = |name| (text(&object["apiGroup"]), of.clone(), verb.clone(), name);
            names.clone().map(right)
        })
        .collect()
}

#[test]
#[ignore = "it judges what the tests before it did: `make test-control-plane`"]
fn every_right_was_used() {
    let Some(audit) = setting("CONTROL_PLANE_AUDIT") else {
        return;
    };
    let log = std::fs::read_to_string(audit).unwrap();
    let entries = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let used: BTreeSet<_> = entries.flat_map(|entry: Value| used(&entry)).collect();
    let rules: Value = serde_saphyr::from_str(RIGHTS).unwrap();
    let mut unused = granted(&rules["watched"]);
    unused.extend(granted(&rules["own"]));
    let (group, of, verb) = UNSEEN;
    assert!(unused.remove(&(group.to_owned(), of.to_owned(), verb.to_owned(), None)));
    unused.retain(|right| !used.contains(right));
    assert!(unused.is_empty(), "nobody needed {unused:#?}");
}
