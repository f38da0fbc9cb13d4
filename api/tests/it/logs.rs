//! The access line, and what no line may show.

use crate::system::{ADMIN_KEY, System, with_keys};
use http::Method;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The access lines, as JSON.
    fn access(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .filter(|line| line["target"] == "chat::access")
            .collect()
    }
}

/// Everything this thread logs from now on, down to debug. A test runs on one thread.
fn captured() -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    (lines, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn a_request_leaves_one_line_without_anything_confidential() {
    let system = System::with(with_keys()).await;
    let (lines, _guard) = captured();
    let create = system
        .call(Method::POST, "/api/v1/applications")
        .key(ADMIN_KEY);
    let created = create
        .json(json!({ "name": "canary-name" }))
        .send()
        .await
        .expect(201);
    let (path, key) = (
        created.location(),
        created.body["api_key"].as_str().unwrap().to_owned(),
    );
    let post = async |path: &str, body: Value| {
        system
            .call(Method::POST, path)
            .key(&key)
            .json(body)
            .send()
            .await
            .expect(201)
            .location()
    };
    let chat = post(&format!("{path}/chats"), json!({ "name": "canary-chat" })).await;
    let body = json!({ "content": "canary-content", "author": "canary-author", "metadata": { "m": "canary-metadata" } });
    let message = post(&format!("{chat}/messages"), body).await;
    let show = system
        .call(Method::GET, &message)
        .key(&key)
        .header("x-request-id", "the-request");
    show.send().await.expect(200);
    let search = format!("{path}/messages/search?query=canary-query");
    system
        .call(Method::GET, &search)
        .key(&key)
        .send()
        .await
        .expect(200);
    system
        .call(Method::GET, &path)
        .key("cs_canary-wrong-key")
        .send()
        .await
        .expect(401);
    system
        .call(Method::GET, "/canary-path?canary-parameter=1")
        .send()
        .await
        .expect(404);

    let access = lines.access();
    assert_eq!(access.len(), 7, "one line a request");
    let shown = access
        .iter()
        .find(|line| line["request_id"] == "the-request")
        .unwrap();
    let template = "/applications/{token}/chats/{chat_number}/messages/{message_number}";
    assert_eq!(
        (&shown["method"], &shown["route"], &shown["status"]),
        (&json!("GET"), &json!(template), &json!(200))
    );
    assert!(
        shown["duration_ms"].is_number() && shown["tenant"].is_i64(),
        "{shown}"
    );

    let text = lines.text();
    let token = path.rsplit('/').next().unwrap();
    for secret in ["canary", token, key.as_str(), ADMIN_KEY] {
        assert!(!text.contains(secret), "{secret} is in the log:\n{text}");
    }
}
