//! Who gets in.

use crate::contract::DOCUMENT;
use crate::system::{ADMIN_KEY, System, a_system, with_keys};
use http::Method;
use serde_json::json;

async fn an_application(system: &System) -> (String, String) {
    let create = system
        .call(Method::POST, "/applications")
        .key(ADMIN_KEY)
        .json(json!({ "name": "a" }));
    let created = create.send().await.expect(201);
    (
        created.body["token"].as_str().unwrap().to_owned(),
        created.body["api_key"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn without_a_credential_no_route_answers() {
    let system = System::with(with_keys()).await;
    let (token, _) = an_application(&system).await;
    for (template, methods) in DOCUMENT["paths"].as_object().unwrap() {
        let path = template
            .replace("{token}", &token)
            .replace("{chat_number}", "1")
            .replace("{message_number}", "1")
            .replace("{key_id}", "0123456789abcdef");
        for method in methods.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            for header in [
                None,
                Some("Bearer wrong"),
                Some("Basic Zm9vOmJhcg=="),
                Some("Bearer"),
            ] {
                let call = system.call(method.clone(), &path).json(json!({
                    "application_token": token, "chat_number": 1, "content": "x",
                }));
                let call = match header {
                    Some(header) => call.header("authorization", header),
                    None => call,
                };
                let refused = call.send().await.problem(401, "unauthenticated");
                assert!(refused.header("www-authenticate").starts_with("Bearer"));
            }
        }
    }
}

#[tokio::test]
async fn what_is_for_administrators_needs_the_admin_key() {
    let system = System::with(with_keys()).await;
    let (_, key) = an_application(&system).await;
    for (method, path) in [
        (Method::GET, "/applications"),
        (Method::POST, "/applications"),
        (Method::GET, "/chats"),
        (Method::GET, "/messages"),
    ] {
        let call = || {
            system
                .call(method.clone(), path)
                .json(json!({ "name": "b" }))
        };
        call().key(&key).send().await.problem(403, "forbidden");
        let let_in = call().key(ADMIN_KEY).send().await;
        assert!(matches!(let_in.status, 200 | 201), "{let_in:?}");
    }
}

#[tokio::test]
async fn the_key_of_an_application_and_the_admin_key_open_it() {
    let system = System::with(with_keys()).await;
    let (token, key) = an_application(&system).await;
    for key in [key.as_str(), ADMIN_KEY] {
        system
            .call(Method::GET, &format!("/applications/{token}"))
            .key(key)
            .send()
            .await
            .expect(200);
        let body = json!({ "application_token": token, "chat_number": 9, "content": "x" });
        system
            .call(Method::POST, "/messages")
            .key(key)
            .json(body)
            .send()
            .await
            .problem(404, "not-found");
    }
}

#[tokio::test]
async fn unknown_foreign_and_missing_answer_alike() {
    let system = System::with(with_keys()).await;
    let (mine, key) = an_application(&system).await;
    let (foreign, _) = an_application(&system).await;
    let ask = async |token: &str, key: &str| {
        let call = system
            .call(Method::GET, &format!("/applications/{token}/chats/1"))
            .key(key);
        call.header("x-request-id", "one")
            .header("traceparent", "none")
            .send()
            .await
    };
    let expected = ask(&foreign, &key).await.problem(401, "unauthenticated");
    for (token, key) in [
        ("01234567890123456789012345", key.as_str()),
        ("malformed", &key),
        (
            &mine,
            "cs_0123456789abcdef_0123456789012345678901234567890123456789012",
        ),
        (&mine, "nonsense"),
    ] {
        let refused = ask(token, key).await;
        assert_eq!(
            (refused.status, &refused.text),
            (expected.status, &expected.text),
            "{token}"
        );
    }
    let missing = ask("01234567890123456789012345", ADMIN_KEY)
        .await
        .problem(404, "not-found");
    assert_eq!(ask("malformed", ADMIN_KEY).await.text, missing.text);
    assert_eq!(
        ask(&mine, &key).await.problem(404, "not-found").text,
        missing.text
    );
}

#[tokio::test]
async fn without_keys_only_names_of_loopback_are_served() {
    let system = a_system().await;
    for host in ["localhost:8080", "127.0.0.1", "[::1]:8080"] {
        system
            .call(Method::GET, "/applications")
            .header("host", host)
            .send()
            .await
            .expect(200);
    }
    for host in ["example.com", "127.0.0.1.example.com:8080"] {
        let call = system
            .call(Method::GET, "/applications")
            .header("host", host);
        call.send().await.problem(403, "forbidden");
    }
    let with_keys = System::with(with_keys()).await;
    let call = with_keys
        .call(Method::GET, "/applications")
        .header("host", "example.com")
        .key(ADMIN_KEY);
    call.send().await.expect(200);
}
