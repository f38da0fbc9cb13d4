//! Search over HTTP; how words match is tested beside the rules.

use crate::system::{a_system, eventually};
use serde_json::json;

#[tokio::test]
async fn messages_are_found_in_a_chat_and_in_an_application() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    let other = chat.replace("/chats/1", "/chats");
    let other = system.post(&other, json!({})).await.expect(201).location();
    system
        .post(
            &format!("{chat}/messages"),
            json!({ "content": "a <b>penguin</b>", "author": "Ada" }),
        )
        .await
        .expect(201);
    system.a_message(&other, "another penguin").await;
    let application = chat.strip_suffix("/chats/1").unwrap();

    let everywhere = format!("{application}/messages/search?query=penguin");
    let found = eventually(|| system.get(&everywhere), |found| found.body["total"] == 2)
        .await
        .expect(200);
    assert_eq!(found.body["total_pages"], 1);
    for path in [
        format!("{chat}/messages/search?query=penguin"),
        format!("{chat}/messages/search?q=pengiun"),
        format!("{chat}/messages?query=penguin&sort=number"),
        format!("{everywhere}&author=Ada"),
    ] {
        let found = system.get(&path).await.expect(200);
        assert_eq!(found.body["total"], 1, "{path}: {found:?}");
        let message = &found.body["messages"][0];
        assert_eq!(message["message_number"], message["number"]);
        assert_eq!(
            message["highlight"],
            "a &lt;b&gt;<em>penguin</em>&lt;/b&gt;"
        );
    }
    let until = system
        .get(&format!("{everywhere}&until=2001-01-01T00:00:00Z"))
        .await
        .expect(200);
    assert_eq!(until.body["total"], 0);
    let since = system
        .get(&format!("{everywhere}&since=2001-01-01T00:00:00%2B01:00"))
        .await
        .expect(200);
    assert_eq!(since.body["total"], 2);
}

#[tokio::test]
async fn a_search_is_paged_and_links_to_its_next_page() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    for number in 1..=5 {
        system.a_message(&chat, &format!("walrus & {number}")).await;
    }
    let all = format!("{chat}/messages/search?query=walrus");
    eventually(|| system.get(&all), |found| found.body["total"] == 5).await;
    let mut numbers = Vec::new();
    let mut next = Some(format!(
        "{chat}/messages/search?query=%22walrus%22&sort=number&per_page=2"
    ));
    while let Some(page) = next {
        let page = system.get(&page).await.expect(200);
        assert_eq!(page.body["total_pages"], 3);
        numbers.extend(
            page.body["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|hit| hit["number"].as_u64().unwrap()),
        );
        next = page.next_link();
    }
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_wrong_search_is_refused() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    let search = format!("{chat}/messages/search");
    system.get(&search).await.blames(&["query"]);
    for query in ["", "%20", "-only", &"x".repeat(257)] {
        system
            .get(&format!("{search}?query={query}"))
            .await
            .blames(&["query"]);
    }
    let wrong =
        format!("{search}?query=a&page=0&per_page=101&sort=best&author=&since=x&until=y&limit=3");
    system.get(&wrong).await.blames(&[
        "page", "per_page", "sort", "author", "since", "until", "limit",
    ]);
    system
        .get(&format!("{search}?query=a&page=11&per_page=100"))
        .await
        .blames(&["page"]);
    system
        .get(&format!("{search}?query=a&q=b"))
        .await
        .blames(&["query"]);
    system
        .get(&format!("{search}?query=%ff"))
        .await
        .blames(&["query"]);
    let unknown = chat.replace("/chats/1", "/chats/2/messages/search?query=a");
    system.get(&unknown).await.problem(404, "not-found");
}
