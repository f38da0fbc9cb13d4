//! What the operator is tried under on a real API server is what its chart grants.

#[path = "../control_plane/rights/granted.rs"]
mod granted;

use granted::{RIGHTS, granted};
use serde_json::Value;

const CHART: &str = include_str!("../../../charts/chat-operator/templates/rbac.yaml");

#[test]
fn the_tests_grant_what_the_chart_grants() {
    let (_, rules) = CHART.split_once("{{- define \"rules\" -}}\n").unwrap();
    let (rules, _) = rules.split_once("\n{{- end }}\n").unwrap();
    // All but the names that Secrets can be narrowed to is plain YAML.
    let plain = rules.lines().filter(|line| !line.contains("{{"));
    let plain = plain.collect::<Vec<_>>().join("\n");
    let chart: Value = serde_saphyr::from_str(&plain).unwrap();
    let tried: Value = serde_saphyr::from_str(RIGHTS).unwrap();
    assert_eq!(granted(&tried["watched"]), granted(&chart));
}
