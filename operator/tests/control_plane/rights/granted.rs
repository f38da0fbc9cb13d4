//! What rules grant, and what the operator is tried under: `control_plane/rights.yaml`.

use serde_json::Value;
use std::collections::BTreeSet;

pub(crate) const RIGHTS: &str = include_str!("../rights.yaml");

/// Group, resource with its subresource, verb, and the name of the one object it is narrowed to.
pub(crate) type Right = (String, String, String, Option<String>);

/// Of `rules` as a Role has them.
pub(crate) fn granted(rules: &Value) -> BTreeSet<Right> {
    let texts = |value: &Value| -> Vec<String> {
        let list = value.as_array().unwrap().iter();
        list.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in rules.as_array().unwrap() {
        let names = match &rule["resourceNames"] {
            Value::Null => vec![None],
            names => texts(names).into_iter().map(Some).collect(),
        };
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    for name in names.clone() {
                        rights.insert((group.clone(), resource.clone(), verb.clone(), name));
                    }
                }
            }
        }
    }
    rights
}
