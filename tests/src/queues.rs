//! The broker between the processes of a cluster, asked through its management API.

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Figures of quorum queues may be this old (measured: up to 7.3 s).
pub const LAG: Duration = Duration::from_secs(10);
/// Where commands end that nobody could carry out.
pub const DEAD: &str = "chat.dead";

/// The queues of one virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queues {
    /// `http://user:password@host:port/api/queues/vhost`
    url: String,
}

/// As the management API shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Message {
    pub routing_key: String,
    pub properties: Value,
    pub payload: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Figures {
    name: String,
    messages_ready: Option<u64>,
    messages_unacknowledged: Option<u64>,
    message_stats: Option<Stats>,
}

#[derive(Clone, Debug, Deserialize)]
struct Stats {
    #[serde(default)]
    redeliver: u64,
}

impl Queues {
    /// `management` is the address of the management API with an account in it.
    pub fn new(management: &str, vhost: &str) -> Self {
        let management = management.trim_end_matches('/');
        Self {
            url: format!("{management}/api/queues/{vhost}"),
        }
    }

    /// How many messages each queue holds, waiting or delivered and not settled. None while the broker
    /// does not know of all of them.
    pub async fn depths(&self, http: &reqwest::Client) -> Option<BTreeMap<String, u64>> {
        let depth = |queue: Figures| {
            let depth = queue.messages_ready? + queue.messages_unacknowledged?;
            Some((queue.name, depth))
        };
        let figures = self.figures(http).await?;
        figures.into_iter().map(depth).collect()
    }

    /// How often a message of any queue was delivered once more.
    pub async fn redelivered(&self, http: &reqwest::Client) -> Option<u64> {
        let figures = self.figures(http).await?;
        let redelivered = |queue: &Figures| {
            queue
                .message_stats
                .as_ref()
                .map_or(0, |stats| stats.redeliver)
        };
        Some(figures.iter().map(redelivered).sum())
    }

    /// All there are.
    pub async fn names(&self) -> Vec<String> {
        let figures = self.figures(&http()).await;
        let figures = figures.expect("the broker answers");
        figures.into_iter().map(|queue| queue.name).collect()
    }

    /// With whatever is in it.
    pub async fn delete(&self, queue: &str) {
        let deleted = http().delete(self.of(queue)).send().await;
        succeeded(deleted);
    }

    pub async fn delete_exchange(&self, exchange: &str) {
        let url = self.url.replace("/api/queues/", "/api/exchanges/");
        let deleted = http().delete(format!("{url}/{exchange}")).send().await;
        succeeded(deleted);
    }

    /// Everything that is ready in it, and not there any more.
    pub async fn take_all(&self, queue: &str) -> Vec<Message> {
        let asked = json!({ "count": 1_000, "ackmode": "ack_requeue_false", "encoding": "auto" });
        let mut taken = Vec::new();
        loop {
            let url = format!("{}/get", self.of(queue));
            let answer = succeeded(http().post(url).json(&asked).send().await);
            let some: Vec<Message> = answer.json().await.expect("messages are JSON");
            if some.is_empty() {
                return taken;
            }
            taken.extend(some);
        }
    }

    /// As a new message, into the queue that it was taken from.
    pub async fn put(&self, message: &Message) {
        let url = self.url.replace("/api/queues/", "/api/exchanges/");
        let published = json!({
            "properties": message.properties,
            "routing_key": message.routing_key,
            "payload": message.payload,
            "payload_encoding": "string",
        });
        let url = format!("{url}/amq.default/publish");
        let answer = succeeded(http().post(url).json(&published).send().await);
        let said: Value = answer.json().await.expect("an answer is JSON");
        assert_eq!(said["routed"], true, "{message:?}");
    }

    fn of(&self, queue: &str) -> String {
        format!("{}/{queue}", self.url)
    }

    /// None while it does not answer.
    async fn figures(&self, http: &reqwest::Client) -> Option<Vec<Figures>> {
        let columns = "name,messages_ready,messages_unacknowledged,message_stats.redeliver";
        let asked = http.get(format!("{}?columns={columns}", self.url));
        let answer = asked.send().await.ok()?.error_for_status().ok()?;
        answer.json().await.ok()
    }
}

fn http() -> reqwest::Client {
    crate::cluster::http().expect("plain HTTP needs nothing of the machine")
}

fn succeeded(asked: reqwest::Result<reqwest::Response>) -> reqwest::Response {
    let answer = asked.expect("the broker answers");
    answer
        .error_for_status()
        .expect("the broker does as it is told")
}
