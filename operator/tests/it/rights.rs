//! What the operator is tried under on a real API server is what its chart grants.

use serde_json::Value;
use std::collections::BTreeSet;

const CHART: &str = include_str!("../../../charts/chat-operator/templates/rbac.yaml");
const TRIED: &str = include_str!("../control_plane/rights.yaml");

/// Group, resource and verb.
type Right = (String, String, String);

fn rights(rules: &Value) -> BTreeSet<Right> {
    let texts = |value: &Value| -> Vec<String> {
        let list = value.as_array().unwrap().iter();
        list.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in rules.as_array().unwrap() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    rights.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    rights
}

#[test]
fn the_tests_grant_what_the_chart_grants() {
    let (_, rules) = CHART.split_once("{{- define \"rules\" -}}\n").unwrap();
    let (rules, _) = rules.split_once("\n{{- end }}\n").unwrap();
    // All but the names that Secrets can be narrowed to is plain YAML.
    let plain = rules.lines().filter(|line| !line.contains("{{"));
    let plain = plain.collect::<Vec<_>>().join("\n");
    let chart: Value = serde_saphyr::from_str(&plain).unwrap();
    let tried: Value = serde_saphyr::from_str(TRIED).unwrap();
    assert_eq!(rights(&tried["watched"]), rights(&chart));
}
