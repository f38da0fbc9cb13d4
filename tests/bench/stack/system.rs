//! A cluster on the shared servers, one process of each kind, and what is asked of it.

use super::broker::Broker;
use crate::application::ADMIN_KEY;
use crate::connection::{Connection, get};
use crate::machine;
use crate::server::Metrics;
use anyhow::{Context, Result};
use e2e::cluster::{Cluster, Database, Role, Size};
use std::net::SocketAddr;

const ONE_OF_EACH: Size = Size {
    apis: 1,
    workers: 1,
};
/// Keys are asked for, and rates are counted, although nobody reaches these.
pub(crate) const PROTECTED: [(&str, &str); 3] = [
    ("CHAT_AUTH_MODE", "keys"),
    ("CHAT_ADMIN_KEY", ADMIN_KEY),
    ("CHAT_RATE_LIMIT", "general=100000/s,create=100000/s"),
];

/// Its processes are killed, and its place on the servers is removed, when it is dropped.
pub(crate) struct System {
    pub(crate) cluster: Cluster,
}

impl System {
    /// `of_api`: more settings of `chat-api`. Returns once everything is ready.
    pub(crate) async fn start(of_api: &[(&str, &str)]) -> Result<Self> {
        let cluster = Cluster::start_with(Database::Mysql, ONE_OF_EACH, of_api).await;
        let cluster = cluster.context("there are no servers: run `make bench-stack`")?;
        Ok(Self { cluster })
    }

    pub(crate) fn api(&self) -> Result<SocketAddr> {
        Ok(self.cluster.place().address().parse()?)
    }

    /// What every program is told.
    pub(crate) fn setting(&self, name: &str) -> Result<&str> {
        let (settings, _) = self.cluster.settings();
        let found = settings.iter().rev().find(|(known, _)| known == name);
        let (_, value) = found.with_context(|| format!("{name} is not set"))?;
        Ok(value)
    }

    pub(crate) async fn broker(&self) -> Result<Broker> {
        Broker::connect(self.setting("CHAT_RABBITMQ_URL")?).await
    }

    fn member(&self, role: Role) -> Result<usize> {
        let members = self.cluster.members(&[role]);
        members.first().copied().context("there is one of each")
    }

    /// Ends everything but the API, so that nothing else works on what is measured.
    pub(crate) async fn stop_workers(&mut self) -> Result<()> {
        for role in [Role::Upkeep, Role::Chats, Role::Messages, Role::Indexing] {
            self.stop(role).await?;
        }
        Ok(())
    }

    pub(crate) async fn stop(&mut self, role: Role) -> Result<()> {
        let member = self.member(role)?;
        self.cluster.stop_one(member).await;
        Ok(())
    }

    /// Returns once it is ready.
    pub(crate) async fn start_again(&mut self, role: Role) -> Result<()> {
        let member = self.member(role)?;
        self.cluster.start_again(member).await;
        Ok(())
    }

    pub(crate) async fn restart(&mut self, role: Role) -> Result<()> {
        self.stop(role).await?;
        self.start_again(role).await
    }

    /// The API starts again with this setting.
    pub(crate) async fn set_api(&mut self, name: &str, value: &str) -> Result<()> {
        let member = self.member(Role::Api)?;
        self.cluster.set(member, name, value);
        self.restart(Role::Api).await
    }

    /// Seconds of processor time its process has used.
    pub(crate) fn cpu_seconds(&self, role: Role) -> Result<f64> {
        machine::cpu_seconds(self.cluster.process_id(self.member(role)?))
    }

    pub(crate) fn memory(&self, role: Role) -> Result<machine::Memory> {
        machine::memory(self.cluster.process_id(self.member(role)?))
    }

    pub(crate) async fn metrics(&self, role: Role) -> Result<Metrics> {
        let member = self.member(role)?;
        let everybody = self.cluster.place().admins;
        let others = self.cluster.place_without(member).admins;
        let admin = everybody.iter().find(|admin| !others.contains(admin));
        let admin = admin.context("the process runs")?;
        let address = admin.trim_start_matches("http://").parse()?;
        let mut connection = Connection::open(address).await?;
        Metrics::parse(connection.exchange(&get("/metrics"), 200).await?)
    }
}
