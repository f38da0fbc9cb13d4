//! Search: what people type, and what they find.

use super::{a_chat, a_message, found, gone, revised, search_in, searchable};
use e2e::client::Client;
use e2e::eventually::eventually;
use serde_json::json;

pub(super) async fn finds_words(client: &Client) {
    let chat = a_chat(client).await;
    let application = chat.strip_suffix("/chats/1").expect("it is the first chat");
    let contents = [
        "The kernel panicked at midnight",
        "A kernel does not panic; people <b>do</b>",
        "Midnight snacks for everybody 🚀",
        "Ünïcödé wörds, and 東京タワー too",
    ];
    for content in contents {
        let message = a_message(client, &chat, content).await;
        let status = searchable(client, &message).await;
        assert_eq!(
            (&status["status"], &status["rev"]),
            (&json!("stored"), &json!(0))
        );
    }
    for (query, expected) in [
        ("kernel", &[1, 2][..]),
        ("KERNEL Midnight", &[1]),
        ("kernal", &[1, 2]),
        ("kenrel", &[1, 2]),
        ("mid", &[1, 3]),
        ("panic", &[1, 2]),
        ("\"panic\"", &[2]),
        ("\"kernel panicked\"", &[1]),
        ("\"panicked kernel\"", &[]),
        ("kernel -midnight", &[2]),
        ("midnight -\"for everybody\"", &[1]),
        ("🚀", &[3]),
        ("wörds", &[4]),
        ("東京", &[4]),
        ("ünïcödé", &[4]),
        ("absent", &[]),
    ] {
        let parameters = [("query", query), ("sort", "number")];
        assert_eq!(found(client, &chat, &parameters).await, expected, "{query}");
        assert_eq!(
            found(client, application, &parameters).await,
            expected,
            "{query}"
        );
    }
    for alias in [
        "messages?query=kernel",
        "messages?q=kernel",
        "messages/search?q=kernel",
    ] {
        let same = client.get(&format!("{chat}/{alias}")).await.expect(200);
        assert_eq!(same.body["total"], 2, "{alias}");
    }
    for wrong in ["", "...", "-kernel", &"x".repeat(257)] {
        let path = format!("{chat}/messages/search?query={wrong}");
        client.get(&path).await.blames(&["query"]);
    }

    let hits = search_in(client, &chat, &[("query", "people")]).await.body;
    let hit = &hits["messages"][0];
    assert_eq!(hit["message_number"], 2);
    let highlight = "A kernel does not panic; <em>people</em> &lt;b&gt;do&lt;/b&gt;";
    assert_eq!(hit["highlight"], highlight);
    let stored = client.get(&format!("{chat}/messages/2")).await.expect(200);
    for (field, value) in stored.body.as_object().expect("a message is an object") {
        assert_eq!(hit[field], *value, "{field}");
    }
}

pub(super) async fn follows_edits_and_deletes(client: &Client) {
    let chat = a_chat(client).await;
    let message = a_message(client, &chat, "caterpillar").await;
    searchable(client, &message).await;
    let edited = client
        .patch(&message, json!({ "content": "butterfly" }))
        .await;
    revised(client, &message, &edited.expect(202).body["rev"]).await;
    searchable(client, &message).await;
    assert_eq!(found(client, &chat, &[("query", "butterfly")]).await, [1]);
    assert_eq!(
        found(client, &chat, &[("query", "caterpillar")]).await,
        [0; 0]
    );
    client.delete(&message).await.expect(202);
    gone(client, &message).await;
    // From the deletion on, however late the index is.
    assert_eq!(
        found(client, &chat, &[("query", "butterfly")]).await,
        [0; 0]
    );
}

pub(super) async fn is_narrowed_and_paged(client: &Client) {
    let chat = a_chat(client).await;
    let mut last = String::new();
    for (day, author) in (1..=5).zip(["ada", "bob", "ada", "bob", "ada"]) {
        let body = json!({
            "content": format!("report of day {day}"), "author": author,
            "created_at": format!("2020-01-0{day}T00:00:00Z"),
        });
        let created = client.post(&format!("{chat}/messages"), body).await;
        last = created.expect(201).location();
    }
    for number in 1..=5 {
        let message = format!("{chat}/messages/{number}");
        super::stored(client, &message).await;
        searchable(client, &message).await;
    }
    assert_eq!(last, format!("{chat}/messages/5"));
    let report = ("query", "report");
    let by_number = ("sort", "number");
    for (more, expected) in [
        (vec![("author", "ada")], &[1, 3, 5][..]),
        (vec![("author", "ad")], &[]),
        (vec![("since", "2020-01-03T00:00:00Z")], &[3, 4, 5]),
        (vec![("until", "2020-01-03T00:00:00Z")], &[1, 2]),
        (
            vec![
                ("since", "2020-01-02T00:00:00Z"),
                ("until", "2020-01-05T00:00:00Z"),
                ("author", "bob"),
            ],
            &[2, 4],
        ),
    ] {
        let query = [vec![report, by_number], more].concat();
        assert_eq!(found(client, &chat, &query).await, expected, "{query:?}");
    }
    let page = search_in(
        client,
        &chat,
        &[report, by_number, ("per_page", "2"), ("page", "2")],
    )
    .await;
    assert_eq!(super::numbers(&page.body["messages"]), [3, 4]);
    let told = ["total", "total_pages", "page", "per_page"].map(|name| page.body[name].as_u64());
    assert_eq!(told, [Some(5), Some(3), Some(2), Some(2)]);
    assert_eq!(page.body["total_capped"], false);
    let next = page.next_link().expect("there is a third page");
    let third = client.get(&next).await.expect(200);
    assert_eq!(super::numbers(&third.body["messages"]), [5]);
    assert_eq!(third.next_link(), None);
    let too_deep = format!("{chat}/messages/search?query=report&page=11&per_page=100");
    client.get(&too_deep).await.blames(&["page"]);

    // Another application has none of it.
    let foreign = a_chat(client).await;
    let nothing = eventually(
        super::SOON,
        async || found(client, &foreign, &[report]).await,
        |_| true,
    );
    assert_eq!(nothing.await, [0; 0]);
}
