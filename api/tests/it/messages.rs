//! Messages.

use crate::system::{a_system, eventually};
use http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_message_is_accepted_shown_edited_and_deleted() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    let body = json!({
        "content": "héllo \u{1F600}\r\n",
        "author": "Ada",
        "metadata": { "z": [1, { "a": null }], "a": "b" },
        "reply_to": 999,
        "created_at": "2001-02-03T04:05:06.789+01:00",
    });
    let created = system
        .post(&format!("{chat}/messages"), body.clone())
        .await
        .expect(201);
    let path = created.location();
    assert_eq!(path, format!("{chat}/messages/1"));

    let shown = system.get(&path).await.expect(200);
    for field in ["content", "author", "metadata", "reply_to"] {
        assert_eq!(shown.body[field], body[field]);
    }
    assert_eq!(shown.body["created_at"], "2001-02-03T03:05:06.789Z");
    assert_eq!(
        (&shown.body["chat_number"], &shown.body["rev"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(shown.body["id"], created.body["id"]);
    assert_eq!(
        system.get(&chat).await.expect(200).body["messages_count"],
        1
    );

    let edited = system
        .patch(&path, json!({ "message": { "body": "changed" } }))
        .await
        .expect(202);
    let shown = eventually(
        || system.get(&path),
        |shown| shown.body["content"] == "changed",
    )
    .await;
    assert_eq!(shown.body["rev"], edited.body["rev"]);
    assert_eq!(
        shown.body["metadata"], body["metadata"],
        "what was not sent stays"
    );
    system
        .call(Method::PUT, &path)
        .json(json!({ "metadata": null }))
        .send()
        .await
        .expect(202);

    assert_eq!(system.delete(&path).await.expect(202).location(), path);
    eventually(|| system.get(&path), |shown| shown.status == 410)
        .await
        .problem(410, "gone");
    system.delete(&path).await.problem(410, "gone");
    system
        .patch(&path, json!({ "content": "x" }))
        .await
        .problem(410, "gone");
    assert_eq!(
        system
            .get(&format!("{chat}/messages"))
            .await
            .expect(200)
            .body["data"],
        json!([])
    );
    let count = eventually(
        || system.get(&chat),
        |shown| shown.body["messages_count"] == 0,
    )
    .await;
    count.expect(200);
}

#[tokio::test]
async fn a_status_tells_how_far_a_message_has_come() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    let path = system.a_message(&chat, "findable").await;
    let status = format!("{path}/status");
    let stored = eventually(
        || system.get(&status),
        |status| status.body["searchable"] == true,
    )
    .await
    .expect(200);
    assert_eq!(
        (&stored.body["status"], &stored.body["rev"]),
        (&json!("stored"), &json!(0))
    );
    assert!(stored.body["accepted_at"].is_string() && stored.body["stored_at"].is_string());
    system.delete(&path).await.expect(202);
    let deleted = eventually(
        || system.get(&status),
        |status| status.body["status"] == "deleted",
    )
    .await
    .expect(200);
    assert_eq!(deleted.body["searchable"], false);
    system
        .get(&format!("{chat}/messages/2/status"))
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn a_message_can_be_addressed_in_the_body() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    let token = chat.split('/').nth(4).unwrap();
    let body = json!({ "application_token": token, "chat_number": 1, "content": "a" });
    for path in ["/messages", "/api/v1/messages"] {
        let created = system.post(path, body.clone()).await.expect(201);
        assert_eq!(
            system.get(&created.location()).await.expect(200).body["content"],
            "a"
        );
    }
    system
        .post("/messages", json!({ "message": body }))
        .await
        .expect(201);
    system.post("/messages", json!({})).await.blames(&[
        "application_token",
        "chat_number",
        "content",
    ]);
    let unknown = json!({ "application_token": "7".repeat(26), "chat_number": 1, "content": "a" });
    system
        .post("/messages", unknown)
        .await
        .problem(404, "not-found");
    let missing = json!({ "application_token": token, "chat_number": 2, "content": "a" });
    system
        .post("/messages", missing)
        .await
        .problem(404, "not-found");
}

fn numbers(page: &Value) -> Vec<u64> {
    page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["number"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn messages_are_paged_in_both_directions_and_always_ascend() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    for number in 1..=7 {
        system.a_message(&chat, &format!("message {number}")).await;
    }
    system
        .delete(&format!("{chat}/messages/4"))
        .await
        .expect(202);
    let messages = format!("{chat}/messages");
    let fourth = format!("{messages}/4");
    eventually(|| system.get(&fourth), |shown| shown.status == 410).await;

    let mut forwards = Vec::new();
    let mut next = Some(format!("{messages}?after=0&limit=3"));
    let mut complete_through = 0;
    while let Some(page) = next {
        let page = system.get(&page).await.expect(200);
        forwards.extend(numbers(&page.body));
        complete_through = page.body["complete_through"].as_u64().unwrap();
        next = page.next_link();
    }
    assert_eq!(forwards, [1, 2, 3, 5, 6, 7]);
    assert_eq!(complete_through, 7);

    let mut backwards = Vec::new();
    let mut next = Some(format!("{messages}?before=8&limit=3"));
    while let Some(page) = next {
        let page = system.get(&page).await.expect(200);
        backwards.push(numbers(&page.body));
        next = page.next_link();
    }
    assert_eq!(backwards.first().unwrap(), &[5, 6, 7]);
    backwards.reverse();
    assert_eq!(backwards.concat(), [1, 2, 3, 5, 6, 7]);

    system
        .get(&format!("{messages}?after=1&before=3"))
        .await
        .blames(&["before"]);
    system
        .get(&format!("{messages}?before=0"))
        .await
        .blames(&["before"]);
    system
        .get(&format!("{messages}?limit=0&after=x&page=2"))
        .await
        .blames(&["after", "limit", "page"]);
}

#[tokio::test]
async fn a_reader_may_wait() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    let path = system.a_message(&chat, "x").await;
    let wait = |prefer: &str| {
        system
            .call(Method::GET, &path)
            .header("prefer", prefer)
            .send()
    };
    assert_eq!(
        wait("wait=1")
            .await
            .expect(200)
            .header("preference-applied"),
        "wait=1"
    );
    assert_eq!(
        wait("respond-async, wait=600")
            .await
            .expect(200)
            .header("preference-applied"),
        "wait=10"
    );
    assert_eq!(
        wait("wait=soon")
            .await
            .expect(200)
            .header("preference-applied"),
        ""
    );
}

#[tokio::test]
async fn what_was_never_sent_is_missing() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    let unknown = chat.replace("/chats/1", "/chats/77");
    for path in [
        format!("{chat}/messages/1"),
        format!("{unknown}/messages/1"),
        format!("{unknown}/messages"),
    ] {
        system.get(&path).await.problem(404, "not-found");
    }
    system
        .post(&format!("{unknown}/messages"), json!({ "content": "x" }))
        .await
        .problem(404, "not-found");
    system
        .delete(&format!("{chat}/messages/1"))
        .await
        .problem(404, "not-found");
    system
        .patch(&format!("{chat}/messages/1"), json!({ "content": "x" }))
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn a_message_must_be_right_in_every_field() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    let messages = format!("{chat}/messages");
    for content in [
        json!(null),
        json!(""),
        json!(7),
        json!("a\u{0}b"),
        json!("x".repeat(10_001)),
        json!(["x"]),
    ] {
        system
            .post(&messages, json!({ "content": content }))
            .await
            .blames(&["content"]);
    }
    let wrong = json!({
        "content": "x", "author": "", "metadata": "text", "reply_to": 0, "created_at": "yesterday", "rev": 1,
    });
    system.post(&messages, wrong).await.blames(&[
        "author",
        "metadata",
        "reply_to",
        "created_at",
        "rev",
    ]);
    for reply_to in [
        json!(-1),
        json!(1.5),
        json!("1"),
        json!(9_007_199_254_740_992_u64),
    ] {
        system
            .post(&messages, json!({ "content": "x", "reply_to": reply_to }))
            .await
            .blames(&["reply_to"]);
    }
    system
        .post(
            &messages,
            json!({ "content": "x", "created_at": "2999-01-01T00:00:00Z" }),
        )
        .await
        .blames(&["created_at"]);
    system
        .post(&messages, json!({ "content": "x", "body": "y" }))
        .await
        .blames(&["body"]);
    let deep = json!({ "a": { "b": { "c": { "d": { "e": {} } } } } });
    system
        .post(&messages, json!({ "content": "x", "metadata": deep }))
        .await
        .blames(&["metadata"]);
    system
        .post(
            &messages,
            json!({ "content": "x", "metadata": { "a": "x".repeat(8192) } }),
        )
        .await
        .blames(&["metadata"]);
    assert_eq!(
        system.get(&chat).await.expect(200).body["messages_count"],
        0
    );
    let largest = "\u{1F600}".repeat(10_000);
    let path = system.a_message(&chat, &largest).await;
    assert_eq!(
        path,
        format!("{chat}/messages/1"),
        "refused messages cost no numbers"
    );
    assert_eq!(system.get(&path).await.expect(200).body["content"], largest);
}

#[tokio::test]
async fn an_administrator_lists_messages_of_all_applications() {
    let system = a_system().await;
    for _ in 0..2 {
        let chat = system.a_chat().await;
        system.a_message(&chat, "a").await;
        system.a_message(&chat, "b").await;
    }
    let mut contents = Vec::new();
    let mut next = Some("/messages?limit=3".to_owned());
    while let Some(page) = next {
        let page = system.get(&page).await.expect(200);
        let data = page.body["data"].as_array().unwrap().iter();
        contents.extend(data.map(|message| message["content"].as_str().unwrap().to_owned()));
        next = page.next_link();
    }
    assert_eq!(contents, ["a", "b", "a", "b"]);
    system
        .get("/messages?after=nonsense&query=x")
        .await
        .blames(&["after", "query"]);
}
