//! The shared servers of `make stack-up`: what a namespace is on each, made and removed by plain clients.

use anyhow::{Context, Result};
use chat::conformance::servers as stack;
use serde_json::{Map, Value, json};
use sqlx::{Connection, Executor, MySqlConnection, Row};
use std::collections::BTreeSet;
use std::time::Duration;

/// Which database is behind the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Mysql,
    Mariadb,
}

/// Addresses with accounts that may do everything.
#[derive(Clone)]
pub(super) struct Servers {
    pub(super) database: String,
    pub(super) redis: String,
    pub(super) rabbitmq: String,
    pub(super) management: String,
    pub(super) elasticsearch: String,
}

/// Longer than any grace period of the gap pass.
const GRACE_IS_OVER: Duration = Duration::from_secs(60 * 60);

impl Servers {
    pub(super) fn of_this_run(database: Database) -> Option<Self> {
        let database = match database {
            Database::Mysql => stack::MYSQL,
            Database::Mariadb => stack::MARIADB,
        };
        Some(Self {
            database: stack::address(database)?,
            redis: stack::address(stack::REDIS)?,
            rabbitmq: stack::address(stack::RABBITMQ)?,
            management: stack::address(stack::RABBITMQ_MANAGEMENT)?,
            elasticsearch: stack::address(stack::ELASTICSEARCH)?,
        })
    }

    /// Redis and Elasticsearch need nothing before they are used.
    pub(super) async fn make(&self, name: &str) -> Result<()> {
        let create = format!("CREATE DATABASE {}", database_of(name));
        self.execute(&create).await?;
        let http = http()?;
        let vhost = format!(
            "{}/api/vhosts/{name}",
            self.management.trim_end_matches('/')
        );
        http.put(vhost)
            .json(&json!({}))
            .send()
            .await?
            .error_for_status()?;
        let account = reqwest::Url::parse(&self.management)?;
        let permissions = format!(
            "{}/api/permissions/{name}/{}",
            self.management.trim_end_matches('/'),
            account.username()
        );
        let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
        http.put(permissions)
            .json(&all)
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    /// Removes whatever is there under this name; last of all that by which `names` finds it.
    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        self.remove_vhost(name).await.context("the virtual host")?;
        self.remove_indices(&format!("{name}-*"))
            .await
            .context("the indices")?;
        self.remove_keys(name).await.context("the keys in Redis")?;
        let drop = format!("DROP DATABASE IF EXISTS {}", database_of(name));
        self.execute(&drop).await.context("the database")
    }

    /// Of every namespace that was ever made and not removed.
    pub(super) async fn names(&self) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        let mut database = MySqlConnection::connect(&self.database).await?;
        for row in database.fetch_all("SHOW DATABASES LIKE 'e2e\\_%'").await? {
            names.insert(row.try_get::<String, _>(0)?.replace('_', "-"));
        }
        database.close().await?;
        Ok(names)
    }

    pub(super) async fn end_grace(&self, name: &str) -> Result<u64> {
        let address = with_path(&self.database, &database_of(name));
        let mut database = MySqlConnection::connect(&address).await?;
        let older = i64::try_from(GRACE_IS_OVER.as_millis())?;
        let age = "UPDATE gap_watermarks SET seen_at = seen_at - ? WHERE seen_at IS NOT NULL";
        let aged = sqlx::query(age).bind(older).execute(&mut database).await?;
        database.close().await?;
        Ok(aged.rows_affected())
    }

    /// In the database of this name.
    pub(super) async fn change(&self, name: &str, sql: &str) -> Result<()> {
        let address = with_path(&self.database, &database_of(name));
        let mut database = MySqlConnection::connect(&address).await?;
        database
            .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql)))
            .await?;
        Ok(database.close().await?)
    }

    pub(super) async fn publish(&self, name: &str, queue: &str, body: &str) -> Result<()> {
        let publish = format!(
            "{}/api/exchanges/{name}/amq.default/publish",
            self.management.trim_end_matches('/')
        );
        let message = json!({
            "properties": { "delivery_mode": 2 },
            "routing_key": queue,
            "payload": body,
            "payload_encoding": "string",
        });
        let published = http()?.post(publish).json(&message).send().await?;
        let published: Value = published.error_for_status()?.json().await?;
        anyhow::ensure!(published["routed"] == true, "there is no queue {queue}");
        Ok(())
    }

    /// A copy of every table beside it, in place of an earlier one.
    pub(super) async fn copy_tables(&self, name: &str) -> Result<()> {
        for table in self.tables(name).await? {
            let (table, copy) = places(name, &table);
            self.execute(&format!(
                "DROP TABLE IF EXISTS {copy}; CREATE TABLE {copy} LIKE {table}; INSERT INTO {copy} SELECT * FROM {table}"
            ))
            .await?;
        }
        Ok(())
    }

    /// The tables as `copy_tables` found them.
    pub(super) async fn restore_tables(&self, name: &str) -> Result<()> {
        for table in self.tables(name).await? {
            let (table, copy) = places(name, &table);
            self.execute(&format!(
                "DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {copy}"
            ))
            .await?;
        }
        Ok(())
    }

    /// Without copies.
    async fn tables(&self, name: &str) -> Result<Vec<String>> {
        let mut database = MySqlConnection::connect(&self.database).await?;
        let sql = "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
                   WHERE table_schema = ? AND table_name NOT LIKE 'copy\\_of\\_%'";
        let tables = sqlx::query_scalar(sql).bind(database_of(name));
        let tables = tables.fetch_all(&mut database).await?;
        database.close().await?;
        Ok(tables)
    }

    async fn execute(&self, sql: &str) -> Result<()> {
        let mut database = MySqlConnection::connect(&self.database).await?;
        database
            .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql)))
            .await?;
        Ok(database.close().await?)
    }

    async fn remove_vhost(&self, name: &str) -> Result<()> {
        let vhost = format!(
            "{}/api/vhosts/{name}",
            self.management.trim_end_matches('/')
        );
        let answer = http()?.delete(vhost).send().await?;
        if answer.status() != 404 {
            answer.error_for_status()?;
        }
        Ok(())
    }

    /// Returns how many there were.
    pub(super) async fn remove_indices(&self, pattern: &str) -> Result<usize> {
        let http = http()?;
        let at = self.elasticsearch.trim_end_matches('/');
        let found = http.get(format!("{at}/{pattern}")).send().await?;
        let found: Map<String, Value> = found.error_for_status()?.json().await?;
        for index in found.keys() {
            http.delete(format!("{at}/{index}"))
                .send()
                .await?
                .error_for_status()?;
        }
        Ok(found.len())
    }

    pub(super) async fn remove_keys(&self, name: &str) -> Result<()> {
        let client = redis::Client::open(self.redis.as_str())?;
        let mut redis = client.get_multiplexed_async_connection().await?;
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor)
                .arg("MATCH")
                .arg(format!("{name}:*"))
                .arg("COUNT")
                .arg(1000);
            let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(&mut redis).await?;
            if !keys.is_empty() {
                redis::cmd("DEL")
                    .arg(keys)
                    .query_async::<()>(&mut redis)
                    .await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }
}

pub(crate) fn http() -> Result<reqwest::Client> {
    // reqwest wants to know who would do TLS. Somebody may have said so before.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    Ok(client.timeout(Duration::from_secs(30)).build()?)
}

/// A name without characters that need quotes.
pub(super) fn database_of(name: &str) -> String {
    name.replace('-', "_")
}

/// The address of a server with a database or virtual host.
pub(super) fn with_path(server: &str, path: &str) -> String {
    let (address, parameters) = match server.split_once('?') {
        Some((address, parameters)) => (address, format!("?{parameters}")),
        None => (server, String::new()),
    };
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let authority = rest.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}/{path}{parameters}")
}

/// A table, and its copy.
fn places(name: &str, table: &str) -> (String, String) {
    let database = database_of(name);
    let copy = format!("{database}.copy_of_{table}");
    (format!("{database}.{table}"), copy)
}
