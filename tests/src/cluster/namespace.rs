//! A database, a virtual host, a key prefix and search indices of its own on shared servers, gone with it.
//!
//! Names hold the id of the process, so that what a killed test left behind is found by the next one.

use super::servers::{self, Database, Servers};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::OnceCell;

/// Settings of `chat-api` and `chat-worker`, and what tests do behind their back.
pub(super) struct Namespace {
    servers: Servers,
    /// Also the prefix of keys and indices.
    name: String,
    /// Whether the servers stay when it goes.
    shared: bool,
}

impl Namespace {
    /// None, said aloud, where there are no servers and none are required.
    pub(super) async fn new(database: Database) -> Option<Self> {
        static SWEPT: OnceCell<()> = OnceCell::const_new();
        static MADE: AtomicU32 = AtomicU32::new(0);
        let servers = Servers::of_this_run(database)?;
        SWEPT.get_or_init(|| sweep(&servers)).await;
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("e2e-{}-{made}", std::process::id());
        // From here on it is removed, whatever happens.
        Some(Self::made(servers, name, true).await)
    }

    /// On servers that are gone with the test.
    pub(super) async fn on(servers: Servers) -> Self {
        Self::made(servers, "e2e".to_owned(), false).await
    }

    async fn made(servers: Servers, name: String, shared: bool) -> Self {
        let namespace = Self {
            servers,
            name,
            shared,
        };
        let made = namespace.servers.make(&namespace.name).await;
        made.unwrap_or_else(|error| panic!("cannot make {}: {error:#}", namespace.name));
        namespace
    }

    /// What every program of the cluster has to know.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let Servers {
            database,
            redis,
            rabbitmq,
            management,
            elasticsearch,
        } = &self.servers;
        let name = &self.name;
        vec![
            (
                "CHAT_MYSQL_URL",
                servers::with_path(database, &servers::database_of(name)),
            ),
            ("CHAT_REDIS_URL", redis.clone()),
            ("CHAT_RABBITMQ_URL", servers::with_path(rabbitmq, name)),
            ("CHAT_RABBITMQ_MANAGEMENT_URL", management.clone()),
            ("CHAT_ELASTICSEARCH_URL", elasticsearch.clone()),
            ("CHAT_KEY_PREFIX", name.clone()),
            (
                "CHAT_TLS_INSECURE",
                "mysql,rabbitmq,redis,elasticsearch".to_owned(),
            ),
        ]
    }

    pub(super) fn vhost(&self) -> &str {
        &self.name
    }

    pub(super) fn management(&self) -> &str {
        &self.servers.management
    }

    /// Lets the grace period of every number that is on its way be over; returns how many scopes still
    /// wait for their explanation.
    pub(super) async fn end_grace(&self) -> u64 {
        let ended = self.servers.end_grace(&self.name).await;
        ended.unwrap_or_else(|error| panic!("cannot change {}: {error:#}", self.name))
    }

    pub(super) async fn change_database(&self, sql: &str) {
        let changed = self.servers.change(&self.name, sql).await;
        changed.unwrap_or_else(|error| panic!("cannot change {}: {error:#}", self.name));
    }

    pub(super) async fn publish(&self, queue: &str, body: &str) {
        let published = self.servers.publish(&self.name, queue, body).await;
        published.unwrap_or_else(|error| panic!("cannot publish to {queue}: {error:#}"));
    }

    pub(super) async fn copy_database(&self) {
        let copied = self.servers.copy_tables(&self.name).await;
        copied.unwrap_or_else(|error| panic!("cannot copy {}: {error:#}", self.name));
    }

    pub(super) async fn restore_database(&self) {
        let restored = self.servers.restore_tables(&self.name).await;
        restored.unwrap_or_else(|error| panic!("cannot restore {}: {error:#}", self.name));
    }

    pub(super) async fn wipe_redis(&self) {
        let wiped = self.servers.remove_keys(&self.name).await;
        wiped.unwrap_or_else(|error| panic!("cannot wipe {}: {error:#}", self.name));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if !self.shared {
            return;
        }
        let (servers, name) = (self.servers.clone(), self.name.clone());
        // A runtime of its own: the test's cannot wait in here.
        let removed = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime
                .enable_all()
                .build()?
                .block_on(servers.remove(&name))
        });
        match removed.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => complain(&format!("{} stays: {error:#}", self.name)),
            Err(_) => complain(&format!("removing {} panicked", self.name)),
        }
    }
}

/// Removes what processes left behind that do not run any more.
async fn sweep(servers: &Servers) {
    let left = match servers.names().await {
        Ok(names) => names,
        Err(error) => panic!("cannot see what earlier runs left: {error:#}"),
    };
    for name in left.iter().filter(|name| is_orphan(name)) {
        if let Err(error) = servers.remove(name).await {
            complain(&format!("{name} of an earlier run stays: {error:#}"));
        }
    }
}

fn is_orphan(name: &str) -> bool {
    let rest = name
        .strip_prefix("e2e-")
        .and_then(|rest| rest.split_once('-'));
    rest.is_some_and(|(pid, _)| !Path::new("/proc").join(pid).exists())
}

#[expect(clippy::print_stderr, reason = "only tests come here")]
fn complain(what: &str) {
    eprintln!("{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_namespace_is_gone_with_its_value() {
        let Some(namespace) = Namespace::new(Database::Mysql).await else {
            return;
        };
        let (servers, name) = (namespace.servers.clone(), namespace.name.clone());
        assert!(servers.names().await.unwrap().contains(&name));
        assert!(servers.make(&name).await.is_err(), "it is there already");
        drop(namespace);
        assert!(!servers.names().await.unwrap().contains(&name));
    }

    #[tokio::test]
    async fn what_a_killed_process_left_is_swept_away() {
        let Some(servers) = Servers::of_this_run(Database::Mariadb) else {
            return;
        };
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let orphan = format!("e2e-{}-7", ended.id());
        let mine = format!("e2e-{}-mine", std::process::id());
        servers.make(&orphan).await.unwrap();
        servers.make(&mine).await.unwrap();
        sweep(&servers).await;
        let left = servers.names().await.unwrap();
        servers.remove(&mine).await.unwrap();
        assert!(!left.contains(&orphan) && left.contains(&mine), "{left:?}");
    }
}
