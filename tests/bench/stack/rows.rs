//! Messages in MySQL without the chat: the rows it would have written, in as few statements.

use crate::plain::statement;
use anyhow::{Context, Result, ensure};
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, Row as _};
use std::time::{Duration, Instant};

/// As large as a statement may be before it waits for an acknowledgement of TCP: about 12 KB (M13).
const ROWS_IN_A_STATEMENT: usize = 40;
/// For rows that are on their way.
const SOON: Duration = Duration::from_secs(60);

pub(crate) struct Row {
    pub(crate) app: i64,
    pub(crate) chat: i64,
    pub(crate) number: i64,
    pub(crate) uid: Vec<u8>,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) content: String,
    /// Milliseconds since 1970.
    pub(crate) at: i64,
}

pub(crate) struct Database {
    connection: MySqlConnection,
    /// For a full statement, built once.
    statement: String,
}

impl Database {
    /// Inserts go to `table`, which has the columns of `messages`.
    pub(crate) async fn connect(address: &str, table: &str) -> Result<Self> {
        Ok(Self {
            connection: MySqlConnection::connect(address).await?,
            statement: statement(table, ROWS_IN_A_STATEMENT),
        })
    }

    /// In one transaction.
    pub(crate) async fn insert(&mut self, table: &str, rows: &[Row]) -> Result<()> {
        let mut transaction = self.connection.begin().await?;
        for rows in rows.chunks(ROWS_IN_A_STATEMENT) {
            let sql = match rows.len() {
                ROWS_IN_A_STATEMENT => self.statement.clone(),
                fewer => statement(table, fewer),
            };
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for row in rows {
                query = query
                    .bind(row.app)
                    .bind(row.chat)
                    .bind(row.number)
                    .bind(&row.uid)
                    .bind(&row.fingerprint)
                    .bind(None::<String>)
                    .bind(&row.content)
                    .bind(0_i64)
                    .bind(None::<String>)
                    .bind(0_i64)
                    .bind(None::<i64>)
                    .bind(0_i64)
                    .bind(0_i64)
                    .bind(row.at)
                    .bind(row.at)
                    .bind(row.at)
                    .bind(row.at);
            }
            query.execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    pub(crate) async fn run(&mut self, sql: String) -> Result<()> {
        self.connection
            .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
            .await?;
        Ok(())
    }

    pub(crate) async fn number(&mut self, sql: String) -> Result<i64> {
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut self.connection);
        Ok(row.await?.try_get(0)?)
    }

    pub(crate) async fn application(&mut self, token: &str) -> Result<i64> {
        let sql = format!("SELECT app_id FROM applications WHERE token = '{token}'");
        self.number(sql).await.context("the application is stored")
    }

    /// Returns once so many rows are there.
    pub(crate) async fn until_there_are(&mut self, rows: u64, table: &str) -> Result<()> {
        let deadline = Instant::now() + SOON;
        let count = || format!("SELECT COUNT(*) FROM {table} WHERE uid IS NOT NULL");
        while self.number(count()).await? < i64::try_from(rows)? {
            ensure!(Instant::now() < deadline, "not all {table} were stored");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}
