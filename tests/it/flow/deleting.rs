//! What becomes of everything below something that is deleted.

use super::{a_chat, a_message, count, found, gone, searchable, stored};
use e2e::client::Client;
use serde_json::json;

pub(super) async fn a_chat_deletes_what_is_in_it(client: &Client) {
    let chat = a_chat(client).await;
    let application = chat.strip_suffix("/chats/1").expect("it is the first chat");
    let message = a_message(client, &chat, "doomed").await;
    searchable(client, &message).await;
    let other = client
        .post(&format!("{application}/chats"), json!({}))
        .await;
    let other = other.expect(201).location();
    stored(client, &other).await;
    assert_eq!(count(client, application, "chats_count").await, 2);
    assert_eq!(
        found(client, application, &[("query", "doomed")]).await,
        [1]
    );

    client.delete(&chat).await.expect(202);
    gone(client, &chat).await;
    assert_eq!(count(client, application, "chats_count").await, 1);
    assert_eq!(
        found(client, application, &[("query", "doomed")]).await,
        [0; 0]
    );
    gone(client, &message).await;
    for inside in ["/messages", "/gaps", "/messages/search?query=doomed"] {
        client
            .get(&format!("{chat}{inside}"))
            .await
            .problem(410, "gone");
    }
    let messages = format!("{chat}/messages");
    let late = client.post(&messages, json!({ "content": "late" })).await;
    late.problem(410, "gone");
    client.delete(&chat).await.problem(410, "gone");
    client
        .patch(&chat, json!({ "name": "late" }))
        .await
        .problem(410, "gone");
    assert_eq!(client.list(&format!("{application}/chats")).await.len(), 1);
}

pub(super) async fn an_application_deletes_everything(client: &Client) {
    let chat = a_chat(client).await;
    let application = chat.strip_suffix("/chats/1").expect("it is the first chat");
    let message = a_message(client, &chat, "doomed as well").await;
    client.delete(application).await.expect(202);
    let paths = [
        application.to_owned(),
        format!("{application}/chats"),
        format!("{application}/keys"),
        format!("{application}/messages/search?query=doomed"),
        chat.clone(),
        format!("{chat}/messages"),
        message.clone(),
        format!("{message}/status"),
    ];
    for path in paths {
        client.get(&path).await.problem(404, "not-found");
    }
    client.delete(application).await.problem(404, "not-found");
    let messages = format!("{chat}/messages");
    let late = client.post(&messages, json!({ "content": "late" })).await;
    late.problem(404, "not-found");
    let all = client.list("/api/v1/messages?limit=200").await;
    assert!(
        all.iter()
            .all(|message| message["content"] != "doomed as well")
    );
}
