//! A server of a test's own, which it may kill and start again on the same port.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use chat::adapters::endpoint::{Endpoint, Trust};
use chat::adapters::sql::{MysqlSettings, SqlStore, migrate, open_mysql};
use chat::conformance::servers;
use sqlx::{AnyConnection, Connection, Executor};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(super) const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct OwnServer {
    service: &'static str,
    dir: TempDir,
    port: u16,
    process: Option<Child>,
}

impl OwnServer {
    /// Like the server that `address` names, with a schema and an account `chat` that may write rows and
    /// nothing else; `None`, said aloud, where tests have no servers.
    pub(super) async fn start(address: &str) -> Option<Self> {
        servers::address(address)?;
        sqlx::any::install_default_drivers();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let service = if address == servers::MYSQL {
            "mysql"
        } else {
            "mariadb"
        };
        let mut server = Self {
            service,
            dir: tempfile::tempdir().unwrap(),
            port,
            process: None,
        };
        server.start_again().await;
        server.execute("CREATE DATABASE chat").await;
        migrate(&server.settings("root", "development"))
            .await
            .unwrap();
        server
            .execute("CREATE USER 'chat'@'%' IDENTIFIED BY 'word'")
            .await;
        server
            .execute("GRANT SELECT, INSERT, UPDATE, DELETE ON chat.* TO 'chat'@'%'")
            .await;
        Some(server)
    }

    pub(super) async fn start_again(&mut self) {
        let serve = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/services/serve");
        let process = Command::new(serve)
            .arg(self.service)
            .arg(self.dir.path())
            .arg(self.port.to_string())
            .env("END_WITH_PARENT", "1")
            .stdout(Stdio::null())
            .spawn();
        self.process = Some(process.unwrap());
        let deadline = Instant::now() + PATIENCE;
        while AnyConnection::connect(&self.address("root", "development"))
            .await
            .is_err()
        {
            assert!(
                Instant::now() < deadline,
                "no answer within {PATIENCE:?}: see {}",
                self.dir.path().join("log").display()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Without a chance to tidy up.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// As an account that may do everything.
    pub(super) async fn execute(&self, sql: &'static str) {
        let address = self.address("root", "development");
        let mut conn = AnyConnection::connect(&address).await.unwrap();
        conn.execute(sqlx::raw_sql(sql)).await.unwrap();
        conn.close().await.unwrap();
    }

    pub(super) fn store(&self) -> SqlStore {
        open_mysql(&self.settings("chat", "word")).unwrap()
    }

    fn settings(&self, user: &str, password: &str) -> MysqlSettings {
        let address = self.address(user, password);
        MysqlSettings {
            endpoint: Endpoint {
                url: format!("{address}chat").into(),
                trust: Trust {
                    ca_pem: None,
                    plaintext: true,
                },
            },
            ca_file: None,
            connections: 4,
        }
    }

    fn address(&self, user: &str, password: &str) -> String {
        format!("mysql://{user}:{password}@127.0.0.1:{}/", self.port)
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.kill();
    }
}
