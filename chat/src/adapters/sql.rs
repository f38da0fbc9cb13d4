//! The store: `Tenants`, `Reader`, `AcrossTenants`, `Writer`, `Sequences`, `Upkeep` and `GapLedger` in SQL.
//!
//! One implementation over sqlx's `Any` driver; what differs between databases is in `Dialect` and
//! nowhere else. No upsert, no RETURNING, no INSERT IGNORE, no counting by affected rows (PROTOCOLS M7,
//! M8): what is there is found out by SELECT.

mod across;
mod decode;
mod dialect;
mod fold;
mod gaps;
#[cfg(feature = "cluster")]
mod mysql;
mod numbers;
mod purge;
mod reader;
mod restore;
mod schema;
mod sequences;
#[cfg(feature = "embedded")]
mod sqlite;
mod statement;
mod tenants;
mod tx;
mod upkeep;
mod window;
mod writer;

#[cfg(feature = "cluster")]
pub use mysql::{Migrated, MysqlSettings, after_restore, migrate, open_mysql};
pub use numbers::SqlNumbers;
#[cfg(feature = "embedded")]
pub use sqlite::{backup, open_sqlite};

use crate::error::{Error, Result};
use dialect::Dialect;
use sqlx::any::AnyRow;
use sqlx::{Any, AnyPool};
use std::sync::Arc;
use std::time::Duration;
use tx::{Session, Tx};

/// The SQL store behind seven ports. Cheap to clone.
#[derive(Clone)]
pub struct SqlStore {
    reads: AnyPool,
    writes: AnyPool,
    backend: Backend,
}

/// Which database it is, and how to speak of it.
#[derive(Clone)]
struct Backend {
    dialect: &'static Dialect,
    /// Where the server is; `None`: in this process.
    place: Option<Arc<str>>,
    /// How long the answer to a statement is waited for.
    answer_within: Duration,
}

impl Backend {
    fn error(&self, error: sqlx::Error) -> Error {
        self.placed((self.dialect.classify)(error))
    }

    fn commit_error(&self, error: sqlx::Error) -> Error {
        self.placed((self.dialect.classify_commit)(error))
    }

    /// What does not answer is named by its place.
    fn placed(&self, error: Error) -> Error {
        match (error, &self.place) {
            (Error::Unavailable { part, source }, Some(place)) => {
                Error::unavailable(part, format!("{place}: {source}"))
            }
            (error, _) => error,
        }
    }
}

type Query = sqlx::query::Query<'static, Any, sqlx::any::AnyArguments>;

impl SqlStore {
    /// Waits for running statements and closes every connection.
    pub async fn close(&self) {
        self.reads.close().await;
        self.writes.close().await;
    }

    /// Several statements that see one snapshot.
    async fn begin_read(&self) -> Result<Tx> {
        let session = self.session(&self.reads).await?;
        Tx::begin(session, self.backend.dialect.begin_read).await
    }

    async fn begin_write(&self) -> Result<Tx> {
        let session = self.session(&self.writes).await?;
        Tx::begin(session, self.backend.dialect.begin_write).await
    }

    /// Commits if `outcome` is good, rolls back if it is not.
    async fn end_write<T>(&self, mut tx: Tx, outcome: Result<T>) -> Result<T> {
        match outcome {
            Ok(value) => tx.commit().await.map(|()| value),
            Err(error) => {
                tx.rollback().await;
                Err(error)
            }
        }
    }

    async fn fetch_all(
        &self,
        sql: String,
        bind: impl FnOnce(Query) -> Query,
    ) -> Result<Vec<AnyRow>> {
        let mut session = self.session(&self.reads).await?;
        session.fetch_all(sql, bind).await
    }

    async fn fetch_optional(
        &self,
        sql: String,
        bind: impl FnOnce(Query) -> Query,
    ) -> Result<Option<AnyRow>> {
        let mut session = self.session(&self.reads).await?;
        session.fetch_optional(sql, bind).await
    }

    async fn session(&self, pool: &AnyPool) -> Result<Session> {
        match pool.acquire().await {
            Ok(conn) => Ok(Session::new(conn, self.backend.clone())),
            Err(sqlx::Error::PoolTimedOut) => Err(self.why_none_was_free(pool).await),
            Err(error) => Err(self.backend.error(error)),
        }
    }

    /// A pool that cannot connect tries until its time is up, and then says only that. One connection more
    /// tells a server that is away from a pool that is in use.
    async fn why_none_was_free(&self, pool: &AnyPool) -> Error {
        let in_use = || Error::Busy("no database connection was free in time".into());
        if self.backend.place.is_none() {
            return in_use();
        }
        let connect = async {
            use sqlx::{ConnectOptions, Connection};
            let mut conn = pool.connect_options().connect().await?;
            sqlx::Executor::execute(&mut conn, self.backend.dialect.begin_session).await?;
            conn.close().await
        };
        match tokio::time::timeout(CONNECT_WITHIN, connect).await {
            Ok(Ok(())) => in_use(),
            Ok(Err(error)) => self.backend.error(error),
            Err(_) => self.backend.error(sqlx::Error::Io(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("no connection within {CONNECT_WITHIN:?}"),
            ))),
        }
    }
}

/// How long a new connection may take, its login included.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
