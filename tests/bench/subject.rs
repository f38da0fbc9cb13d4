//! What `make bench` measures: a running chat in one process with one application.

use crate::application::{ADMIN_KEY, Application};
use crate::load::{Measured, Requests, Until};
use crate::machine;
use crate::server::{Metrics, Server, Settings};
use anyhow::{Result, ensure};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the index may take for what waits for it.
const INDEX_DEADLINE: Duration = Duration::from_secs(600);

pub(crate) struct Subject {
    pub(crate) server: Server,
    pub(crate) application: Application,
    /// Messages accepted up to now.
    accepted: u64,
}

impl Subject {
    /// Starts it on an empty directory and makes an application with so many chats.
    pub(crate) async fn start(data_dir: &Path, settings: Settings<'_>, chats: u64) -> Result<Self> {
        let server = Server::start(data_dir, settings)?;
        let application = Application::create(server.api, ADMIN_KEY, chats).await?;
        Ok(Self {
            server,
            application,
            accepted: 0,
        })
    }

    /// Creates messages.
    pub(crate) async fn create_all(
        &mut self,
        connections: usize,
        creates: &Requests,
        until: Until,
    ) -> Result<Measured> {
        let measured = self
            .application
            .load(connections, creates, 201, until)
            .await?;
        self.accepted += measured.answers;
        Ok(measured)
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
