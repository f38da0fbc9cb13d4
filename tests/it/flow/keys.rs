//! Where keys are needed: what opens what, and for how long.

use e2e::client::Client;
use e2e::eventually::eventually;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

/// A revoked key may live on for this long in other processes.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);

pub(super) async fn live_and_die(admin: &Client) {
    let create = async |name: &str| {
        let created = admin
            .post("/api/v1/applications", json!({ "name": name }))
            .await;
        let created = created.expect(201);
        let key = created.body["api_key"]
            .as_str()
            .expect("a key is text")
            .to_owned();
        (created.location(), key)
    };
    let (application, first_key) = create("mine").await;
    let (foreign, foreign_key) = create("theirs").await;
    let own = admin.with_key(Some(&first_key));
    own.get(&application).await.expect(200);
    own.get(&foreign).await.problem(401, "unauthenticated");
    for path in ["/api/v1/applications", "/api/v1/chats", "/api/v1/messages"] {
        own.get(path).await.problem(403, "forbidden");
        admin
            .with_key(None)
            .get(path)
            .await
            .problem(401, "unauthenticated");
    }
    let create = own
        .post("/api/v1/applications", json!({ "name": "not by me" }))
        .await;
    create.problem(403, "forbidden");
    for wrong in [
        None,
        Some("nonsense"),
        Some(foreign_key.as_str()),
        Some(&first_key[..20]),
    ] {
        let refused = admin.with_key(wrong).get(&application).await;
        assert!(!refused.header("www-authenticate").is_empty());
        refused.problem(401, "unauthenticated");
    }

    let keys = format!("{application}/keys");
    let rotated = own.call(Method::POST, &keys).send().await.expect(201);
    let second_key = rotated.body["api_key"].as_str().expect("a key is text");
    own.call(Method::POST, &keys).send().await.blames(&["keys"]);
    let new = admin.with_key(Some(second_key));
    let listed = new.get(&keys).await.expect(200);
    assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(2));
    let secret = |key: &str| key.rsplit('_').next().unwrap_or_default().to_owned();
    assert!(
        !listed.text.contains(&secret(&first_key)) && !listed.text.contains(&secret(second_key))
    );

    let first_id = first_key.split('_').nth(1).expect("a key has an id");
    new.delete(&format!("{keys}/{first_id}")).await.expect(204);
    let dead = eventually(
        REVOKED_WITHIN,
        || own.get(&application),
        |answer| answer.status == 401,
    );
    dead.await.problem(401, "unauthenticated");
    new.get(&application).await.expect(200);
    new.call(Method::POST, &keys).send().await.expect(201);
}
