//! What an error of MySQL or MariaDB means, by its number
//! (<https://dev.mysql.com/doc/mysql-errors/9.0/en/server-error-reference.html>,
//! <https://mariadb.com/kb/en/mariadb-error-code-reference/>).

use crate::error::Error;
use crate::model::Problem;
use sqlx::mysql::MySqlDatabaseError;
use std::io;
use std::time::Duration;

/// Whoever runs out of what, and what to look at.
enum Meaning {
    /// Somebody else wrote the same key.
    Conflict,
    /// Somebody else holds a lock.
    Busy,
    /// No row can hold it, whoever tries again.
    Refused,
    /// The server does not serve, or not us; what to check.
    Away(&'static str),
    Unknown,
}

pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    let cause = error.as_database_error()?;
    let cause = cause.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(cause.number())
}

fn meaning(number: u16) -> Meaning {
    use Meaning::{Away, Busy, Conflict, Refused, Unknown};
    match number {
        // Duplicate keys; a row that changed since the snapshot was taken.
        1022 | 1062 | 1169 | 1586 | 1859 | 1020 => Conflict,
        // A lock that was not had in time, a deadlock, a lock nobody wanted to wait for.
        1205 | 1213 | 3572 => Busy,
        // NULL where none may be, no default, out of range, truncated, not this type, not this character
        // set, too long, too large for a packet or a row, a CHECK.
        1048 | 1118 | 1139 | 1153 | 1264 | 1265 | 1292 | 1300 | 1364 | 1366 | 1406 | 1690
        | 3819 | 3988 | 4025 => Refused,
        1040 | 1203 | 1226 | 1135 => {
            Away("too many connections; check max_connections and how many programs use it")
        }
        1461 => Away("too many prepared statements; raise max_prepared_stmt_count"),
        1045 | 1698 | 1130 | 1129 | 1251 | 2059 => {
            Away("check the user, the password and from where it may come")
        }
        1044 | 1142 | 1143 | 1227 | 1370 | 1410 => Away("check the rights of the account"),
        1049 | 1046 => Away("check the name of the database in the address"),
        1146 | 1054 => Away("the schema is not there or too old; run chat-worker migrate"),
        1290 | 1836 | 1792 => Away("it only reads; check that the address is the primary's"),
        1021 | 1026 | 1030 | 1114 | 3 | 28 => Away("check the disk of the server"),
        1037 | 1038 | 1041 => Away("check the memory of the server"),
        // Shutting down, killed, took too long, gone.
        1053
        | 1077
        | 1079
        | 1152
        | 1158..=1161
        | 1184
        | 1317
        | 1927
        | 1969
        | 2006
        | 2013
        | 3024
        | 3168
        | 3169
        | 4031
        | 4166 => Away("check that the server runs"),
        _ => Unknown,
    }
}

pub(super) fn classify(error: sqlx::Error) -> Error {
    let Some(number) = number(&error) else {
        return classify_other(error);
    };
    match meaning(number) {
        Meaning::Conflict => Error::Conflict,
        Meaning::Busy => Error::Busy(format!("the database is locked: {error}")),
        Meaning::Refused => Error::invalid(
            "row",
            Problem::new(error.to_string(), "send a value the store can hold"),
        ),
        Meaning::Away(check) => away(&error, check),
        Meaning::Unknown => Error::internal(error),
    }
}

/// What no server said.
fn classify_other(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::PoolTimedOut => Error::Busy("no database connection was free in time".into()),
        sqlx::Error::PoolClosed => Error::unavailable("database", "this program is stopping"),
        sqlx::Error::Tls(_) => away(
            &error,
            "check its certificate and which authorities are trusted",
        ),
        // rustls reports a certificate that is not trusted as an I/O error of the handshake.
        sqlx::Error::Io(ref cause) if cause.kind() == io::ErrorKind::InvalidData => away(
            &error,
            "check its certificate and which authorities are trusted",
        ),
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => away(
            &error,
            "check that the server runs and that the address is right",
        ),
        sqlx::Error::Configuration(_) => away(&error, "check the address and its parameters"),
        other => Error::internal(other),
    }
}

/// A server that does not answer within `limit`.
pub(in crate::adapters::sql) fn late(limit: Duration) -> sqlx::Error {
    let problem = format!("no answer within {limit:?}");
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, problem))
}

fn away(error: &sqlx::Error, check: &str) -> Error {
    Error::unavailable("database", format!("{error}; {check}"))
}

/// A COMMIT that was refused because of a lock or because the server only reads wrote nothing. Of any
/// other end nobody knows: the connection broke, or the server went down in the middle.
pub(super) fn classify_commit(error: sqlx::Error) -> Error {
    match number(&error) {
        Some(1062 | 1205 | 1213 | 1290 | 1792 | 1836) => classify(error),
        _ => {
            tracing::error!(%error, "a commit ended without an answer");
            Error::OutcomeUnknown {
                number: None,
                uid: None,
            }
        }
    }
}
