//! The contract is only worth something if it can be broken: good answers pass, and each kind of wrong
//! one is noticed.

use e2e::client::{Answer, Client};
use e2e::contract::Contract;
use e2e::program::Program;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

#[tokio::test]
async fn every_kind_of_wrong_answer_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start(&dir.path().join("data")).await;
    let client = Client::new(&program.place).await;
    let created = client
        .post("/apps", json!({ "name": "a" }))
        .await
        .expect(201);
    let path = created.location();
    let shown = client.get(&path).await.expect(200);
    let missing = client.get("/api/v1/applications/none").await.expect(404);
    let contract = client.contract();
    let check = |path: &str, answer: &Answer| contract.faults(&Method::GET, path, answer);
    assert_eq!(check(&path, &shown), [""; 0]);
    assert_eq!(check(&path, &missing), [""; 0]);

    let told = |faults: Vec<String>, what: &str| {
        assert!(
            faults.iter().any(|fault| fault.contains(what)),
            "{what:?} is not in {faults:?}"
        );
    };
    let with_body = |answer: &Answer, change: fn(&mut Value)| {
        let mut answer = answer.clone();
        change(&mut answer.body);
        answer
    };
    let with_header = |answer: &Answer, name: &'static str, value: &'static str| {
        let mut answer = answer.clone();
        let value = HeaderValue::from_static(value);
        answer.headers.insert(HeaderName::from_static(name), value);
        answer
    };
    let without_header = |answer: &Answer, name: &str| {
        let mut answer = answer.clone();
        answer.headers.remove(name);
        answer
    };
    let with_status = |answer: &Answer, status| Answer {
        status,
        ..answer.clone()
    };

    let lacks = with_body(&shown, |body| {
        drop(body.as_object_mut().map(|body| body.remove("name")))
    });
    told(check(&path, &lacks), "\"name\" is a required property");
    let more = with_body(&shown, |body| body["secret"] = json!(1));
    told(check(&path, &more), "'secret' was unexpected");
    let wrong_type = with_body(&shown, |body| body["chats_count"] = json!("0"));
    told(check(&path, &wrong_type), "/chats_count");
    let wrong_format = with_body(&shown, |body| body["created_at"] = json!("yesterday"));
    told(check(&path, &wrong_format), "date-time");
    let wrong_pattern = with_body(&shown, |body| body["token"] = json!("lower case"));
    told(check(&path, &wrong_pattern), "/token");

    told(
        check(&path, &with_status(&shown, 206)),
        "the status 206 is not described",
    );
    told(
        check(&path, &with_header(&shown, "x-powered-by", "us")),
        "x-powered-by",
    );
    told(
        check(&path, &with_header(&shown, "content-type", "text/html")),
        "media type",
    );
    told(
        check(&path, &without_header(&shown, "x-request-id")),
        "x-request-id",
    );
    told(
        check("/api/v1/nothing", &shown),
        "the path is not described",
    );
    told(
        contract.faults(&Method::TRACE, &path, &shown),
        "the method is not described",
    );

    told(
        check(
            &path,
            &with_header(&missing, "content-type", "application/json"),
        ),
        "it is application/json",
    );
    let other = with_body(&missing, |body| body["status"] = json!(400));
    told(check(&path, &other), "another one in the body");
    let other = with_body(&missing, |body| body["type"] = json!("about:blank"));
    told(check(&path, &other), "/type");
    let other = with_body(&missing, |body| body["instance"] = json!("x"));
    told(check(&path, &other), "request id");
    told(
        check(&path, &with_status(&missing, 503)),
        "when to try again",
    );
    program.stop().await;
}

#[tokio::test]
async fn every_route_is_described_and_every_description_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start(&dir.path().join("data")).await;
    let client = Client::new(&program.place).await;
    let operations = client.contract().operations();
    assert!(operations.len() >= 28, "{operations:?}");
    for (method, template) in operations {
        let path = template
            .replace("{token}", "none")
            .replace("{key_id}", "none");
        let path = path
            .replace("{chat_number}", "1")
            .replace("{message_number}", "1");
        for path in [path.as_str(), path.trim_start_matches("/api/v1")] {
            // Without its body a request is refused, but by its route.
            let answer = client.call(method.clone(), path).send().await;
            assert_ne!(answer.status, 405, "{method} {path}");
            let routed = !answer.text.contains("no route has this path");
            assert!(routed, "{method} {path}: {answer:?}");
        }
    }
    let document = client.document().await;
    assert_eq!(
        document["openapi"].as_str().map(|version| &version[..4]),
        Some("3.1.")
    );
    // It can be read again from what was read.
    Contract::new(&document);
    program.stop().await;
}
