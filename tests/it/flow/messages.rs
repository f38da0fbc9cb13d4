//! Messages from their acceptance to their end, with exact counts after every step.

use super::{a_chat, a_message, an_application, count, gone, revised, stored};
use e2e::client::Client;
use reqwest::Method;
use serde_json::json;

pub(super) async fn are_read_at_once(client: &Client) {
    let application = an_application(client).await;
    let token = application
        .rsplit('/')
        .next()
        .expect("split gives one part");
    let body = json!({ "chat": { "name": "general" } });
    let chat = client.post(&format!("{application}/chats"), body).await;
    let chat = chat.expect(201);
    assert_eq!(chat.body["status"], "processing");
    assert_eq!((chat.number(), &chat.body["rev"]), (1, &json!(0)));
    // A message may follow its chat at once.
    let messages = format!("{}/messages", chat.location());
    let first = client.post(&messages, json!({ "content": "flat" })).await;
    let first = first.expect(201);
    assert_eq!(first.location(), format!("{messages}/1"));
    let read = client.call(Method::GET, &first.location()).wait(10);
    let read = read.send().await.expect(200);
    assert_eq!(read.header("preference-applied"), "wait=10");
    assert_eq!(
        (read.id(), &read.body["content"]),
        (first.id(), &json!("flat"))
    );
    assert_eq!(count(client, &chat.location(), "messages_count").await, 1);

    let bodies = [
        json!({ "message": { "content": "wrapped" } }),
        json!({ "body": "by its old name" }),
        json!({ "message": { "body": "both" } }),
    ];
    for (before, body) in (1..).zip(bodies) {
        let created = client.post(&messages, body).await.expect(201);
        assert_eq!(created.number(), before + 1);
        stored(client, &created.location()).await;
        assert_eq!(
            count(client, &chat.location(), "messages_count").await,
            before + 1
        );
    }
    let addressed = json!({ "application_token": token, "chat_number": 1, "content": "addressed" });
    let addressed = client.post("/messages", addressed).await.expect(201);
    assert_eq!(addressed.location(), format!("{messages}/5"));
    let fifth = stored(client, &addressed.location()).await;
    assert_eq!(fifth["content"], "addressed");
    assert_eq!(count(client, &chat.location(), "messages_count").await, 5);
    assert_eq!(count(client, &application, "chats_count").await, 1);

    for never in [6, 1_000_000] {
        let missing = client.get(&format!("{messages}/{never}")).await;
        missing.problem(404, "not-found");
    }
    let refused = client.post(&messages, json!({ "content": "" })).await;
    refused.blames(&["content"]);
    assert_eq!(count(client, &chat.location(), "messages_count").await, 5);
}

pub(super) async fn are_edited_and_deleted(client: &Client) {
    let chat = a_chat(client).await;
    let path = a_message(client, &chat, "before").await;
    let created = stored(client, &path).await;

    let edited = client
        .patch(&path, json!({ "content": "after" }))
        .await
        .expect(202);
    assert_eq!((edited.number(), &edited.body["id"]), (1, &created["id"]));
    assert_eq!(edited.location(), path);
    let mut expected = created.clone();
    let shown = revised(client, &path, &edited.body["rev"]).await;
    expected["content"] = json!("after");
    expected["rev"] = edited.body["rev"].clone();
    expected["updated_at"] = shown["updated_at"].clone();
    assert_eq!(shown, expected);

    let put = json!({ "message": { "metadata": { "mood": "good" } } });
    let put = client.put(&path, put).await.expect(202);
    let shown = revised(client, &path, &put.body["rev"]).await;
    assert_eq!(shown["content"], "after", "what was not sent stays");
    assert_eq!(shown["metadata"], json!({ "mood": "good" }));
    client.patch(&path, json!({})).await.blames(&["(body)"]);
    assert_eq!(count(client, &chat, "messages_count").await, 1);

    let other = a_message(client, &chat, "other").await;
    assert_eq!(count(client, &chat, "messages_count").await, 2);
    let deleted = client.delete(&path).await.expect(202);
    assert_eq!(deleted.body["id"], created["id"]);
    gone(client, &path).await;
    assert_eq!(count(client, &chat, "messages_count").await, 1);
    client.delete(&path).await.problem(410, "gone");
    client
        .patch(&path, json!({ "content": "too late" }))
        .await
        .problem(410, "gone");
    let status = client.get(&format!("{path}/status")).await.expect(200);
    assert_eq!(status.body["status"], "deleted");
    stored(client, &other).await;
    // Its number is not given again.
    let next = a_message(client, &chat, "next").await;
    assert_eq!(next, format!("{chat}/messages/3"));
    assert_eq!(count(client, &chat, "messages_count").await, 2);
}

pub(super) async fn keep_every_field(client: &Client) {
    let chat = a_chat(client).await;
    let body = json!({
        "content": " kept as it is \n", "author": "ada", "metadata": { "a": [1, 2.5, null, { "b": "c" }] },
        "reply_to": 77, "created_at": "2020-02-29T12:00:00.5+01:00",
    });
    let created = client
        .post(&format!("{chat}/messages"), body)
        .await
        .expect(201);
    let shown = stored(client, &created.location()).await;
    let expected = json!({
        "number": 1, "id": created.id(), "chat_number": 1, "content": " kept as it is \n", "author": "ada",
        "metadata": { "a": [1, 2.5, null, { "b": "c" }] }, "reply_to": 77, "rev": 0,
        "created_at": "2020-02-29T11:00:00.500Z", "updated_at": shown["updated_at"],
    });
    assert_eq!(shown, expected);
    let emptied = client
        .patch(&created.location(), json!({ "metadata": null }))
        .await;
    let shown = revised(
        client,
        &created.location(),
        &emptied.expect(202).body["rev"],
    )
    .await;
    assert!(shown["metadata"].is_null());
    let future = json!({ "content": "x", "created_at": "2999-01-01T00:00:00Z" });
    let refused = client.post(&format!("{chat}/messages"), future).await;
    refused.blames(&["created_at"]);
}
