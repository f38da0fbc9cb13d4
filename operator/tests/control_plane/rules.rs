//! What the API server refuses by itself: every rule of the definition refuses, with the path of the field, and admits.

mod of_text;
mod schedules;

use crate::plane::{DEFINITION, in_a_namespace};
use crate::room::Room;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

struct Rule {
    /// What is refused, beside the sample of ten lines, and what is not.
    refused: Value,
    admitted: Value,
    /// What has to be there before, so that a change is judged; `None`: it is judged when it is made.
    before: Option<Value>,
    field: String,
    says: &'static str,
}

fn made(field: impl Into<String>, says: &'static str, refused: Value, admitted: Value) -> Rule {
    Rule {
        refused,
        admitted,
        before: None,
        field: field.into(),
        says,
    }
}

fn changed(
    field: &'static str,
    says: &'static str,
    before: Value,
    refused: Value,
    admitted: Value,
) -> Rule {
    Rule {
        before: Some(before),
        ..made(field, says, refused, admitted)
    }
}

fn rules() -> Vec<Rule> {
    let spec = |spec: Value| json!({ "spec": spec });
    let api = |api: Value| spec(json!({ "api": api }));
    let exposure = |exposure: Value| spec(json!({ "exposure": exposure }));
    let nothing = json!({});
    let host = "chat.example.com";
    let route = json!({ "parentRefs": [{ "name": "public" }] });
    let mut rules = vec![
        made(
            "<root>",
            "metadata.name must be a DNS label of at most 40 characters",
            json!({ "metadata": { "name": "1acme" } }),
            json!({ "metadata": { "name": "a".repeat(40) } }),
        ),
        changed(
            "spec.dataPrefix",
            "dataPrefix is immutable",
            spec(json!({ "dataPrefix": "one" })),
            spec(json!({ "dataPrefix": "two" })),
            spec(json!({ "dataPrefix": "one" })),
        ),
        changed(
            "spec.numbering.mode",
            "numbering.mode is immutable",
            nothing.clone(),
            spec(json!({ "numbering": { "mode": "MySQL" } })),
            spec(json!({ "numbering": { "mode": "Redis" } })),
        ),
        changed(
            "spec.api.replicas",
            "replicas has no effect while autoscaling is set",
            api(json!({ "autoscaling": { "maxReplicas": 5 } })),
            api(json!({ "replicas": 4 })),
            api(json!({ "replicas": 4, "autoscaling": null })),
        ),
        made(
            "spec.api.resources",
            "resources needs requests.cpu while autoscaling is set",
            api(
                json!({ "autoscaling": { "maxReplicas": 5 }, "resources": { "requests": { "memory": "1Gi" } } }),
            ),
            api(
                json!({ "autoscaling": { "maxReplicas": 5 }, "resources": { "limits": { "cpu": "1" } } }),
            ),
        ),
        made(
            "spec.api.autoscaling.minReplicas",
            "minReplicas must not exceed maxReplicas",
            api(json!({ "autoscaling": { "minReplicas": 3, "maxReplicas": 2 } })),
            api(json!({ "autoscaling": { "minReplicas": 3, "maxReplicas": 3 } })),
        ),
        made(
            "spec.exposure.host",
            "host is required unless type is None",
            exposure(json!({ "host": null })),
            exposure(json!({ "type": "None", "host": null })),
        ),
        made(
            "spec.exposure.ingress",
            "ingress is only allowed with type Ingress",
            exposure(json!({ "type": "None", "host": host, "ingress": {} })),
            exposure(json!({ "type": "Ingress", "host": host, "ingress": {} })),
        ),
        made(
            "spec.exposure.httpRoute",
            "httpRoute is required with type HTTPRoute and forbidden otherwise",
            exposure(json!({ "type": "HTTPRoute", "host": host })),
            exposure(json!({ "type": "HTTPRoute", "host": host, "httpRoute": route })),
        ),
    ];
    for role in ["chats", "messages", "indexing"] {
        let bounds = |min: i32| {
            let autoscaling = json!({ "minReplicas": min, "maxReplicas": 4 });
            spec(json!({ "workers": { role: { "autoscaling": autoscaling } } }))
        };
        rules.push(made(
            format!("spec.workers.{role}.autoscaling.minReplicas"),
            "minReplicas must not exceed maxReplicas",
            bounds(5),
            bounds(4),
        ));
    }
    for server in ["mysql", "redis", "rabbitmq", "elasticsearch"] {
        let tls = |mode: &str| {
            let tls = json!({ "mode": mode, "caSecretRef": { "name": "ca" } });
            spec(json!({ server: { "tls": tls } }))
        };
        let says = "caSecretRef has no meaning with mode Plaintext";
        let field = format!("spec.{server}.tls.caSecretRef");
        rules.push(made(field, says, tls("Plaintext"), tls("Verify")));
    }
    rules.extend(of_text::rules());
    rules
}

#[test]
fn every_rule_refuses_and_admits() {
    in_a_namespace(async |room| {
        for rule in rules() {
            check(&room, &rule).await;
        }
    });
}

async fn check(room: &Room, rule: &Rule) {
    let systems = room.dynamic("chatsystem.io/v1alpha1", "ChatSystem", "chatsystems");
    let sample = serde_json::to_value(room.sample()).unwrap();
    let object = |change: &Value| -> DynamicObject {
        let mut object = sample.clone();
        merge(&mut object, change);
        serde_json::from_value(object).unwrap()
    };
    let create = async |change: &Value| {
        let made = systems
            .create(&PostParams::default(), &object(change))
            .await?;
        let name = made.metadata.name.clone().unwrap();
        Ok::<_, kube::Error>(name)
    };
    let remove = async |name: &str| {
        systems
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    };
    let refused = match &rule.before {
        None => {
            let refused = create(&rule.refused).await.map(drop);
            let name = create(&rule.admitted).await.unwrap();
            remove(&name).await;
            refused
        }
        Some(before) => {
            let name = create(before).await.unwrap();
            let change = async |change: &Value| {
                let patch = Patch::Merge(change);
                systems
                    .patch(&name, &PatchParams::default(), &patch)
                    .await
                    .map(drop)
            };
            let refused = change(&rule.refused).await;
            change(&rule.admitted).await.unwrap();
            remove(&name).await;
            refused
        }
    };
    let Err(kube::Error::Api(status)) = refused else {
        panic!("it is not refused: {}", rule.refused);
    };
    assert_eq!(status.code, 422, "{status:?}");
    let said = &status.message;
    assert!(said.contains(rule.says), "{said}");
    assert!(
        rule.field == "<root>" || said.contains(&format!("{}:", rule.field)),
        "{said}"
    );
}

/// As `kubectl patch --type=merge` does it.
fn merge(value: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        *value = change.clone();
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    for (key, change) in change {
        match change {
            Value::Null => drop(value.as_object_mut().unwrap().remove(key)),
            _ => merge(&mut value[key], change),
        }
    }
}

#[test]
fn no_rule_is_left_out() {
    let definition: Value = serde_saphyr::from_str(DEFINITION).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut found = Vec::new();
    walk(schema, &mut found);
    let tested = rules();
    assert_eq!(found.len(), tested.len(), "{found:?}");
    for message in found {
        assert!(
            tested.iter().any(|rule| message.starts_with(rule.says)),
            "{message}"
        );
    }
}

fn walk(schema: &Value, messages: &mut Vec<String>) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        messages.push(rule["message"].as_str().unwrap().to_owned());
    }
    for field in schema["properties"].as_object().into_iter().flatten() {
        walk(field.1, messages);
    }
    if let Some(items) = schema.get("items") {
        walk(items, messages);
    }
}
