//! Lists: cursors, `Link`, and what is left out.

use super::{a_chat, a_message, an_application, gone, numbers, stored};
use e2e::client::Client;
use serde_json::json;

pub(super) async fn of_messages(client: &Client) {
    let chat = a_chat(client).await;
    let messages = format!("{chat}/messages");
    let empty = client.get(&messages).await.expect(200);
    assert_eq!(
        empty.body,
        json!({ "data": [], "next": null, "complete_through": 0 })
    );
    for number in 1..=7 {
        let message = a_message(client, &chat, &format!("number {number}")).await;
        assert_eq!(message, format!("{messages}/{number}"));
    }
    let page = client.get(&format!("{messages}?limit=3")).await.expect(200);
    assert_eq!(numbers(&page.body["data"]), [1, 2, 3]);
    assert_eq!(page.body["next"], 3);
    assert_eq!(
        page.next_link(),
        Some(format!("{messages}?after=3&limit=3"))
    );
    let last = client
        .get(&format!("{messages}?after=5&limit=3"))
        .await
        .expect(200);
    assert_eq!(numbers(&last.body["data"]), [6, 7]);
    assert_eq!((&last.body["next"], last.next_link()), (&json!(null), None));
    assert_eq!(last.body["complete_through"], 7);

    let before = client
        .get(&format!("{messages}?before=7&limit=2"))
        .await
        .expect(200);
    assert_eq!(
        numbers(&before.body["data"]),
        [5, 6],
        "the nearest, ascending"
    );
    let mut backwards = Vec::new();
    let mut next = Some(format!("{messages}?before=8&limit=3"));
    while let Some(path) = next {
        let page = client.get(&path).await.expect(200);
        backwards.push(numbers(&page.body["data"]));
        next = page.next_link();
    }
    assert_eq!(backwards, [vec![5, 6, 7], vec![2, 3, 4], vec![1]]);
    client
        .get(&format!("{messages}?after=1&before=3"))
        .await
        .blames(&["before"]);
    client
        .get(&format!("{messages}?limit=0"))
        .await
        .blames(&["limit"]);

    // Deleted ones are left out and do not stand in the way.
    let fourth = format!("{messages}/4");
    client.delete(&fourth).await.expect(202);
    gone(client, &fourth).await;
    let all = client.list(&format!("{messages}?limit=2")).await;
    assert_eq!(numbers(&json!(all)), [1, 2, 3, 5, 6, 7]);
    let page = client.get(&messages).await.expect(200);
    assert_eq!(page.body["complete_through"], 7);
    let gaps = client.get(&format!("{chat}/gaps")).await.expect(200);
    assert_eq!(
        gaps.body,
        json!({ "data": [], "next": null }),
        "a deleted message is no gap"
    );
}

pub(super) async fn of_chats(client: &Client) {
    let application = an_application(client).await;
    let chats = format!("{application}/chats");
    for number in 1..=5 {
        let created = client
            .post(&chats, json!({ "name": format!("chat {number}") }))
            .await;
        let created = created.expect(201);
        assert_eq!(created.number(), number);
        stored(client, &created.location()).await;
    }
    let page = client.get(&format!("{chats}?limit=2")).await.expect(200);
    assert_eq!(numbers(&page.body["data"]), [1, 2]);
    assert_eq!(page.next_link(), Some(format!("{chats}?after=2&limit=2")));
    client.delete(&format!("{chats}/3")).await.expect(202);
    gone(client, &format!("{chats}/3")).await;
    let all = client.list(&format!("{chats}?limit=2")).await;
    assert_eq!(numbers(&json!(all)), [1, 2, 4, 5]);
    assert_eq!(super::count(client, &application, "chats_count").await, 4);
}
