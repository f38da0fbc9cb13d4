//! An index for one test, removed with it.

use chat::adapters::elasticsearch::ElasticIndex;
use chat::adapters::endpoint::{Endpoint, Trust};
use chat::clock;
use chat::conformance::servers;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::OnceCell;

/// What a test that was killed left behind is removed by another after this.
const LEFTOVER_MS: i64 = 3_600_000;
const START: &str = "test-";

/// Indices under a prefix nobody else uses.
pub(super) struct TestIndex {
    pub(super) prefix: String,
    pub(super) server: Raw,
}

impl TestIndex {
    /// `None`, said aloud, where there is no server.
    pub(super) async fn new() -> Option<Self> {
        static SWEPT: OnceCell<()> = OnceCell::const_new();
        let server = Raw {
            url: servers::address(servers::ELASTICSEARCH)?,
        };
        SWEPT.get_or_init(|| server.sweep()).await;
        let (now, random) = (clock::now().get(), clock::random_u64() >> 32);
        let prefix = format!("{START}{now}-{random:x}");
        Some(Self { prefix, server })
    }

    /// As one program has it open, without an index yet.
    pub(super) fn open_at(&self, url: &str) -> ElasticIndex {
        ElasticIndex::open(&endpoint(url), &self.prefix).unwrap()
    }

    /// With an index.
    pub(super) async fn open(&self) -> ElasticIndex {
        let index = self.open_at(&self.server.url);
        index.ensure().await.unwrap();
        index
    }
}

impl Drop for TestIndex {
    fn drop(&mut self) {
        let (server, prefix) = (self.server.clone(), self.prefix.clone());
        let removal = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                for name in server.indices(&prefix).await {
                    server.remove(&name).await;
                }
            });
        };
        // A test runs in a runtime already, which must not be blocked by another.
        let _ = std::thread::spawn(removal).join();
    }
}

pub(super) fn endpoint(url: &str) -> Endpoint {
    Endpoint {
        url: url.to_owned().into(),
        trust: Trust {
            ca_pem: None,
            plaintext: true,
        },
    }
}

/// The server as an administrator sees it.
#[derive(Clone)]
pub(super) struct Raw {
    pub(super) url: String,
}

impl Raw {
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&str>,
    ) -> (StatusCode, Value) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .tls_certs_only([])
            .no_proxy()
            .build()
            .unwrap();
        let url = format!("{}/{path}", self.url.trim_end_matches('/'));
        let request = http
            .request(method, url)
            .header("content-type", "application/json");
        let request = request.body(body.unwrap_or_default().to_owned());
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or_default())
    }

    pub(super) async fn indices(&self, prefix: &str) -> Vec<String> {
        let path = format!("{prefix}*?filter_path=*.aliases");
        let (_, indices) = self.ask(Method::GET, &path, None).await;
        let names = indices
            .as_object()
            .into_iter()
            .flat_map(|indices| indices.keys());
        names.cloned().collect()
    }

    pub(super) async fn remove(&self, index: &str) {
        self.ask(Method::DELETE, index, None).await;
    }

    async fn sweep(&self) {
        let age_ms = |name: &str| {
            let made = name
                .strip_prefix(START)?
                .split('-')
                .next()?
                .parse::<i64>()
                .ok()?;
            Some(clock::now().get() - made)
        };
        for name in self.indices(START).await {
            if age_ms(&name).is_some_and(|age_ms| age_ms > LEFTOVER_MS) {
                self.remove(&name).await;
            }
        }
    }
}
