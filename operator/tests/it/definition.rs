//! The resource definition: in sync, small, described, and what the samples need.

use kube::CustomResourceExt;
use operator::crd::ChatSystem;
use operator::manifest;
use serde_json::{Value, json};

const DEFINITION: &str = include_str!("../../../crds/chatsystem.yaml");
const SAMPLES: [(&str, &str); 2] = [
    (
        "ten lines",
        include_str!("../../../examples/ten-lines.yaml"),
    ),
    ("full", include_str!("../../../examples/full.yaml")),
];

fn definition() -> Value {
    serde_json::to_value(ChatSystem::crd()).unwrap()
}

/// Of the whole resource.
fn schema() -> Value {
    definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

#[test]
fn the_committed_definition_is_what_the_program_prints() {
    assert!(
        DEFINITION == manifest::definition(),
        "crds/chatsystem.yaml is not what `chat-operator crd` prints: run `make generated`"
    );
}

#[test]
fn the_definition_survives_its_way_through_yaml() {
    let read: Value = serde_saphyr::from_str(DEFINITION).unwrap();
    assert_eq!(read, definition());
}

#[test]
fn the_definition_fits_into_what_kubectl_apply_remembers() {
    // `kubectl apply` keeps it in an annotation of at most 256 KiB.
    let size = definition().to_string().len();
    assert!(size < 200_000, "{size} bytes");
}

#[test]
fn every_field_of_ours_is_described() {
    fn walk(path: &str, schema: &Value, nameless: &mut Vec<String>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            let described = field["description"].as_str().unwrap_or_default();
            if !described.ends_with('.') {
                nameless.push(path.clone());
            }
            walk(&path, field, nameless);
            walk(&format!("{path}[]"), &field["items"], nameless);
        }
    }
    let mut nameless = Vec::new();
    for part in ["spec", "status"] {
        walk(part, &schema()["properties"][part], &mut nameless);
    }
    // Kubernetes' own types describe themselves, not always in sentences.
    let theirs = [".affinity", "From", ".resources.", ".pullSecrets[]"];
    nameless.retain(|path| !theirs.iter().any(|part| path.contains(part)));
    assert_eq!(nameless, Vec::<String>::new());
}

#[test]
fn the_least_a_resource_needs_is_a_version_and_four_servers() {
    let required = &schema()["properties"]["spec"]["required"];
    let expected = json!(["elasticsearch", "mysql", "rabbitmq", "redis", "version"]);
    assert_eq!(required, &expected);
}

#[test]
fn every_sample_is_read_and_fits_the_schema() {
    // A structural schema forbids nothing that it does not name; the API server's strict validation does.
    let mut strict = schema();
    forbid_the_unknown(&mut strict);
    for name in ["apiVersion", "kind", "metadata"] {
        strict["properties"][name] = json!({});
    }
    let validator = jsonschema::validator_for(&strict).unwrap();
    for (name, sample) in SAMPLES {
        assert_eq!(manifest::read(sample).unwrap().len(), 1);
        let value: Value = serde_saphyr::from_str(sample).unwrap();
        let wrong: Vec<_> = validator
            .iter_errors(&value)
            .map(|e| format!("{} {e}", e.instance_path()))
            .collect();
        assert_eq!(wrong, Vec::<String>::new(), "{name}");
    }
}

fn forbid_the_unknown(schema: &mut Value) {
    if schema.get("properties").is_some() {
        schema["additionalProperties"] = json!(false);
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(forbid_the_unknown),
        Value::Array(items) => items.iter_mut().for_each(forbid_the_unknown),
        _ => {}
    }
}

#[test]
fn the_full_sample_names_every_field_of_the_specification() {
    // Alternatives of what it shows.
    const ELSEWHERE: [&str; 2] = [
        "exposure.httpRoute",
        "podTemplate.topologySpreadConstraints",
    ];
    fn walk(path: &str, schema: &Value, sample: &Value, missing: &mut Vec<String>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}{name}");
            match sample.get(name) {
                None => missing.push(path),
                // Kubernetes' own types and lists are not ours to show in full.
                Some(_) if path.ends_with("affinity") || path.ends_with("resources") => {}
                Some(value) => walk(&format!("{path}."), field, value, missing),
            }
        }
    }
    let sample: Value = serde_saphyr::from_str(SAMPLES[1].1).unwrap();
    let mut missing = Vec::new();
    walk(
        "",
        &schema()["properties"]["spec"],
        &sample["spec"],
        &mut missing,
    );
    missing.retain(|path| {
        let of_another_role = path.starts_with("workers.");
        let key_of_a_secret = path.ends_with("SecretRef.key");
        let authority = path.ends_with("tls.caSecretRef");
        !of_another_role && !key_of_a_secret && !authority && !ELSEWHERE.contains(&path.as_str())
    });
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn what_is_left_out_reads_the_same_here_and_at_the_api_server() {
    // The API server fills in the schema's defaults; the operator's types must fill in the same.
    let sample: Value = serde_saphyr::from_str(SAMPLES[0].1).unwrap();
    let mut filled = sample["spec"].clone();
    fill_in(&schema()["properties"]["spec"], &mut filled);
    let ours = serde_json::to_value(&manifest::read(SAMPLES[0].1).unwrap()[0].spec).unwrap();
    assert_eq!(ours, filled);
}

/// As apiextensions-apiserver does it.
fn fill_in(schema: &Value, value: &mut Value) {
    let (Some(fields), Some(object)) = (schema["properties"].as_object(), value.as_object_mut())
    else {
        return;
    };
    for (name, field) in fields {
        if let (None, Some(default)) = (object.get(name), field.get("default")) {
            object.insert(name.clone(), default.clone());
        }
        if let Some(value) = object.get_mut(name) {
            fill_in(field, value);
        }
    }
}

#[test]
fn the_columns_are_those_people_look_for() {
    let columns = &definition()["spec"]["versions"][0]["additionalPrinterColumns"];
    let names: Vec<_> = columns
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "Ready", "Reason", "Version", "API", "Workers", "Backlog", "Age"
        ]
    );
}

#[test]
fn the_api_is_what_kubectl_scale_scales() {
    let expected = json!({
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.api.replicas",
            "statusReplicasPath": ".status.api.replicas",
            "labelSelectorPath": ".status.api.selector",
        },
    });
    assert_eq!(
        definition()["spec"]["versions"][0]["subresources"],
        expected
    );
}

#[test]
fn another_kind_is_refused_by_name() {
    let refused = manifest::read("apiVersion: v1\nkind: Pod\n").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "apiVersion is \"v1\", not chatsystem.io/v1alpha1"
    );
}
