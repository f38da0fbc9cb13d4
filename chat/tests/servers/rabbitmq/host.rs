//! A virtual host that lasts as long as a test, also when that fails.

use chat::adapters::endpoint::{Endpoint, Trust};
use chat::adapters::rabbitmq::{RabbitQueue, RabbitSettings};
use chat::conformance::servers::{self, RABBITMQ, RABBITMQ_MANAGEMENT};
use chat::ports::Publisher;
use std::future::Future;
use std::time::{Duration, Instant};

/// How long a server may take for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct Host {
    /// `amqp://user:password@host:port`.
    pub(crate) server: String,
    pub(crate) management: String,
    pub(crate) vhost: String,
    client: reqwest::Client,
}

/// Runs a test in a virtual host of its own, if there is a server.
pub(crate) async fn in_a_host<F, T>(test: F)
where
    F: FnOnce(Host) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    let (Some(server), Some(management)) = (
        servers::address(RABBITMQ),
        servers::address(RABBITMQ_MANAGEMENT),
    ) else {
        return;
    };
    Host::new(&server, &management).run(test).await;
}

impl Host {
    pub(crate) fn new(server: &str, management: &str) -> Self {
        // Without a provider reqwest panics; one that is installed already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            server: server.trim_end_matches('/').to_owned(),
            management: management.trim_end_matches('/').to_owned(),
            vhost: format!("test-{:016x}", rand::random::<u64>()),
            client: reqwest::Client::new(),
        }
    }

    pub(crate) async fn run<F, T>(self, test: F)
    where
        F: FnOnce(Self) -> T,
        T: Future<Output = ()> + Send + 'static,
    {
        self.create().await;
        let outcome = tokio::spawn(test(self.clone())).await;
        let path = format!("vhosts/{}", self.vhost);
        self.call(reqwest::Method::DELETE, &path, None).await;
        if let Err(failed) = outcome {
            std::panic::resume_unwind(failed.into_panic());
        }
    }

    /// Nobody removes it: for a server that goes away with the test.
    pub(crate) async fn create(&self) {
        let path = format!("vhosts/{}", self.vhost);
        self.call(reqwest::Method::PUT, &path, None).await;
    }

    /// Asks the management API; what it says, or nothing.
    pub(crate) async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<serde_json::Value>,
    ) -> serde_json::Value {
        let mut request = self
            .client
            .request(method, format!("{}/api/{path}", self.management));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        answer.json().await.unwrap_or_default()
    }

    pub(crate) fn settings(&self) -> RabbitSettings {
        let endpoint = |url: String| Endpoint {
            url: url.into(),
            trust: Trust {
                ca_pem: None,
                plaintext: true,
            },
        };
        RabbitSettings {
            endpoint: endpoint(format!("{}/{}", self.server, self.vhost)),
            management: Some(endpoint(self.management.clone())),
            prefetch: RabbitSettings::PREFETCH,
            declares: true,
            max_queue_bytes: RabbitSettings::MAX_QUEUE_BYTES,
        }
    }

    /// A queue that is ready.
    pub(crate) async fn ready(&self) -> RabbitQueue {
        let queue = RabbitQueue::open(self.settings()).unwrap();
        until_ready(&queue).await;
        queue
    }
}

pub(crate) async fn until_ready(queue: &RabbitQueue) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = queue.ready().await {
        assert!(Instant::now() < deadline, "not ready: {error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
