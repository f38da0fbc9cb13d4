//! A whole system in a temporary directory, and a client that checks each answer.

use crate::contract;
use api::ApiSettings;
use axum::Router;
use axum::body::Body;
use chat::adapters::memory_limiter::MemoryLimiter;
use chat::backends::{Embedded, EmbeddedSettings, open_embedded};
use chat::config::Auth;
use chat::ops::limits::Rates;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;
use worker::{Running, UpkeepSettings};

pub(crate) const ADMIN_KEY: &str = "an-admin-key-of-some-length";

pub(crate) fn open() -> ApiSettings {
    ApiSettings {
        auth: Auth::None,
        rates: Rates::OFF,
        trusted_proxies: 0,
        cors_origins: Vec::new(),
    }
}

pub(crate) fn with_keys() -> ApiSettings {
    ApiSettings {
        auth: Auth::Keys {
            admin_key: Some(ADMIN_KEY.to_owned().into()),
        },
        ..open()
    }
}

pub(crate) struct System {
    pub(crate) router: Router,
    pub(crate) embedded: Embedded,
    _running: Running,
    _dir: tempfile::TempDir,
}

/// A system where everything is open.
pub(crate) async fn a_system() -> System {
    System::with(open()).await
}

impl System {
    pub(crate) async fn with(settings: ApiSettings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let backends = EmbeddedSettings {
            data_dir: dir.path().to_owned(),
            number_block: 256,
            max_pages: None,
        };
        let embedded = open_embedded(&backends).await.unwrap();
        let running = worker::start(
            &embedded.work,
            &embedded.dirty,
            UpkeepSettings::every(Duration::from_millis(100)),
        )
        .await
        .unwrap();
        let router = api::router(
            embedded.ops.clone(),
            Arc::new(MemoryLimiter::default()),
            settings,
        );
        Self {
            router,
            embedded,
            _running: running,
            _dir: dir,
        }
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        call(&self.router, method, path)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path).json(body).send().await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path).json(body).send().await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path).send().await
    }

    /// The path of a new application.
    pub(crate) async fn an_application(&self) -> String {
        let created = self
            .post("/api/v1/applications", json!({ "name": "an application" }))
            .await
            .expect(201);
        format!(
            "/api/v1/applications/{}",
            created.body["token"].as_str().unwrap()
        )
    }

    /// The path of a new chat in a new application.
    pub(crate) async fn a_chat(&self) -> String {
        let application = self.an_application().await;
        let created = self
            .post(&format!("{application}/chats"), json!({}))
            .await
            .expect(201);
        created.location()
    }

    /// A new message in this chat; its path.
    pub(crate) async fn a_message(&self, chat: &str, content: &str) -> String {
        self.post(&format!("{chat}/messages"), json!({ "content": content }))
            .await
            .expect(201)
            .location()
    }
}

pub(crate) fn call(router: &Router, method: Method, path: &str) -> Call {
    Call {
        router: router.clone(),
        method,
        path: path.to_owned(),
        headers: HeaderMap::new(),
        body: Vec::new(),
    }
}

pub(crate) struct Call {
    router: Router,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Call {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub(crate) fn json(self, body: Value) -> Self {
        self.raw("application/json", body.to_string())
    }

    pub(crate) fn raw(self, media: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
        .header("content-type", media)
    }

    /// Sends it and holds the answer against the OpenAPI document.
    pub(crate) async fn send(self) -> Answer {
        let mut request = Request::new(Body::from(self.body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.path.parse().unwrap();
        *request.headers_mut() = self.headers;
        let response = self.router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            text,
        };
        contract::check(&self.method, &self.path, &answer);
        answer
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Null where there is no JSON.
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Problem details of this type, which ends in `slug`.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, slug: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(
            answer.body["type"],
            format!("urn:chatsystem:problem:{slug}"),
            "{answer:?}"
        );
        answer
    }

    /// Problem details that blame exactly these fields.
    #[track_caller]
    pub(crate) fn blames(self, fields: &[&str]) -> Self {
        let answer = self.problem(400, "invalid-request");
        let errors = answer.body["errors"].as_array().unwrap();
        let blamed: Vec<&str> = errors
            .iter()
            .map(|error| error["field"].as_str().unwrap())
            .collect();
        assert_eq!(blamed, fields, "{answer:?}");
        answer
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn location(&self) -> String {
        assert!(self.headers.contains_key("location"), "{self:?}");
        self.header("location").to_owned()
    }

    /// Path and query of the next page.
    pub(crate) fn next_link(&self) -> Option<String> {
        let link = self.header("link");
        let target = link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")?;
        Some(target.to_owned())
    }
}

/// Asks again until the answer is right.
pub(crate) async fn eventually<F: Future<Output = Answer>>(
    ask: impl Fn() -> F,
    right: impl Fn(&Answer) -> bool,
) -> Answer {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let answer = ask().await;
        if right(&answer) {
            return answer;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "not in time, last answer: {answer:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
