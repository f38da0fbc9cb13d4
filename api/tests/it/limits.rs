//! Rate limits over HTTP; the arithmetic is tested beside it.

use crate::system::{Answer, System, open};
use api::ApiSettings;
use chat::ops::limits::Rates;
use http::Method;
use serde_json::json;

async fn limited(rates: &str, trusted_proxies: u8) -> System {
    System::with(ApiSettings {
        rates: Rates::parse(rates).unwrap(),
        trusted_proxies,
        ..open()
    })
    .await
}

async fn from(system: &System, method: Method, path: &str, address: &str) -> Answer {
    let call = system.call(method, path).header("x-forwarded-for", address);
    call.json(json!({ "name": "a" })).send().await
}

/// How many of `asked` requests pass.
async fn passed(system: &System, method: Method, path: &str, address: &str, asked: u32) -> u32 {
    let mut passed = 0;
    for _ in 0..asked {
        passed += u32::from(from(system, method.clone(), path, address).await.status < 300);
    }
    passed
}

#[tokio::test]
async fn what_is_left_is_told_and_too_much_is_refused() {
    let system = limited("general=100000/s,create=1/s", 0).await;
    let first = system
        .post("/applications", json!({ "name": "a" }))
        .await
        .expect(201);
    assert_eq!(
        first.header("ratelimit-policy"),
        "\"general\";q=200000;w=2, \"create\";q=2;w=2"
    );
    assert!(
        first.header("ratelimit").ends_with("\"create\";r=1;t=1"),
        "{first:?}"
    );
    system
        .post("/applications", json!({ "name": "a" }))
        .await
        .expect(201);
    let refused = system
        .post("/applications", json!({ "name": "a" }))
        .await
        .problem(429, "rate-limited");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(
        refused.header("ratelimit").contains("\"create\";r=0;t=2"),
        "{refused:?}"
    );
    let listed = system.get("/applications").await.expect(200);
    assert_eq!(listed.body["meta"]["total"], 2);
    assert_eq!(
        listed.header("ratelimit-policy"),
        "\"general\";q=200000;w=2"
    );
}

#[tokio::test]
async fn every_address_has_a_bucket_of_its_own_behind_a_trusted_proxy() {
    let system = limited("create=1/s", 1).await;
    assert!(passed(&system, Method::POST, "/applications", "1.1.1.1", 10).await < 10);
    from(&system, Method::POST, "/applications", "6.6.6.6, 2.2.2.2")
        .await
        .expect(201);
    // What stands before the proxy's own entry is not believed.
    assert!(
        passed(
            &system,
            Method::POST,
            "/applications",
            "9.9.9.9, 1.1.1.1",
            10
        )
        .await
            < 10
    );
}

#[tokio::test]
async fn an_address_cannot_choose_its_bucket_without_a_proxy() {
    let system = limited("create=1/s", 0).await;
    let mut passed = 0;
    for number in 0..10 {
        let answer = from(
            &system,
            Method::POST,
            "/applications",
            &format!("1.1.1.{number}"),
        )
        .await;
        passed += u32::from(answer.status == 201);
    }
    assert!(passed < 10);
}

#[tokio::test]
async fn an_application_has_a_bucket_over_all_its_clients() {
    let system = limited("general=1/s", 1).await;
    let application = from(&system, Method::POST, "/api/v1/applications", "1.0.0.1")
        .await
        .expect(201)
        .location();
    let mut passed = 0;
    for number in 0..10 {
        passed += u32::from(
            from(
                &system,
                Method::GET,
                &application,
                &format!("1.0.1.{number}"),
            )
            .await
            .status
                == 200,
        );
    }
    assert!((2..10).contains(&passed), "{passed}");
    // Its empty bucket is no concern of others.
    from(&system, Method::GET, "/applications", "1.0.2.1")
        .await
        .expect(200);
}

#[tokio::test]
async fn requests_to_nowhere_count_too() {
    let system = limited("general=1/s", 0).await;
    let mut last = 0;
    for _ in 0..10 {
        last = system.get("/nowhere").await.status.max(last);
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn without_limits_there_are_no_headers() {
    let system = System::with(open()).await;
    let answer = system.get("/applications").await.expect(200);
    assert!(
        !answer.headers.contains_key("ratelimit")
            && !answer.headers.contains_key("ratelimit-policy")
    );
}
