//! Chats and gaps.

use crate::system::{a_system, eventually};
use http::Method;
use serde_json::json;

#[tokio::test]
async fn a_chat_is_accepted_shown_edited_and_deleted() {
    let system = a_system().await;
    let application = system.an_application().await;
    let body = json!({ "chat": { "name": "general", "metadata": { "topic": "billing" } } });
    let created = system
        .post(&format!("{application}/chats"), body)
        .await
        .expect(201);
    assert_eq!(
        (&created.body["number"], &created.body["rev"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(created.body["status"], "processing");
    let path = created.location();

    let shown = system.get(&path).await.expect(200);
    assert_eq!(shown.body["id"], created.body["id"]);
    assert_eq!(shown.body["metadata"], json!({ "topic": "billing" }));
    assert_eq!(
        system.get(&application).await.expect(200).body["chats_count"],
        1
    );

    let edited = system
        .patch(&path, json!({ "name": null }))
        .await
        .expect(202);
    assert_eq!(edited.location(), path);
    assert_eq!(edited.body["id"], created.body["id"]);
    let shown = eventually(|| system.get(&path), |shown| shown.body["name"].is_null())
        .await
        .expect(200);
    assert_eq!(
        shown.body["metadata"],
        json!({ "topic": "billing" }),
        "what was not sent stays"
    );
    assert_eq!(shown.body["rev"], edited.body["rev"]);
    system
        .call(Method::PUT, &path)
        .json(json!({ "metadata": null }))
        .send()
        .await
        .expect(202);

    system.delete(&path).await.expect(202);
    eventually(|| system.get(&path), |shown| shown.status == 410)
        .await
        .problem(410, "gone");
    for gone in [
        system.delete(&path).await,
        system.patch(&path, json!({ "name": "x" })).await,
    ] {
        gone.problem(410, "gone");
    }
    system
        .post(&format!("{path}/messages"), json!({ "content": "x" }))
        .await
        .problem(410, "gone");
    system
        .get(&format!("{path}/messages"))
        .await
        .problem(410, "gone");
}

#[tokio::test]
async fn a_chat_needs_no_body() {
    let system = a_system().await;
    let chats = format!("{}/chats", system.an_application().await);
    let created = system.call(Method::POST, &chats).send().await.expect(201);
    let shown = system.get(&created.location()).await.expect(200);
    assert!(shown.body["name"].is_null() && shown.body["metadata"].is_null());
}

#[tokio::test]
async fn chats_are_listed_by_number_with_a_link_to_the_next_page() {
    let system = a_system().await;
    let chats = format!("{}/chats", system.an_application().await);
    for _ in 0..5 {
        system.post(&chats, json!({})).await.expect(201);
    }
    let mut numbers = Vec::new();
    let mut next = Some(format!("{chats}?limit=2"));
    while let Some(page) = next {
        let page = system.get(&page).await.expect(200);
        numbers.extend(
            page.body["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|chat| chat["number"].as_u64().unwrap()),
        );
        assert_eq!(page.body["next"].is_null(), page.next_link().is_none());
        next = page.next_link();
    }
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(
        system
            .get(&format!("{chats}?after=9007199254740991"))
            .await
            .expect(200)
            .body["data"],
        json!([])
    );
    system
        .get(&format!("{chats}?after=9007199254740992"))
        .await
        .blames(&["after"]);
    system
        .get(&format!("{chats}?after=-1&limit=201"))
        .await
        .blames(&["after", "limit"]);
}

#[tokio::test]
async fn numbers_that_are_none_are_told_apart_from_numbers_that_are_missing() {
    let system = a_system().await;
    let application = system.an_application().await;
    for word in ["x", "-1", "1.5", "%31x", "+1"] {
        system
            .get(&format!("{application}/chats/{word}"))
            .await
            .blames(&["chat_number"]);
    }
    for missing in [
        "0",
        "1",
        "9007199254740991",
        "9007199254740992",
        "99999999999999999999999999",
    ] {
        system
            .get(&format!("{application}/chats/{missing}"))
            .await
            .problem(404, "not-found");
    }
    system
        .get(&format!("{application}/chats/x/messages/y"))
        .await
        .blames(&["chat_number", "message_number"]);
}

#[tokio::test]
async fn an_edit_must_change_something() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    system.patch(&chat, json!({})).await.blames(&["(body)"]);
    system
        .patch(&chat, json!({ "name": 7, "metadata": [], "number": 3 }))
        .await
        .blames(&["name", "metadata", "number"]);
    system
        .patch(
            &chat.replace("/chats/1", "/chats/2"),
            json!({ "name": "x" }),
        )
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn a_chat_without_gaps_lists_none() {
    let system = a_system().await;
    let chat = system.a_chat().await;
    let gaps = system
        .get(&format!("{chat}/gaps?after=0&limit=1"))
        .await
        .expect(200);
    assert_eq!(gaps.body, json!({ "data": [], "next": null }));
    system
        .get(&chat.replace("/chats/1", "/chats/2/gaps"))
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn an_administrator_lists_chats_of_all_applications() {
    let system = a_system().await;
    let mut expected = Vec::new();
    for _ in 0..3 {
        let chat = system.a_chat().await;
        expected.push(chat.split('/').nth(4).unwrap().to_owned());
    }
    expected.sort();
    let mut tokens = Vec::new();
    let mut next = Some("/api/v1/chats?limit=1".to_owned());
    while let Some(page) = next {
        let page = system.get(&page).await.expect(200);
        let data = page.body["data"].as_array().unwrap().iter();
        tokens.extend(data.map(|chat| chat["application_token"].as_str().unwrap().to_owned()));
        next = page.next_link();
    }
    tokens.sort();
    assert_eq!(tokens, expected);
    system.get("/api/v1/chats?after=1").await.blames(&["after"]);
}
