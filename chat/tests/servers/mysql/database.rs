//! A database of its own for each test.
//!
//! Making tables takes longer than most tests, so a database whose test went well is emptied and used by
//! the next one. What a process leaves behind, the next one that runs removes.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use chat::adapters::endpoint::{Endpoint, Trust};
use chat::adapters::sql::{MysqlSettings, SqlStore, migrate, open_mysql};
use chat::conformance::servers;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, Row};
use std::path::Path;
use std::process;
use std::sync::Mutex;

/// Databases with tables that no test uses, and their servers.
static FREE: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Servers on which this process has tidied up after others.
static TIDY: tokio::sync::Mutex<Vec<String>> = tokio::sync::Mutex::const_new(Vec::new());

pub(crate) struct Database {
    /// The server, as an account that may do everything.
    server: String,
    name: String,
    /// Whether it has this program's tables, unchanged.
    reusable: bool,
}

impl Database {
    /// Without tables; `None` where there is no such server.
    pub(super) async fn empty(server: &str) -> Option<Self> {
        let server = servers::address(server)?;
        sqlx::any::install_default_drivers();
        tidy_up(&server).await;
        let name = format!("chat_test_{}_{:016x}", process::id(), rand::random::<u64>());
        execute(&server, format!("CREATE DATABASE {name}")).await;
        Some(Self {
            server,
            name,
            reusable: false,
        })
    }

    /// With the tables of this program, which a test must leave as they are.
    pub(crate) async fn new(server: &str) -> Option<Self> {
        let address = servers::address(server)?;
        let free = {
            let mut free = FREE.lock().unwrap();
            let place = free.iter().position(|(server, _)| *server == address);
            place.map(|place| free.swap_remove(place))
        };
        if let Some((server, name)) = free {
            let database = Self {
                server,
                name,
                reusable: true,
            };
            database.execute(DELETE_EVERYTHING).await;
            return Some(database);
        }
        let mut database = Self::empty(server).await?;
        migrate(&database.settings()).await.unwrap();
        database.reusable = true;
        Some(database)
    }

    /// With tables that a test may change.
    pub(super) async fn own(server: &str) -> Option<Self> {
        let database = Self::empty(server).await?;
        migrate(&database.settings()).await.unwrap();
        Some(database)
    }

    pub(super) fn settings(&self) -> MysqlSettings {
        MysqlSettings {
            endpoint: self.endpoint(),
            ca_file: None,
            connections: 10,
        }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint {
            url: self.address().into(),
            trust: Trust {
                ca_pem: None,
                plaintext: true,
            },
        }
    }

    pub(crate) fn store(&self) -> SqlStore {
        open_mysql(&self.settings()).unwrap()
    }

    /// Statements without parameters, in this database.
    pub(super) async fn execute(&self, sql: impl Into<String>) {
        execute(&self.address(), sql.into()).await;
    }

    /// As somebody else.
    pub(super) fn settings_of(&self, user: &str, password: &str) -> MysqlSettings {
        let (scheme, rest) = self.server.split_once("://").unwrap();
        let (_, place) = rest.rsplit_once('@').unwrap();
        let server = format!("{scheme}://{user}:{password}@{place}");
        let mut settings = self.settings();
        settings.endpoint.url = with_database(&server, &self.name).into();
        settings
    }

    /// Host and port of the server.
    pub(super) fn place(&self) -> String {
        let (_, place) = self.server.rsplit_once('@').unwrap();
        place.split(['/', '?']).next().unwrap().to_owned()
    }

    /// Over another port, where somebody reads along: without TLS.
    pub(super) fn settings_through(&self, port: u16) -> MysqlSettings {
        let (host, _) = self.server.rsplit_once('@').unwrap();
        let server = format!("{host}@127.0.0.1:{port}?ssl-mode=DISABLED");
        let mut settings = self.settings();
        settings.endpoint.url = with_database(&server, &self.name).into();
        settings
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// For what must also happen when a test fails.
    pub(super) fn execute_at_the_end(&self, sql: String) {
        let address = self.address();
        finish(async move { execute(&address, sql).await });
    }

    fn address(&self) -> String {
        with_database(&self.server, &self.name)
    }

    /// Every column and key of every table, and the version.
    pub(super) async fn columns(&self) -> Vec<String> {
        let mut conn = AnyConnection::connect(&self.address()).await.unwrap();
        let mut columns = Vec::new();
        for sql in [
            "SELECT CONCAT_WS(' ', table_name, column_name, column_type, is_nullable, column_key, collation_name) \
             FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position",
            "SELECT CONCAT_WS(' ', table_name, index_name, seq_in_index, column_name) \
             FROM information_schema.statistics WHERE table_schema = DATABASE() \
             ORDER BY table_name, index_name, seq_in_index",
            "SELECT CONCAT_WS(' ', version, success) FROM _sqlx_migrations ORDER BY version",
            "SELECT CONCAT_WS(' ', version, readable_from) FROM schema_info",
        ] {
            for row in conn.fetch_all(sql).await.unwrap() {
                columns.push(row.get(0));
            }
        }
        conn.close().await.unwrap();
        columns
    }
}

const DELETE_EVERYTHING: &str = "DELETE FROM applications; DELETE FROM api_keys; DELETE FROM chats; \
    DELETE FROM chat_keys; DELETE FROM messages; DELETE FROM number_aliases; DELETE FROM counts; \
    DELETE FROM count_ledger; DELETE FROM sequences; DELETE FROM number_jumps; DELETE FROM number_gaps; \
    DELETE FROM gap_watermarks";

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        if self.reusable && !std::thread::panicking() {
            FREE.lock().unwrap().push((server, name));
            return;
        }
        finish(async move { execute(&server, format!("DROP DATABASE {name}")).await });
    }
}

/// Dropping is not async, and a test that failed has no runtime to lend.
fn finish(last: impl Future<Output = ()> + Send + 'static) {
    let finished = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(last);
    });
    if finished.join().is_err() {
        eprintln!("something stays on the server");
    }
}

/// Statements without parameters.
async fn execute(address: &str, sql: impl Into<String>) {
    let mut conn = AnyConnection::connect(address).await.unwrap();
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.into()));
    conn.execute(sql).await.unwrap();
    conn.close().await.unwrap();
}

/// Removes the databases of processes that are gone.
async fn tidy_up(server: &str) {
    let mut tidy = TIDY.lock().await;
    if tidy.iter().any(|done| done == server) {
        return;
    }
    let mut conn = AnyConnection::connect(server).await.unwrap();
    let sql =
        "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'chat_test_%'";
    for row in conn.fetch_all(sql).await.unwrap() {
        let name: String = row.get(0);
        let process = name.split('_').nth(2).unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            // Another process may be removing it as well.
            let sql = format!("DROP DATABASE IF EXISTS {name}");
            conn.execute(sqlx::raw_sql(AssertSqlSafe(sql)))
                .await
                .unwrap();
        }
    }
    conn.close().await.unwrap();
    tidy.push(server.to_owned());
}

/// The address of a server with another database.
fn with_database(server: &str, name: &str) -> String {
    let (address, parameters) = server.split_once('?').unwrap_or((server, ""));
    let (scheme, rest) = address.split_once("://").unwrap();
    let authority = rest.split('/').next().unwrap();
    format!("{scheme}://{authority}/{name}?{parameters}")
}
