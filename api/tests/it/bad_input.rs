//! Requests that cannot be understood.

use crate::system::{System, a_system};
use http::Method;
use serde_json::json;

async fn post_raw(system: &System, media: &str, body: impl Into<Vec<u8>>) -> crate::system::Answer {
    system
        .call(Method::POST, "/api/v1/applications")
        .raw(media, body)
        .send()
        .await
}

#[tokio::test]
async fn what_is_not_json_is_told_where() {
    let system = a_system().await;
    for (body, place) in [
        (&b"{\"name\": \"a\",\n}"[..], "line 2 column 1"),
        (b"{\"name\": \"a\"", "line 1"),
        (b"name=a", "line 1 column 2"),
        (b"{\"name\": \"\xff\"}", "byte 10"),
        (b"{\"name\": \"\\ud800\"}", "line 1"),
        (b"", "empty"),
        (b"{} {}", "line 1 column 4"),
    ] {
        let refused = post_raw(&system, "application/json", body)
            .await
            .problem(400, "malformed-body");
        assert!(
            refused.body["detail"].as_str().unwrap().contains(place),
            "{refused:?}"
        );
    }
    post_raw(&system, "application/json", "[".repeat(100_000))
        .await
        .problem(400, "malformed-body");
    for body in ["[]", "7", "null", "\"name\""] {
        post_raw(&system, "application/json", body)
            .await
            .blames(&["(body)"]);
    }
    assert_eq!(system.get("/applications").await.body["meta"]["total"], 0);
}

#[tokio::test]
async fn other_media_types_are_answered_with_json_by_name() {
    let system = a_system().await;
    for media in [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/xml",
    ] {
        let refused = post_raw(&system, media, "name=a")
            .await
            .problem(415, "unsupported-media-type");
        assert!(
            refused.body["detail"]
                .as_str()
                .unwrap()
                .contains("application/json"),
            "{refused:?}"
        );
    }
    let gzip = system
        .call(Method::POST, "/applications")
        .json(json!({ "name": "a" }))
        .header("content-encoding", "gzip");
    gzip.send().await.problem(415, "unsupported-media-type");
    post_raw(
        &system,
        "application/json; charset=utf-8",
        "{\"name\":\"a\"}",
    )
    .await
    .expect(201);
}

#[tokio::test]
async fn a_body_has_at_most_256_kib() {
    let system = a_system().await;
    let chats = format!("{}/chats", system.an_application().await);
    let fits = format!("{{{}}}", " ".repeat(256 * 1024 - 2));
    system
        .call(Method::POST, &chats)
        .raw("application/json", fits)
        .send()
        .await
        .expect(201);
    let too_large = format!("{{{}}}", " ".repeat(256 * 1024 - 1));
    system
        .call(Method::POST, &chats)
        .raw("application/json", too_large)
        .send()
        .await
        .problem(413, "body-too-large");
}

#[tokio::test]
async fn an_unknown_path_is_missing_and_an_unknown_method_is_not_allowed() {
    let system = a_system().await;
    let application = system.an_application().await;
    for path in [
        "/",
        "/api",
        "/api/v1",
        "/api/v2/applications",
        "/applications/",
        "/nothing",
        "/metrics",
        "/readyz",
    ] {
        system.get(path).await.problem(404, "not-found");
    }
    for (method, path, allow) in [
        (Method::PUT, "/applications".to_owned(), "GET,HEAD,POST"),
        (
            Method::POST,
            application.clone(),
            "DELETE,GET,HEAD,PATCH,PUT",
        ),
        (
            Method::DELETE,
            format!("{application}/chats"),
            "GET,HEAD,POST",
        ),
        (Method::TRACE, "/messages".to_owned(), "GET,HEAD,POST"),
    ] {
        let refused = system
            .call(method, &path)
            .send()
            .await
            .problem(405, "method-not-allowed");
        assert_eq!(sorted(refused.header("allow")), allow);
    }
}

fn sorted(list: &str) -> String {
    let mut words: Vec<&str> = list.split(',').map(str::trim).collect();
    words.sort_unstable();
    words.join(",")
}

#[tokio::test]
async fn head_and_options_are_answered() {
    let system = a_system().await;
    let application = system.an_application().await;
    let head = system
        .call(Method::HEAD, &application)
        .send()
        .await
        .expect(200);
    assert_ne!(head.header("content-length"), "0");
    system
        .call(Method::HEAD, "/applications/nothing")
        .send()
        .await
        .expect(404);
    let options = system
        .call(Method::OPTIONS, &application)
        .send()
        .await
        .expect(204);
    assert_eq!(sorted(options.header("allow")), "DELETE,GET,HEAD,PATCH,PUT");
    system
        .call(Method::OPTIONS, "/nothing")
        .send()
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_refused_wherever_it_stands() {
    let system = a_system().await;
    let application = system.an_application().await;
    system.get("/applications/%FF").await.blames(&["(path)"]);
    system
        .get(&format!("{application}/chats/%C3%28"))
        .await
        .blames(&["(path)"]);
    system
        .get(&format!("{application}/chats?%FF=1"))
        .await
        .blames(&["%FF=1"]);
    system
        .get(&format!("{application}/chats?limit=%FF"))
        .await
        .blames(&["limit"]);
    system
        .get("/applications/%00")
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn unknown_and_repeated_parameters_are_refused() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    let application = chat.strip_suffix("/chats/1").unwrap();
    system
        .get(&format!("{application}/chats?limit=1&limit=2&offset=3"))
        .await
        .blames(&["limit", "offset"]);
    system
        .get(&format!("{application}?verbose"))
        .await
        .blames(&["verbose"]);
    system
        .post(&format!("{chat}/messages?x=1"), json!({ "content": "x" }))
        .await
        .blames(&["x"]);
    system
        .delete(&format!("{chat}?force=true"))
        .await
        .blames(&["force"]);
    system.get(&chat).await.expect(200);
}

#[tokio::test]
async fn names_in_a_refusal_are_cut_short() {
    let system = a_system().await;
    let long = "x".repeat(10_000);
    let refused = system
        .post("/applications", json!({ "name": "a", long: 1 }))
        .await
        .problem(400, "invalid-request");
    assert!(refused.text.len() < 1_000, "{refused:?}");
    let many: serde_json::Map<_, _> = (0..1_000)
        .map(|number| (format!("f{number}"), json!(1)))
        .collect();
    let refused = system
        .post("/applications", many.into())
        .await
        .problem(400, "invalid-request");
    assert!(refused.body["errors"].as_array().unwrap().len() <= 21);
}
