//! Applications, under every name they have.

use super::count;
use e2e::client::Client;
use serde_json::json;

pub(super) async fn come_and_go(client: &Client) {
    let created = client.post("/api/v1/applications", json!({ "name": "flat" }));
    let created = created.await.expect(201);
    let token = created.body["token"].as_str().expect("a token is text");
    assert_eq!(created.location(), format!("/api/v1/applications/{token}"));
    let key = created.body["api_key"].as_str().expect("a key is text");
    assert!(key.starts_with("cs_"), "{key}");
    for wrapper in ["application", "app"] {
        let body = json!({ wrapper: { "name": "wrapped" } });
        let wrapped = client.post("/apps", body).await.expect(201);
        assert_eq!(wrapped.body["name"], "wrapped");
    }

    // All of them are the same application, and the key is never shown again.
    let shown = client.get(&created.location()).await.expect(200);
    let (created_at, updated_at) = (&shown.body["created_at"], &shown.body["updated_at"]);
    let expected = json!({
        "token": token, "name": "flat", "chats_count": 0, "created_at": created_at, "updated_at": updated_at,
    });
    assert_eq!(shown.body, expected);
    for base in ["/applications", "/apps", "/api/v1/apps"] {
        let same = client.get(&format!("{base}/{token}")).await.expect(200);
        assert_eq!(same.body, expected);
    }

    let path = created.location();
    let renamed = client.patch(&path, json!({ "name": "patched" })).await;
    assert_eq!(renamed.expect(200).body["name"], "patched");
    let renamed = client.put(&path, json!({ "app": { "name": "put" } })).await;
    assert_eq!(renamed.expect(200).body["name"], "put");
    assert_eq!(client.get(&path).await.expect(200).body["name"], "put");
    assert_eq!(count(client, &path, "chats_count").await, 0);

    for wrong in [json!({}), json!({ "name": " " }), json!({ "name": 1 })] {
        client
            .post("/api/v1/applications", wrong.clone())
            .await
            .blames(&["name"]);
        client.patch(&path, wrong).await.blames(&["name"]);
    }
}
