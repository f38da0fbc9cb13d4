//! What every answer has, CORS, and the second port.

use crate::system::{System, a_system, open};
use api::ApiSettings;
use axum::body::Body;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use tower::ServiceExt;

#[tokio::test]
async fn a_request_id_is_taken_or_made() {
    let system = a_system().await;
    let ask = |id: &str| {
        system
            .call(Method::GET, "/nowhere")
            .header("x-request-id", id)
            .send()
    };
    let taken = ask("order-7/retry").await;
    assert_eq!(taken.header("x-request-id"), "order-7/retry");
    assert_eq!(taken.body["instance"], "order-7/retry");
    for bad in ["", "with space", "é", &"x".repeat(129)] {
        let made = ask(bad).await;
        assert_eq!(made.header("x-request-id").len(), 32, "{made:?}");
    }
    let (one, other) = (system.get("/nowhere").await, system.get("/nowhere").await);
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
}

#[tokio::test]
async fn a_trace_is_continued() {
    let system = a_system().await;
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let parent = format!("00-{trace}-{span}-01");
    let answer = system
        .call(Method::GET, "/nowhere")
        .header("traceparent", &parent)
        .send()
        .await;
    let continued = answer.header("traceparent");
    assert!(
        continued.starts_with(&format!("00-{trace}-")) && continued.ends_with("-01"),
        "{continued}"
    );
    assert!(!continued.contains(span));
    assert_eq!(
        system.get("/nowhere").await.header("traceparent").len(),
        parent.len()
    );
}

#[tokio::test]
async fn answers_are_not_stored_by_caches() {
    let system = a_system().await;
    assert_eq!(
        system.get("/applications").await.header("cache-control"),
        "no-store"
    );
}

async fn preflight(system: &System, origin: &str) -> Response<Body> {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri("/applications")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "content-type,idempotency-key",
        )
        .body(Body::empty())
        .unwrap();
    system.router.clone().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn no_web_page_may_call_unless_its_origin_is_named() {
    let closed = a_system().await;
    let refused = preflight(&closed, "https://app.example").await;
    assert!(
        !refused
            .headers()
            .contains_key("access-control-allow-origin")
    );

    let named = System::with(ApiSettings {
        cors_origins: vec!["https://app.example".into()],
        ..open()
    })
    .await;
    let allowed = preflight(&named, "https://app.example").await;
    assert_eq!(allowed.status(), 200);
    assert_eq!(
        allowed.headers()["access-control-allow-origin"],
        "https://app.example"
    );
    let other = preflight(&named, "https://evil.example").await;
    assert_ne!(
        other
            .headers()
            .get("access-control-allow-origin")
            .map(|value| value.as_bytes()),
        Some(&b"https://evil.example"[..])
    );
    let simple = named
        .call(Method::GET, "/applications")
        .header("origin", "https://app.example")
        .send()
        .await
        .expect(200);
    assert_eq!(
        simple.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert!(
        simple
            .header("access-control-expose-headers")
            .contains("x-request-id")
    );
}

async fn admin(system: &System, method: Method, path: &str) -> (u16, String, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap();
    let response = api::admin_router(system.embedded.ops.health())
        .oneshot(request)
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let media = parts
        .headers
        .get("content-type")
        .map_or("", |value| value.to_str().unwrap())
        .to_owned();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    (parts.status.as_u16(), media, text)
}

#[tokio::test]
async fn the_second_port_tells_health_and_metrics_and_nothing_else() {
    let system = a_system().await;
    system.get("/applications").await.expect(200);
    assert_eq!(admin(&system, Method::GET, "/livez").await.0, 200);
    assert_eq!(admin(&system, Method::GET, "/readyz").await.2, "ready\n");
    let (status, _, parts) = admin(&system, Method::GET, "/readyz?verbose").await;
    assert_eq!(status, 200);
    for part in ["store", "queue", "index"] {
        assert!(parts.contains(&format!("[+] {part}: ok\n")), "{parts}");
    }
    let (_, media, metrics) = admin(&system, Method::GET, "/metrics").await;
    assert!(media.starts_with("text/plain; version=0.0.4"), "{media}");
    assert!(
        metrics.contains("route=\"/applications\",status=\"200\""),
        "{metrics}"
    );
    for (method, path, expected) in [
        (Method::GET, "/applications", 404),
        (Method::GET, "/", 404),
        (Method::POST, "/metrics", 405),
    ] {
        let (status, media, _) = admin(&system, method, path).await;
        assert_eq!(
            (status, media.as_str()),
            (expected, "application/problem+json"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_part_that_does_not_work_makes_the_process_not_ready() {
    let system = a_system().await;
    system.embedded.close().await.unwrap();
    let (status, _, text) = admin(&system, Method::GET, "/readyz?verbose").await;
    assert_eq!(status, 503);
    assert!(
        text.contains("[-] store: ") && text.ends_with("not ready\n"),
        "{text}"
    );
    assert_eq!(admin(&system, Method::GET, "/livez").await.0, 200);
}
