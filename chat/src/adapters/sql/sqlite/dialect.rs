//! What is particular to SQLite.

use super::super::dialect::Dialect;
use crate::error::Error;
use crate::model::Problem;

pub(in crate::adapters::sql) static SQLITE: Dialect = Dialect {
    begin_session: "PRAGMA busy_timeout = 5000",
    begin_read: "BEGIN",
    begin_write: "BEGIN IMMEDIATE",
    lock: "",
    share_lock: "",
    skip_locked: "",
    by_key: "",
    by_uid: "",
    // https://www.sqlite.org/optoverview.html#crossjoin
    join_in_order: "CROSS JOIN",
    or_add_to_n: " ON CONFLICT (kind, app_id, chat_number) DO UPDATE SET n = n + excluded.n",
    classify: classify_sqlite,
    classify_commit: classify_sqlite_commit,
};

/// Primary result codes, <https://www.sqlite.org/rescode.html>.
mod code {
    pub(super) const BUSY: u32 = 5;
    pub(super) const LOCKED: u32 = 6;
    pub(super) const READONLY: u32 = 8;
    pub(super) const IOERR: u32 = 10;
    pub(super) const CORRUPT: u32 = 11;
    pub(super) const FULL: u32 = 13;
    pub(super) const CANTOPEN: u32 = 14;
    pub(super) const TOOBIG: u32 = 18;
    pub(super) const CONSTRAINT: u32 = 19;
    pub(super) const MISMATCH: u32 = 20;
    pub(super) const NOTADB: u32 = 26;
}

/// The low byte of an extended result code is the primary one.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let extended: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

fn classify_sqlite(error: sqlx::Error) -> Error {
    if error
        .as_database_error()
        .is_some_and(|cause| cause.is_unique_violation())
    {
        return Error::Conflict;
    }
    match primary_code(&error) {
        Some(code::BUSY | code::LOCKED) => Error::Busy("the database is locked".into()),
        Some(code::FULL) => Error::unavailable("database", "the disk is full"),
        Some(code::READONLY | code::IOERR | code::CANTOPEN | code::CORRUPT | code::NOTADB) => {
            Error::unavailable("database", error)
        }
        Some(code::TOOBIG | code::CONSTRAINT | code::MISMATCH) => Error::invalid(
            "row",
            Problem::new(error.to_string(), "send a value the store can hold"),
        ),
        Some(_) => Error::internal(error),
        None => match error {
            sqlx::Error::PoolTimedOut => {
                Error::Busy("no database connection was free in time".into())
            }
            sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Error::unavailable("database", error)
            }
            other => Error::internal(other),
        },
    }
}

/// A COMMIT that found no room wrote no commit record. One that met an I/O error may have: its record
/// can be in the log although the sync failed.
fn classify_sqlite_commit(error: sqlx::Error) -> Error {
    match primary_code(&error) {
        Some(code::FULL | code::BUSY) => classify_sqlite(error),
        _ => {
            tracing::error!(%error, "a commit ended without an answer");
            Error::OutcomeUnknown {
                number: None,
                uid: None,
            }
        }
    }
}
