//! What the operator is tried under on a real API server is what its chart grants.

#[path = "../control_plane/rights/granted.rs"]
mod granted;

use granted::{RIGHTS, granted};
use serde_json::Value;

const CHART: &str = include_str!("../../../charts/chat-operator/templates/rbac.yaml");

#[test]
fn the_tests_grant_what_the_chart_grants() {
    let tried: Value = serde_saphyr::from_str(RIGHTS).unwrap();
    let watched = chart("{{- define \"rules\" -}}\n", "\n{{- end }}\n");
    assert_eq!(granted(&tried["watched"]), granted(&watched));
    let own = chart(
        "-lease\" .Release.Name) \"namespace\" .Release.Namespace) | nindent 2 }}\nrules:\n",
        "\n---\n",
    );
    assert_eq!(granted(&tried["own"]), granted(&own));
}

/// The rules of the chart between these two. All but names is plain YAML; those that Secrets can be narrowed to are left
/// out, as the chart does by default.
fn chart(begin: &str, end: &str) -> Value {
    let (_, rules) = CHART.split_once(begin).unwrap();
    let (rules, _) = rules.split_once(end).unwrap();
    let rules = rules.replace("{{ .Release.Name }}", "chat-operator");
    let plain: Vec<_> = rules.lines().filter(|line| !line.contains("{{")).collect();
    serde_saphyr::from_str(&plain.join("\n")).unwrap()
}
