//! A database of its own for each test, gone with it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use chat::adapters::endpoint::{Endpoint, Trust};
use chat::adapters::sql::{MysqlSettings, SqlStore, migrate, open_mysql};
use chat::conformance::servers;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};

pub(super) struct Database {
    /// The server, as an account that may do everything.
    server: String,
    name: String,
}

impl Database {
    /// Empty; `None` where there is no such server.
    pub(super) async fn empty(server: &str) -> Option<Self> {
        let server = servers::address(server)?;
        sqlx::any::install_default_drivers();
        let name = format!("chat_test_{:016x}", rand::random::<u64>());
        let database = Self { server, name };
        let create = format!("CREATE DATABASE {}", database.name);
        database.as_root(create).await;
        Some(database)
    }

    /// With the tables of this program.
    pub(super) async fn new(server: &str) -> Option<Self> {
        let database = Self::empty(server).await?;
        migrate(&database.settings()).await.unwrap();
        Some(database)
    }

    pub(super) fn settings(&self) -> MysqlSettings {
        MysqlSettings {
            endpoint: self.endpoint(),
            connections: 10,
        }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint {
            url: with_database(&self.server, &self.name).into(),
            trust: Trust {
                ca_pem: None,
                plaintext: true,
            },
        }
    }

    pub(super) fn store(&self) -> SqlStore {
        open_mysql(&self.settings()).unwrap()
    }

    /// Statements without parameters, in this database.
    pub(super) async fn execute(&self, sql: impl Into<String>) {
        let address = with_database(&self.server, &self.name);
        let mut conn = AnyConnection::connect(&address).await.unwrap();
        conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.into())))
            .await
            .unwrap();
        conn.close().await.unwrap();
    }

    /// Every column and key of every table, and the version.
    pub(super) async fn columns(&self) -> Vec<String> {
        let address = with_database(&self.server, &self.name);
        let mut conn = AnyConnection::connect(&address).await.unwrap();
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
                columns.push(sqlx::Row::get(&row, 0));
            }
        }
        conn.close().await.unwrap();
        columns
    }

    async fn as_root(&self, sql: String) {
        let mut conn = AnyConnection::connect(&self.server).await.unwrap();
        conn.execute(sqlx::raw_sql(AssertSqlSafe(sql)))
            .await
            .unwrap();
        conn.close().await.unwrap();
    }
}

/// The database goes also when a test fails.
impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let drop = async move {
            let mut conn = AnyConnection::connect(&server).await?;
            conn.execute(sqlx::raw_sql(AssertSqlSafe(format!(
                "DROP DATABASE {name}"
            ))))
            .await?;
            conn.close().await
        };
        let dropped = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(drop)
        });
        if let Err(error) = dropped.join().unwrap() {
            eprintln!("the database {} stays: {error}", self.name);
        }
    }
}

/// The address of a server with another database.
fn with_database(server: &str, name: &str) -> String {
    let (address, parameters) = server.split_once('?').unwrap_or((server, ""));
    let (scheme, rest) = address.split_once("://").unwrap();
    let authority = rest.split('/').next().unwrap();
    format!("{scheme}://{authority}/{name}?{parameters}")
}
