//! The same request again: with a key it is the same thing, without one it is another.

use super::{a_chat, a_message, an_application, count, revised, send_with_key, stored};
use e2e::client::Client;
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

pub(super) async fn of_messages(client: &Client) {
    let chat = a_chat(client).await;
    let messages = format!("{chat}/messages");
    let send = async |key: &str, content: &str| {
        let body = json!({ "content": content });
        send_with_key(client, Method::POST, &messages, key, &body).await
    };
    let first = send("key one", "same").await.expect(201);
    assert!(!first.replayed());
    let again = send("key one", "same").await.expect(201);
    assert!(again.replayed());
    assert_eq!(
        (again.body.clone(), again.location()),
        (first.body.clone(), first.location())
    );
    // Another spelling of the same request is the same request.
    let wrapped = json!({ "message": { "body": "same", "author": null } });
    let again = send_with_key(client, Method::POST, &messages, "key one", &wrapped).await;
    assert_eq!(again.expect(201).number(), first.number());
    send("key one", "different")
        .await
        .problem(422, "idempotency-mismatch");
    assert_eq!(send("key two", "same").await.expect(201).number(), 2);
    for wrong in ["", "ümlaut", &"x".repeat(256)] {
        send(wrong, "same").await.blames(&["Idempotency-Key"]);
    }
    stored(client, &format!("{messages}/2")).await;
    assert_eq!(count(client, &chat, "messages_count").await, 2);

    // In another chat it is another key.
    let other = format!("{}/messages", a_chat(client).await);
    let body = json!({ "content": "different" });
    let other = send_with_key(client, Method::POST, &other, "key one", &body);
    assert!(!other.await.expect(201).replayed());

    // Its row is the truth of a key, also once it is deleted.
    client.delete(&first.location()).await.expect(202);
    super::gone(client, &first.location()).await;
    let again = send("key one", "same").await.expect(201);
    assert_eq!((again.number(), again.replayed()), (1, true));
    assert_eq!(count(client, &chat, "messages_count").await, 1);
}

pub(super) async fn of_everything_else(client: &Client) {
    let application = an_application(client).await;
    let unique = application
        .rsplit('/')
        .next()
        .expect("split gives one part");

    let body = json!({ "name": "keyed" });
    let create = async |body| send_with_key(client, Method::POST, "/apps", unique, body).await;
    let first = create(&body).await.expect(201);
    let again = create(&body).await.expect(201);
    assert!(
        again.replayed() && again.body["api_key"].is_null(),
        "{again:?}"
    );
    assert_eq!(again.body["token"], first.body["token"]);
    create(&json!({ "name": "other" }))
        .await
        .problem(422, "idempotency-mismatch");

    let chats = format!("{application}/chats");
    let create = async |body| send_with_key(client, Method::POST, &chats, "chat", body).await;
    let chat = create(&body).await.expect(201);
    let again = create(&body).await.expect(201);
    assert_eq!(
        (again.number(), again.id(), again.replayed()),
        (1, chat.id(), true)
    );
    create(&json!({ "name": "other" }))
        .await
        .problem(422, "idempotency-mismatch");
    stored(client, &chat.location()).await;
    assert_eq!(count(client, &application, "chats_count").await, 1);

    let message = a_message(client, &chat.location(), "first").await;
    let edit = async |content: &str| {
        let body = json!({ "content": content });
        send_with_key(client, Method::PATCH, &message, "edit", &body).await
    };
    let edited = edit("second").await.expect(202);
    let again = edit("second").await.expect(202);
    assert_eq!(
        (again.body.clone(), again.replayed()),
        (edited.body.clone(), true)
    );
    edit("third").await.problem(422, "idempotency-mismatch");
    let shown = revised(client, &message, &edited.body["rev"]).await;
    assert_eq!(shown["content"], "second");
}

/// Twenty of the same request under way together are one message; who is told to wait is told how long.
pub(super) async fn of_many_at_once(client: &Client) {
    let chat = a_chat(client).await;
    let messages = format!("{chat}/messages");
    let body = json!({ "content": "once" });
    let tries = (0..20).map(|_| send_with_key(client, Method::POST, &messages, "many", &body));
    let answers = join_all(tries).await;
    let (mut accepted, mut replayed) = (0, 0);
    for answer in answers {
        if answer.status == 409 {
            answer.problem(409, "in-flight");
            continue;
        }
        let answer = answer.expect(201);
        assert_eq!(answer.number(), 1);
        accepted += 1;
        replayed += u32::from(answer.replayed());
    }
    assert_eq!(accepted - replayed, 1, "one of them was the first");
    stored(client, &format!("{messages}/1")).await;
    assert_eq!(count(client, &chat, "messages_count").await, 1);
    a_message(client, &chat, "no number was wasted").await;
    stored(client, &format!("{messages}/2")).await;
}
