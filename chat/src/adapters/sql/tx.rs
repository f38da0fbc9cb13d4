//! A connection on loan, and a transaction on it, whose ends are ours.
//!
//! One that may still be in the middle of something (a dropped future, no answer in time, a failed
//! rollback) is closed instead of going back to the pool: the next one to get it would read another
//! statement's answer or an old snapshot, or write into somebody else's transaction.

use super::{Backend, Query};
use crate::error::Result;
use sqlx::any::AnyRow;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AssertSqlSafe, Executor};
use std::io::{Error as IoError, ErrorKind};
use std::time::Duration;

/// How long a rollback may take before the connection is closed instead.
const ROLLBACK_WITHIN: Duration = Duration::from_secs(1);

pub(super) struct Session {
    conn: PoolConnection<Any>,
    backend: Backend,
    /// Nothing is under way on it.
    clean: bool,
}

impl Session {
    pub(super) fn new(conn: PoolConnection<Any>, backend: Backend) -> Self {
        Self {
            conn,
            backend,
            clean: true,
        }
    }

    pub(super) async fn fetch_all(
        &mut self,
        sql: String,
        bind: impl FnOnce(Query) -> Query,
    ) -> Result<Vec<AnyRow>> {
        let query = bind(sqlx::query(AssertSqlSafe(sql)));
        let was_clean = self.start();
        let fetched = within(self.limit(), query.fetch_all(&mut *self.conn)).await;
        self.end(was_clean, fetched)
    }

    pub(super) async fn fetch_optional(
        &mut self,
        sql: String,
        bind: impl FnOnce(Query) -> Query,
    ) -> Result<Option<AnyRow>> {
        let query = bind(sqlx::query(AssertSqlSafe(sql)));
        let was_clean = self.start();
        let fetched = within(self.limit(), query.fetch_optional(&mut *self.conn)).await;
        self.end(was_clean, fetched)
    }

    async fn run(&mut self, sql: String, bind: impl FnOnce(Query) -> Query) -> Result<u64> {
        let query = bind(sqlx::query(AssertSqlSafe(sql)));
        let was_clean = self.start();
        let done = within(self.limit(), query.execute(&mut *self.conn)).await;
        self.end(was_clean, done).map(|done| done.rows_affected())
    }

    fn limit(&self) -> Duration {
        self.backend.answer_within
    }

    fn start(&mut self) -> bool {
        std::mem::replace(&mut self.clean, false)
    }

    /// After an answer, also a refusal, the connection is as it was before the statement.
    fn end<T>(&mut self, was_clean: bool, done: sqlx::Result<T>) -> Result<T> {
        let answered = matches!(done, Ok(_) | Err(sqlx::Error::Database(_)));
        self.clean = was_clean && answered;
        done.map_err(|error| self.backend.error(error))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.clean {
            self.conn.close_on_drop();
        }
    }
}

async fn within<T>(
    limit: Duration,
    statement: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let late = |_| IoError::new(ErrorKind::TimedOut, format!("no answer within {limit:?}"));
    tokio::time::timeout(limit, statement).await.map_err(late)?
}

/// Ends by `commit` or `rollback`; one that is dropped before takes its connection along.
pub(super) struct Tx {
    session: Session,
}

impl Tx {
    pub(super) async fn begin(mut session: Session, statement: &'static str) -> Result<Self> {
        session.start();
        let begun = within(session.limit(), session.conn.execute(statement)).await;
        session.end(false, begun)?;
        Ok(Self { session })
    }

    pub(super) fn dialect(&self) -> &'static super::Dialect {
        self.session.backend.dialect
    }

    pub(super) async fn run(
        &mut self,
        sql: String,
        bind: impl FnOnce(Query) -> Query,
    ) -> Result<u64> {
        self.session.run(sql, bind).await
    }

    pub(super) async fn fetch_all(
        &mut self,
        sql: String,
        bind: impl FnOnce(Query) -> Query,
    ) -> Result<Vec<AnyRow>> {
        self.session.fetch_all(sql, bind).await
    }

    pub(super) async fn fetch_optional(
        &mut self,
        sql: String,
        bind: impl FnOnce(Query) -> Query,
    ) -> Result<Option<AnyRow>> {
        self.session.fetch_optional(sql, bind).await
    }

    /// On an error nothing may be done with the transaction any more.
    pub(super) async fn commit(&mut self) -> Result<()> {
        let limit = self.session.limit();
        let committed = within(limit, self.session.conn.execute("COMMIT")).await;
        match committed {
            Ok(_) => {
                self.session.clean = true;
                Ok(())
            }
            Err(error) => {
                let answered = matches!(error, sqlx::Error::Database(_));
                let error = self.session.backend.commit_error(error);
                if answered {
                    self.rollback().await;
                }
                Err(error)
            }
        }
    }

    /// Also the end of a transaction that only read. A database that rolled back by itself answers with
    /// an error; the connection is not trusted then.
    pub(super) async fn rollback(&mut self) {
        let done = within(ROLLBACK_WITHIN, self.session.conn.execute("ROLLBACK")).await;
        self.session.clean = done.is_ok();
    }
}
