//! What is measured: a running chat with one application and some chats of it.

use crate::connection::{Connection, get, post};
use crate::load::{Load, Measured, Requests, Until, run};
use crate::machine;
use crate::server::{Metrics, Server, Settings};
use crate::text::Author;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The administrator's, where keys are asked for.
pub(crate) const ADMIN_KEY: &str = "the-key-of-the-administrator";
/// How long the index may take for what waits for it.
const INDEX_DEADLINE: Duration = Duration::from_secs(600);

pub(crate) struct Subject {
    pub(crate) server: Server,
    /// Path of the application.
    pub(crate) application: String,
    /// The application's; not asked for without `CHAT_AUTH_MODE=keys`.
    key: String,
    chats: u64,
    /// Messages accepted up to now.
    accepted: u64,
}

impl Subject {
    /// Starts it on an empty directory and makes an application with so many chats.
    pub(crate) async fn start(data_dir: &Path, settings: Settings<'_>, chats: u64) -> Result<Self> {
        let server = Server::start(data_dir, settings)?;
        let mut connection = Connection::open(server.api).await?;
        let name = json!({ "name": "benchmark" });
        let create = post("/api/v1/applications", ADMIN_KEY, &name);
        let created: Value = serde_json::from_slice(connection.exchange(&create, 201).await?)?;
        let text = |field: &str| created[field].as_str().map(str::to_owned);
        let token = text("token").context("an application has a token")?;
        let key = text("api_key").context("an application has a key")?;
        let application = format!("/api/v1/applications/{token}");
        for _ in 0..chats {
            let create = post(&format!("{application}/chats"), &key, &json!({}));
            connection.exchange(&create, 201).await?;
        }
        Ok(Self {
            server,
            application,
            key,
            chats,
            accepted: 0,
        })
    }

    /// Requests that create messages, one chat after the other.
    pub(crate) fn creates(&self, count: usize, author: &mut Author) -> Requests {
        let chats = (1..=self.chats).cycle().take(count);
        Arc::new(chats.map(|chat| self.create(chat, author)).collect())
    }

    /// A request that creates a message.
    pub(crate) fn create(&self, chat: u64, author: &mut Author) -> Vec<u8> {
        let path = format!("{}/chats/{chat}/messages", self.application);
        post(&path, &self.key, &json!({ "content": author.sentence() }))
    }

    /// Creates messages.
    pub(crate) async fn create_all(
        &mut self,
        connections: usize,
        creates: &Requests,
        until: Until,
    ) -> Result<Measured> {
        let measured = self.load(connections, creates, 201, until).await?;
        self.accepted += measured.answers;
        Ok(measured)
    }

    pub(crate) async fn load(
        &self,
        connections: usize,
        requests: &Requests,
        status: u16,
        until: Until,
    ) -> Result<Measured> {
        run(Load {
            address: self.server.api,
            connections,
            requests: requests.clone(),
            status,
            until,
        })
        .await
    }

    /// How many messages a chat has.
    pub(crate) async fn messages_count(&self, chat: u64) -> Result<u64> {
        let mut connection = Connection::open(self.server.api).await?;
        let asked = get(&format!("{}/chats/{chat}", self.application));
        let chat: Value = serde_json::from_slice(connection.exchange(&asked, 200).await?)?;
        chat["messages_count"].as_u64().context("a chat is counted")
    }

    /// Returns once so few rows wait for the index.
    pub(crate) async fn index_lags_by_less_than(&self, rows: f64) -> Result<()> {
        self.until(|metrics| Ok(metrics.sum("chat_index_dirty_keys")? < rows))
            .await
    }

    /// Returns once every accepted message is in the index.
    pub(crate) async fn indexed(&self) -> Result<()> {
        let accepted = self.accepted as f64;
        self.until(|metrics| {
            let waiting = metrics.sum("chat_index_dirty_keys")?;
            Ok(waiting == 0.0 && metrics.sum("chat_index_writes_total")? >= accepted)
        })
        .await
    }

    async fn until(&self, right: impl Fn(&Metrics) -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + INDEX_DEADLINE;
        while !right(&self.server.metrics().await?)? {
            ensure!(Instant::now() < deadline, "the index did not catch up");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Seconds of processor time it has used.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        machine::cpu_seconds(self.server.id())
    }
}
