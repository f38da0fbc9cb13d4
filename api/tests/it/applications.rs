//! Applications and keys.

use crate::system::{ADMIN_KEY, System, a_system, with_keys};
use http::Method;
use serde_json::json;

#[tokio::test]
async fn an_application_is_created_shown_renamed_and_deleted() {
    let system = a_system().await;
    let created = system
        .post("/api/v1/applications", json!({ "name": "Café" }))
        .await
        .expect(201);
    let path = created.location();
    assert_eq!(
        path,
        format!(
            "/api/v1/applications/{}",
            created.body["token"].as_str().unwrap()
        )
    );
    assert_eq!(created.body["name"], "Café");
    assert!(created.body["api_key"].as_str().unwrap().starts_with("cs_"));

    let shown = system.get(&path).await.expect(200);
    assert_eq!(shown.body["chats_count"], 0);
    assert!(shown.body.get("api_key").is_none());

    assert_eq!(
        system
            .patch(&path, json!({ "name": "b" }))
            .await
            .expect(200)
            .body["name"],
        "b"
    );
    let put = system
        .call(Method::PUT, &path)
        .json(json!({ "app": { "name": "c" } }))
        .send()
        .await
        .expect(200);
    assert_eq!(put.body["name"], "c");

    assert_eq!(
        system.delete(&path).await.expect(202).body["status"],
        "processing"
    );
    system.get(&path).await.problem(404, "not-found");
    system.delete(&path).await.problem(404, "not-found");
    system
        .get(&format!("{path}/chats"))
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn applications_are_listed_in_pages_newest_last() {
    let system = a_system().await;
    for name in ["a", "b", "c"] {
        system
            .post("/applications", json!({ "application": { "name": name } }))
            .await
            .expect(201);
    }
    let first = system.get("/applications?per_page=2").await.expect(200);
    assert_eq!(
        first.body["meta"],
        json!({ "page": 1, "per_page": 2, "total": 3, "total_pages": 2 })
    );
    let names = |page: &serde_json::Value| {
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&first.body), ["a", "b"]);
    let next = first.next_link().unwrap();
    let second = system.get(&next).await.expect(200);
    assert_eq!(names(&second.body), ["c"]);
    assert_eq!(second.next_link(), None);
    assert_eq!(
        system
            .get("/applications?page=1000&per_page=100")
            .await
            .expect(200)
            .body["data"],
        json!([])
    );
    system
        .get("/applications?page=1001&per_page=100")
        .await
        .blames(&["page"]);
    system
        .get("/applications?page=0&per_page=101")
        .await
        .blames(&["page", "per_page"]);
}

#[tokio::test]
async fn both_bases_and_the_old_name_answer_alike() {
    let system = a_system().await;
    let path = system.an_application().await;
    let token = path.rsplit('/').next().unwrap();
    let expected = system.get(&path).await.expect(200).text;
    for base in ["/applications", "/apps", "/api/v1/apps"] {
        assert_eq!(
            system
                .get(&format!("{base}/{token}"))
                .await
                .expect(200)
                .text,
            expected
        );
    }
    let created = system
        .post(&format!("/apps/{token}/chats"), json!({}))
        .await
        .expect(201);
    assert_eq!(created.location(), format!("/apps/{token}/chats/1"));
    system.get(&created.location()).await.expect(200);
}

#[tokio::test]
async fn a_key_is_rotated_listed_and_revoked() {
    let system = System::with(with_keys()).await;
    let create = system
        .call(Method::POST, "/api/v1/applications")
        .key(ADMIN_KEY)
        .json(json!({ "name": "a" }));
    let created = create.send().await.expect(201);
    let (path, first) = (
        created.location(),
        created.body["api_key"].as_str().unwrap().to_owned(),
    );
    let keys = format!("{path}/keys");

    let rotated = system
        .call(Method::POST, &keys)
        .key(&first)
        .send()
        .await
        .expect(201);
    let second = rotated.body["api_key"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert_eq!(rotated.body["token"], created.body["token"]);
    system
        .call(Method::POST, &keys)
        .key(&first)
        .send()
        .await
        .blames(&["keys"]);

    let listed = system
        .call(Method::GET, &keys)
        .key(&second)
        .send()
        .await
        .expect(200);
    assert_eq!(listed.body["data"].as_array().unwrap().len(), 2);
    assert!(!listed.text.contains(&first) && !listed.text.contains(&second));

    let first_id = first.split('_').nth(1).unwrap();
    let revoke = |key: &str| {
        system
            .call(Method::DELETE, &format!("{keys}/{first_id}"))
            .key(key)
    };
    revoke(&second).send().await.expect(204);
    system
        .call(Method::GET, &path)
        .key(&first)
        .send()
        .await
        .problem(401, "unauthenticated");
    system
        .call(Method::GET, &path)
        .key(&second)
        .send()
        .await
        .expect(200);
    revoke(&second).send().await.problem(404, "not-found");
    system
        .call(Method::DELETE, &format!("{keys}/nonsense"))
        .key(&second)
        .send()
        .await
        .problem(404, "not-found");

    let listed = system
        .call(Method::GET, &keys)
        .key(ADMIN_KEY)
        .send()
        .await
        .expect(200);
    let revoked = listed.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| !key["revoked_at"].is_null());
    assert_eq!(
        revoked
            .map(|key| key["id"].as_str().unwrap())
            .collect::<Vec<_>>(),
        [first_id]
    );
}

#[tokio::test]
async fn a_name_must_be_there_and_right() {
    let system = a_system().await;
    let path = system.an_application().await;
    for body in [
        json!({}),
        json!({ "name": null }),
        json!({ "name": "" }),
        json!({ "name": " " }),
        json!({ "name": 7 }),
    ] {
        system
            .post("/api/v1/applications", body.clone())
            .await
            .blames(&["name"]);
        system.patch(&path, body).await.blames(&["name"]);
    }
    system
        .post("/api/v1/applications", json!({ "name": "x".repeat(201) }))
        .await
        .blames(&["name"]);
    system
        .post("/api/v1/applications", json!({ "nom": "x" }))
        .await
        .blames(&["name", "nom"]);
    let listed = system.get("/api/v1/applications").await.expect(200);
    assert_eq!(
        listed.body["meta"]["total"], 1,
        "a refused request leaves nothing behind"
    );
}
