//! The OpenAPI document itself.

use crate::contract::{self, DOCUMENT};
use crate::system::{Answer, a_system};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    DOCUMENT["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
}

fn every_object(value: &Value, visit: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            visit(fields);
            fields.values().for_each(|field| every_object(field, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| every_object(item, visit)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_served_and_is_openapi_3_1() {
    let served = a_system().await.get("/openapi.json").await.expect(200);
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(served.body, *DOCUMENT);
    assert_eq!(served.body["openapi"], "3.1.0");
}

#[test]
fn every_route_of_the_contract_is_described() {
    let described: BTreeSet<String> = operations()
        .map(|(path, method, _)| format!("{} {path}", method.to_uppercase()))
        .collect();
    let expected: BTreeSet<String> = [
        "POST /api/v1/applications",
        "GET /api/v1/applications",
        "GET /api/v1/applications/{token}",
        "PATCH /api/v1/applications/{token}",
        "PUT /api/v1/applications/{token}",
        "DELETE /api/v1/applications/{token}",
        "POST /api/v1/applications/{token}/keys",
        "GET /api/v1/applications/{token}/keys",
        "DELETE /api/v1/applications/{token}/keys/{key_id}",
        "POST /api/v1/applications/{token}/chats",
        "GET /api/v1/applications/{token}/chats",
        "GET /api/v1/applications/{token}/chats/{chat_number}",
        "PATCH /api/v1/applications/{token}/chats/{chat_number}",
        "PUT /api/v1/applications/{token}/chats/{chat_number}",
        "DELETE /api/v1/applications/{token}/chats/{chat_number}",
        "GET /api/v1/applications/{token}/chats/{chat_number}/gaps",
        "POST /api/v1/applications/{token}/chats/{chat_number}/messages",
        "GET /api/v1/applications/{token}/chats/{chat_number}/messages",
        "GET /api/v1/applications/{token}/chats/{chat_number}/messages/search",
        "GET /api/v1/applications/{token}/chats/{chat_number}/messages/{message_number}",
        "PATCH /api/v1/applications/{token}/chats/{chat_number}/messages/{message_number}",
        "PUT /api/v1/applications/{token}/chats/{chat_number}/messages/{message_number}",
        "DELETE /api/v1/applications/{token}/chats/{chat_number}/messages/{message_number}",
        "GET /api/v1/applications/{token}/chats/{chat_number}/messages/{message_number}/status",
        "GET /api/v1/applications/{token}/messages/search",
        "POST /api/v1/messages",
        "GET /api/v1/messages",
        "GET /api/v1/chats",
    ]
    .map(String::from)
    .into();
    assert_eq!(described, expected);
}

#[test]
fn operation_ids_are_unique_and_every_path_parameter_is_described() {
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations() {
        assert!(METHODS.contains(&method), "{method}");
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap()),
            "{operation}"
        );
        let parameters = operation["parameters"].as_array().unwrap();
        let in_path = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .count();
        assert_eq!(in_path, path.matches('{').count(), "{method} {path}");
        assert!(operation["summary"].is_string(), "{method} {path}");
    }
}

#[test]
fn every_operation_lists_its_problems() {
    for (path, method, operation) in operations() {
        let responses = operation["responses"].as_object().unwrap();
        for status in ["400", "401", "403", "429", "500", "503", "504"] {
            let media = &responses[status]["content"]["application/problem+json"];
            assert_eq!(
                media["schema"]["$ref"], "#/components/schemas/Problem",
                "{method} {path} {status}"
            );
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    every_object(&DOCUMENT, &mut |object| {
        if let Some(place) = object.get("$ref").and_then(Value::as_str) {
            assert!(
                DOCUMENT.pointer(place.strip_prefix('#').unwrap()).is_some(),
                "{place}"
            );
        }
    });
}

#[test]
fn every_schema_is_closed_and_no_answer_leaves_a_field_out() {
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        let Some(properties) = schema["properties"].as_object() else {
            continue;
        };
        assert_eq!(schema["additionalProperties"], false, "{name}");
        if !name.ends_with("Body") && name != "Problem" {
            let required = schema["required"].as_array().map_or(0, Vec::len);
            assert_eq!(required, properties.len(), "{name}: {schema}");
        }
    }
}

#[tokio::test]
async fn swagger_ui_is_served_from_this_program() {
    let system = a_system().await;
    assert_eq!(
        system.get("/docs").await.expect(303).header("location"),
        "/docs/"
    );
    let page = system.get("/docs/").await.expect(200);
    assert!(page.text.contains("swagger-ui"), "{page:?}");
    for outside in ["http://", "https://", "//cdn"] {
        assert!(!page.text.contains(outside), "{outside} in {}", page.text);
    }
    let settings = system.get("/docs/swagger-initializer.js").await.expect(200);
    assert!(settings.text.contains("/openapi.json"), "{settings:?}");
    system
        .get("/docs/nothing.js")
        .await
        .problem(404, "not-found");
}

/// The tests of this directory are worth as much as their checker.
#[tokio::test]
async fn an_answer_that_is_not_as_described_is_noticed() {
    let system = a_system().await;
    let path = system.an_application().await;
    let check = async |spoil: &dyn Fn(&mut Answer)| {
        let mut answer = system.get(&path).await;
        spoil(&mut answer);
        let check = || contract::check(&Method::GET, &path, &answer);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_ok()
    };
    let value = |text: &'static str| http::HeaderValue::from_static(text);
    assert!(check(&|_| {}).await);
    assert!(!check(&|answer| answer.status = 206).await);
    assert!(!check(&|answer| answer.status = 404).await);
    assert!(!check(&|answer| answer.body["extra"] = json!(1)).await);
    assert!(!check(&|answer| answer.body["name"] = json!(null)).await);
    assert!(!check(&|answer| answer.body["created_at"] = json!("today")).await);
    assert!(
        !check(&|answer| drop(answer.body.as_object_mut().unwrap().remove("chats_count"))).await
    );
    assert!(!check(&|answer| drop(answer.headers.insert("x-more", value("1")))).await);
    assert!(
        !check(&|answer| drop(answer.headers.insert("content-type", value("text/plain")))).await
    );
    assert!(!check(&|answer| drop(answer.headers.remove("x-request-id"))).await);
}
