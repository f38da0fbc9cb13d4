//! Opening the store on MySQL 8 and later, or MariaDB 10.6 and later.
//!
//! Nothing connects before the first statement, so programs and servers may start in any order, and a
//! server that comes back is used again. Writes run at READ COMMITTED, where what is not there locks
//! nothing; pages are read from one snapshot.

mod errors;
mod migrate;

pub use migrate::{Migrated, after_restore, migrate};

use super::dialect::Dialect;
use super::{Backend, CONNECT_WITHIN, SqlStore};
use crate::adapters::endpoint::Endpoint;
use crate::error::{Error, Result};
use secrecy::ExposeSecret;
use sqlx::Executor;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct MysqlSettings {
    /// `mysql://user:password@host:port/database`.
    pub endpoint: Endpoint,
    /// The file that `endpoint.trust.ca_pem` was read from: sqlx reads it again for each connection, and
    /// takes nothing else.
    pub ca_file: Option<PathBuf>,
    /// Connections held at most.
    pub connections: u32,
}

static MYSQL: Dialect = Dialect {
    // Lock waits are short: whoever waits longer is told to try again. 'PIPES_AS_CONCAT' as in SQLite.
    begin_session: "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
                    SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,\
                    ONLY_FULL_GROUP_BY,PIPES_AS_CONCAT', innodb_lock_wait_timeout = 5, lock_wait_timeout = 10",
    begin_read: "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
                 START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    begin_write: "START TRANSACTION",
    lock: " FOR UPDATE",
    // MariaDB does not know FOR SHARE.
    share_lock: " LOCK IN SHARE MODE",
    skip_locked: " FOR UPDATE SKIP LOCKED",
    by_key: " FORCE INDEX (PRIMARY)",
    by_uid: " FORCE INDEX (uid)",
    join_in_order: "STRAIGHT_JOIN",
    // MariaDB does not know a name for the new row.
    or_add_to_n: " ON DUPLICATE KEY UPDATE n = n + VALUES(n)",
    classify: errors::classify,
    classify_commit: errors::classify_commit,
};

/// How long the answer to a statement is waited for: longer than for any lock.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A connection that was idle for longer is asked whether it still works.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// The store on this server. Never fails because the server is away; an address that cannot be one is
/// `Invalid`.
pub fn open_mysql(settings: &MysqlSettings) -> Result<SqlStore> {
    let pool = AnyPoolOptions::new()
        .max_connections(settings.connections)
        .acquire_timeout(CONNECT_WITHIN)
        .test_before_acquire(false)
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_FOR {
                    sqlx::Connection::ping(conn).await?;
                }
                Ok(true)
            })
        })
        .after_connect(|conn, _| {
            Box::pin(async move { conn.execute(MYSQL.begin_session).await.map(drop) })
        })
        .connect_lazy_with(options(settings)?);
    Ok(SqlStore {
        reads: pool.clone(),
        writes: pool,
        backend: Backend {
            dialect: &MYSQL,
            place: Some(settings.endpoint.place().into()),
            answer_within: ANSWER_WITHIN,
        },
    })
}

/// The address with what sqlx wants to know about TLS. Without `plaintext` the server must prove its name,
/// whatever the address says. With it the address decides, and one that says nothing uses TLS where the
/// server has it, without asking for proof.
fn options(settings: &MysqlSettings) -> Result<AnyConnectOptions> {
    let MysqlSettings {
        endpoint, ca_file, ..
    } = settings;
    sqlx::any::install_default_drivers();
    let not_one = |problem: &str| {
        let fix = "write mysql://user:password@host:port/database";
        Error::invalid("address", crate::model::Problem::new(problem, fix))
    };
    let mut options = AnyConnectOptions::from_str(endpoint.url.expose_secret())
        .map_err(|_| not_one("the address of the database is none"))?;
    let url = &mut options.database_url;
    if !matches!(url.scheme(), "mysql" | "mariadb") {
        return Err(not_one(
            "the address of the database names another kind of server",
        ));
    }
    let (tls, mut rest): (Vec<_>, Vec<_>) = url
        .query_pairs()
        .into_owned()
        .partition(|(key, _)| matches!(&**key, "ssl-mode" | "sslmode" | "ssl-ca" | "sslca"));
    let said = |wanted: [&str; 2]| {
        let mut pairs = tls.iter();
        pairs.find(|(key, _)| wanted.contains(&key.as_str()))
    };
    let mode = match (endpoint.trust.plaintext, said(["ssl-mode", "sslmode"])) {
        (false, _) => "VERIFY_IDENTITY",
        (true, Some((_, mode))) => mode,
        (true, None) => "PREFERRED",
    };
    rest.push(("ssl-mode".to_owned(), mode.to_owned()));
    let authorities = match ca_file {
        Some(file) => file.to_str().map(str::to_owned),
        None => said(["ssl-ca", "sslca"]).map(|(_, file)| file.clone()),
    };
    rest.extend(authorities.map(|file| ("ssl-ca".to_owned(), file)));
    url.query_pairs_mut().clear().extend_pairs(rest);
    Ok(options)
}
