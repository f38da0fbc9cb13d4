//! The store: `Tenants`, `Reader`, `AcrossTenants`, `Writer`, `Sequences`, `Upkeep` and `GapLedger` in SQL.
//!
//! One implementation over sqlx's `Any` driver; what differs between databases is in `Dialect` and
//! nowhere else. No upsert, no RETURNING, no INSERT IGNORE, no counting by affected rows (PROTOCOLS M7,
//! M8): what is there is found out by SELECT.

mod across;
mod decode;
mod dialect;
mod gaps;
mod purge;
mod reader;
mod sequences;
#[cfg(feature = "embedded")]
mod sqlite;
mod statement;
mod tenants;
mod upkeep;
mod window;
mod writer;

#[cfg(feature = "embedded")]
pub use sqlite::{backup, open_sqlite};

use crate::error::{Error, Result};
use dialect::Dialect;
use sqlx::any::AnyRow;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Executor};

/// The SQL store behind seven ports. Cheap to clone.
#[derive(Clone)]
pub struct SqlStore {
    reads: AnyPool,
    writes: AnyPool,
    dialect: &'static Dialect,
}

impl SqlStore {
    /// Waits for running statements and closes every connection.
    pub async fn close(&self) {
        self.reads.close().await;
        self.writes.close().await;
    }

    fn error(&self, error: sqlx::Error) -> Error {
        (self.dialect.classify)(error)
    }

    /// Several statements that see one snapshot.
    async fn begin_read(&self) -> Result<sqlx::Transaction<'static, Any>> {
        self.reads
            .begin_with(self.dialect.begin_read)
            .await
            .map_err(|error| self.error(error))
    }

    async fn begin_write(&self) -> Result<WriteTx> {
        let conn = self
            .writes
            .acquire()
            .await
            .map_err(|error| self.error(error))?;
        // Open from here on: whoever is dropped while it begins leaves a connection that may have begun.
        let mut tx = WriteTx {
            conn,
            open: true,
            dialect: self.dialect,
        };
        tx.conn
            .execute(self.dialect.begin_write)
            .await
            .map_err(|error| self.error(error))?;
        Ok(tx)
    }

    /// Commits if `outcome` is good, rolls back if it is not.
    async fn end_write<T>(&self, mut tx: WriteTx, outcome: Result<T>) -> Result<T> {
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
        bind(sqlx::query(AssertSqlSafe(sql)))
            .fetch_all(&self.reads)
            .await
            .map_err(|error| self.error(error))
    }

    async fn fetch_optional(
        &self,
        sql: String,
        bind: impl FnOnce(Query) -> Query,
    ) -> Result<Option<AnyRow>> {
        bind(sqlx::query(AssertSqlSafe(sql)))
            .fetch_optional(&self.reads)
            .await
            .map_err(|error| self.error(error))
    }
}

type Query = sqlx::query::Query<'static, Any, sqlx::any::AnyArguments>;

/// A write transaction whose end is ours: a connection that may still be inside one (after a dropped
/// future, a failed rollback) is closed instead of going back to the pool.
struct WriteTx {
    conn: PoolConnection<Any>,
    open: bool,
    dialect: &'static Dialect,
}

impl WriteTx {
    fn conn(&mut self) -> &mut AnyConnection {
        &mut self.conn
    }

    async fn run(&mut self, sql: String, bind: impl FnOnce(Query) -> Query) -> Result<u64> {
        let query = bind(sqlx::query(AssertSqlSafe(sql)));
        let done = query
            .execute(self.conn())
            .await
            .map_err(self.dialect.classify)?;
        Ok(done.rows_affected())
    }

    async fn fetch_all(
        &mut self,
        sql: String,
        bind: impl FnOnce(Query) -> Query,
    ) -> Result<Vec<AnyRow>> {
        let query = bind(sqlx::query(AssertSqlSafe(sql)));
        query
            .fetch_all(self.conn())
            .await
            .map_err(self.dialect.classify)
    }

    async fn fetch_optional(
        &mut self,
        sql: String,
        bind: impl FnOnce(Query) -> Query,
    ) -> Result<Option<AnyRow>> {
        let query = bind(sqlx::query(AssertSqlSafe(sql)));
        query
            .fetch_optional(self.conn())
            .await
            .map_err(self.dialect.classify)
    }

    async fn commit(&mut self) -> Result<()> {
        let committed = self.conn.execute("COMMIT").await;
        match committed {
            Ok(_) => {
                self.open = false;
                Ok(())
            }
            Err(error) => {
                let error = (self.dialect.classify_commit)(error);
                self.rollback().await;
                Err(error)
            }
        }
    }

    async fn rollback(&mut self) {
        // A database that rolled back by itself answers with an error; the connection is not trusted then.
        self.open = self.conn.execute("ROLLBACK").await.is_err();
    }
}

impl Drop for WriteTx {
    fn drop(&mut self) {
        if self.open {
            self.conn.close_on_drop();
        }
    }
}
