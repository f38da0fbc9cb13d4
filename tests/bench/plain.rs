//! The second baseline: the same rows into the same tables of SQLite, with the same durability, and
//! nothing around it: no HTTP, no numbers, no checks whether a row is there already.
//!
//! The same driver as the chat's, directly, with one prepared statement for 64 rows.

use crate::text::Author;
use anyhow::Result;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqliteConnection};
use std::path::Path;
use std::time::Instant;

const TABLES: &str = include_str!("../../migrations/sqlite/0001_initial.sql");
const COLUMNS: usize = 17;
const ROWS_IN_A_STATEMENT: usize = 64;

/// An open database with empty tables.
pub(crate) struct Plain {
    connection: SqliteConnection,
    /// For `ROWS_IN_A_STATEMENT` rows, built once.
    statement: String,
    number: i64,
    author: Author,
}

struct Row {
    number: i64,
    uid: [u8; 16],
    content: String,
}

impl Plain {
    pub(crate) async fn open(dir: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(dir.join("plain.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", "4000")
            .pragma("cache_size", "-4000");
        let mut connection = options.connect().await?;
        connection.execute(sqlx::raw_sql(TABLES)).await?;
        Ok(Self {
            connection,
            statement: statement("messages", ROWS_IN_A_STATEMENT),
            number: 0,
            author: Author::new(0),
        })
    }

    /// Rows a second, in transactions of so many rows.
    pub(crate) async fn inserts(&mut self, rows: usize, in_a_transaction: usize) -> Result<f64> {
        let rows: Vec<Row> = (0..rows).map(|_| self.row()).collect();
        let begun = Instant::now();
        for transaction in rows.chunks(in_a_transaction) {
            self.connection.execute("BEGIN IMMEDIATE").await?;
            for rows in transaction.chunks(ROWS_IN_A_STATEMENT) {
                self.insert(rows).await?;
            }
            self.connection.execute("COMMIT").await?;
        }
        Ok(rows.len() as f64 / begun.elapsed().as_secs_f64())
    }

    pub(crate) async fn close(self) -> Result<()> {
        Ok(self.connection.close().await?)
    }

    fn row(&mut self) -> Row {
        self.number += 1;
        let mut uid = [0; 16];
        // As a UUID of version 7 is: the time first, then chance.
        uid[..8].copy_from_slice(&self.number.to_be_bytes());
        uid[8..].copy_from_slice(&self.author.number(u64::MAX).to_be_bytes());
        Row {
            number: self.number,
            uid,
            content: self.author.sentence(),
        }
    }

    async fn insert(&mut self, rows: &[Row]) -> Result<()> {
        let sql = match rows.len() {
            ROWS_IN_A_STATEMENT => self.statement.clone(),
            fewer => statement("messages", fewer),
        };
        let mut query = sqlx::query(AssertSqlSafe(sql));
        let now = 1_763_700_000_000_i64;
        for row in rows {
            query = query
                .bind(7_i64)
                .bind(row.number % 16 + 1)
                .bind(row.number)
                .bind(row.uid.to_vec())
                .bind(row.uid.to_vec())
                .bind(None::<String>)
                .bind(row.content.clone())
                .bind(0_i64)
                .bind(None::<String>)
                .bind(0_i64)
                .bind(None::<i64>)
                .bind(0_i64)
                .bind(0_i64)
                .bind(now)
                .bind(now)
                .bind(now)
                .bind(now);
        }
        query.execute(&mut self.connection).await?;
        Ok(())
    }
}

/// Inserts rows of messages.
pub(crate) fn statement(table: &str, rows: usize) -> String {
    let marks = vec![format!("({})", vec!["?"; COLUMNS].join(",")); rows].join(",");
    format!(
        "INSERT INTO {table} (app_id, chat_number, number, uid, fingerprint, author, content, \
         content_rev, metadata, metadata_rev, reply_to, state, rev, created_at, accepted_at, \
         stored_at, updated_at) VALUES {marks}"
    )
}
