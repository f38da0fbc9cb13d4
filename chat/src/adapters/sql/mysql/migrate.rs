//! `chat-worker migrate`: the tables as this program knows them.
//!
//! The database commits each statement that changes a table by itself, so a migration that was killed
//! has done a part of its work. Every migration can therefore be carried out again from its start
//! (`IF NOT EXISTS`), and is, whenever it did not come to its end.

use super::super::decode::Cursor;
use super::super::restore::raise_every_sequence;
use super::super::schema::SCHEMA;
use super::{CONNECT_WITHIN, MYSQL, MysqlSettings, errors, open_mysql, options};
use crate::error::{Error, Result};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, Connection, Executor};
use std::time::Duration;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/mysql");

/// Only one at a time, of any number that are started.
const LOCK: &str = "SELECT GET_LOCK(CONCAT('chat.migrate.', LEFT(SHA2(DATABASE(), 256), 40)), 60)";

const NO_SUCH_TABLE: u16 = 1146;

/// What a migration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The schema's version before; 0: there was none.
    pub before: i64,
    /// Its version now.
    pub after: i64,
}

/// Brings the tables up to date; does nothing when they are. Safe in any number of processes at once, and
/// after one that was killed. `SchemaTooNew`: a later program's, left alone. `Busy`: another migration
/// takes longer than a minute.
pub async fn migrate(settings: &MysqlSettings) -> Result<Migrated> {
    let backend = open_mysql(settings)?.backend;
    let options = options(settings)?;
    let connect = tokio::time::timeout(CONNECT_WITHIN, AnyConnection::connect_with(&options));
    let no_answer = |_| backend.error(errors::late(CONNECT_WITHIN));
    let mut conn = connect
        .await
        .map_err(no_answer)?
        .map_err(|error| backend.error(error))?;
    let migrated = migrate_on(&mut conn).await;
    // The lock goes with the connection.
    let _ = conn.close().await;
    migrated.map_err(|error| backend.placed(error))
}

async fn migrate_on(conn: &mut AnyConnection) -> Result<Migrated> {
    conn.execute(MYSQL.begin_session)
        .await
        .map_err(errors::classify)?;
    let row = conn.fetch_one(LOCK).await.map_err(errors::classify)?;
    if Cursor::over(&row).get::<Option<i64>>()? != Some(1) {
        return Err(Error::Busy(
            "another migration has been running for a minute".into(),
        ));
    }
    let before = version(conn).await?;
    if before > SCHEMA {
        return Err(too_new(before));
    }
    // What did not come to its end is carried out again.
    let forget = "DELETE FROM _sqlx_migrations WHERE success = FALSE";
    present(conn.execute(forget).await)?;
    MIGRATIONS.run(&mut *conn).await.map_err(refusal)?;
    let after = version(conn).await?;
    Ok(Migrated { before, after })
}

/// 0 where there is no schema, or one that never came to its end.
async fn version(conn: &mut AnyConnection) -> Result<i64> {
    let row = present(conn.fetch_optional("SELECT version FROM schema_info").await)?;
    row.flatten()
        .as_ref()
        .map_or(Ok(0), |row| Cursor::over(row).get())
}

/// `None` where the table is not there.
fn present<T>(done: sqlx::Result<T>) -> Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if errors::number(&error) == Some(NO_SUCH_TABLE) => Ok(None),
        Err(error) => Err(errors::classify(error)),
    }
}

fn too_new(schema: i64) -> Error {
    Error::SchemaTooNew {
        schema,
        program: SCHEMA,
    }
}

fn refusal(error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            too_new(version)
        }
        MigrateError::VersionMismatch(version) => Error::unavailable(
            "database",
            format!(
                "version {version} of its schema was made by other statements than this program's"
            ),
        ),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            errors::classify(error)
        }
        other => Error::unavailable("database", other),
    }
}

/// Nobody may write while this runs. After a copy took the database's place: raises every sequence far
/// above what can have been given since it was made; returns how many there are.
pub async fn after_restore(settings: &MysqlSettings) -> Result<u64> {
    let mut store = open_mysql(settings)?;
    store.backend.answer_within = Duration::MAX;
    store.schema_ready().await?;
    let mut tx = store.begin_write().await?;
    let outcome = raise_every_sequence(&mut tx).await;
    let raised = store.end_write(tx, outcome).await;
    store.close().await;
    raised
}
