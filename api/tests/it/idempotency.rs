//! `Idempotency-Key` over HTTP.

use crate::system::{Answer, System, a_system, eventually};
use http::Method;
use serde_json::{Value, json};

async fn keyed(system: &System, method: Method, path: &str, key: &str, body: Value) -> Answer {
    system
        .call(method, path)
        .header("idempotency-key", key)
        .json(body)
        .send()
        .await
}

#[tokio::test]
async fn the_first_answer_is_given_again_and_nothing_is_added() {
    let system = a_system().await;
    let application = system.an_application().await;
    let (chats, messages) = (
        format!("{application}/chats"),
        format!("{application}/chats/1/messages"),
    );
    for (path, body) in [
        (chats, json!({ "name": "a" })),
        (messages, json!({ "content": "a", "author": "b" })),
    ] {
        let first = keyed(&system, Method::POST, &path, "key", body.clone())
            .await
            .expect(201);
        assert_eq!(first.header("idempotent-replayed"), "");
        let again = keyed(&system, Method::POST, &path, "key", body.clone())
            .await
            .expect(201);
        assert_eq!(
            (&again.text, again.location()),
            (&first.text, first.location())
        );
        assert_eq!(again.header("idempotent-replayed"), "true");
        let mut other = body;
        other["metadata"] = json!({ "a": 1 });
        keyed(&system, Method::POST, &path, "key", other)
            .await
            .problem(422, "idempotency-mismatch");
        let listed = system.get(&path).await.expect(200);
        assert_eq!(listed.body["data"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn wrapped_and_aliased_bodies_are_the_same_request() {
    let system = a_system().await;
    let messages = format!("{}/messages", system.a_chat().await);
    let first = keyed(
        &system,
        Method::POST,
        &messages,
        "key",
        json!({ "content": "a" }),
    )
    .await
    .expect(201);
    let wrapped = json!({ "message": { "body": "a" } });
    let again = keyed(&system, Method::POST, &messages, "key", wrapped)
        .await
        .expect(201);
    assert_eq!(again.text, first.text);
}

#[tokio::test]
async fn the_same_key_in_another_chat_is_another_key() {
    let system = a_system().await;
    let chats = format!("{}/chats", system.an_application().await);
    for _ in 0..2 {
        let chat = system.post(&chats, json!({})).await.expect(201).location();
        let sent = keyed(
            &system,
            Method::POST,
            &format!("{chat}/messages"),
            "key",
            json!({ "content": chat }),
        )
        .await;
        assert_eq!(sent.expect(201).header("idempotent-replayed"), "");
    }
}

#[tokio::test]
async fn an_application_is_created_once_and_its_key_is_shown_once() {
    let system = a_system().await;
    let first = keyed(
        &system,
        Method::POST,
        "/applications",
        "key",
        json!({ "name": "a" }),
    )
    .await
    .expect(201);
    let again = keyed(
        &system,
        Method::POST,
        "/applications",
        "key",
        json!({ "name": "a" }),
    )
    .await
    .expect(201);
    assert_eq!(again.body["token"], first.body["token"]);
    assert!(first.body["api_key"].is_string() && again.body["api_key"].is_null());
    assert_eq!(again.header("idempotent-replayed"), "true");
    let other = keyed(
        &system,
        Method::POST,
        "/applications",
        "key",
        json!({ "name": "b" }),
    )
    .await;
    other.problem(422, "idempotency-mismatch");
    assert_eq!(system.get("/applications").await.body["meta"]["total"], 1);
}

#[tokio::test]
async fn an_edit_is_applied_once() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    let message = system.a_message(&chat, "a").await;
    let edit = || {
        keyed(
            &system,
            Method::PATCH,
            &message,
            "key",
            json!({ "content": "b" }),
        )
    };
    let first = edit().await.expect(202);
    let again = edit().await.expect(202);
    assert_eq!(
        (again.text.as_str(), again.header("idempotent-replayed")),
        (first.text.as_str(), "true")
    );
    eventually(
        || system.get(&message),
        |shown| shown.body["content"] == "b",
    )
    .await;
    let other = keyed(
        &system,
        Method::PATCH,
        &message,
        "key",
        json!({ "content": "c" }),
    )
    .await;
    other.problem(422, "idempotency-mismatch");
}

#[tokio::test]
async fn a_key_is_printable_and_given_once() {
    let system = a_system().await;
    let messages = format!("{}/messages", system.a_chat().await);
    for key in ["", "é", "a\tb", &"x".repeat(256)] {
        keyed(
            &system,
            Method::POST,
            &messages,
            key,
            json!({ "content": "a" }),
        )
        .await
        .blames(&["Idempotency-Key"]);
    }
    let twice = system
        .call(Method::POST, &messages)
        .header("idempotency-key", "a")
        .header("idempotency-key", "b");
    twice
        .json(json!({ "content": "a" }))
        .send()
        .await
        .blames(&["Idempotency-Key"]);
    keyed(
        &system,
        Method::POST,
        &messages,
        &"x".repeat(255),
        json!({ "content": "a" }),
    )
    .await
    .expect(201);
}
