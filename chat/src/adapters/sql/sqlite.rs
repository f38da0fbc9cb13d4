//! Opening the store on SQLite: one writer, several readers, a write-ahead log, durable commits.
//!
//! `synchronous = FULL` in WAL mode syncs the log at every commit, so a committed row survives power
//! loss (<https://www.sqlite.org/pragma.html#pragma_synchronous>). Commits of one batch share one sync.

mod dialect;

use super::restore::{AFTER_RESTORE, raise_every_sequence};
use super::{Backend, SqlStore};
use crate::error::{Error, Result};
use dialect::SQLITE;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection, Executor};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");

const READERS: u32 = 4;

/// `user_version` of a file that `backup` wrote and nothing has started from yet.
const IS_A_COPY: i64 = 1;

/// Opens or makes the database, and brings its tables up to date. Only one process may have it open for
/// writing; the caller holds a lock for that.
///
/// `max_pages` bounds the file for tests of a full disk.
pub async fn open_sqlite(file: &Path, max_pages: Option<u32>) -> Result<SqlStore> {
    sqlx::any::install_default_drivers();
    let writes = pool(file, "rwc", 1, max_pages).await?;
    migrate(&writes).await?;
    let reads = pool(file, "rw", READERS, None).await?;
    let store = SqlStore {
        reads,
        writes,
        backend: Backend {
            dialect: &SQLITE,
            place: None,
            answer_within: Duration::MAX,
        },
    };
    store.raise_numbers_of_a_copy().await?;
    Ok(store)
}

async fn pool(file: &Path, mode: &str, size: u32, max_pages: Option<u32>) -> Result<AnyPool> {
    let mut pragmas =
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; \
                       PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; \
                       PRAGMA cache_size = -4000; PRAGMA temp_store = MEMORY;"
            .to_owned();
    if let Some(pages) = max_pages {
        pragmas.push_str(&format!("PRAGMA max_page_count = {pages};"));
    }
    let options = options(file, mode)?;
    let cannot_open = |error: sqlx::Error| {
        let problem = format!("cannot open {}: {error}", file.display());
        Error::unavailable("database", problem)
    };
    // The pool tries again until its time is up, and then says only that: find out the reason first.
    let mut first = AnyConnection::connect_with(&options)
        .await
        .map_err(cannot_open)?;
    let works = sqlx::raw_sql(sqlx::AssertSqlSafe(pragmas.clone()));
    first.execute(works).await.map_err(cannot_open)?;
    first.close().await.map_err(cannot_open)?;
    AnyPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |conn, _| {
            let pragmas = sqlx::AssertSqlSafe(pragmas.clone());
            Box::pin(async move { conn.execute(sqlx::raw_sql(pragmas)).await.map(drop) })
        })
        .connect_with(options)
        .await
        .map_err(cannot_open)
}

fn options(file: &Path, mode: &str) -> Result<AnyConnectOptions> {
    // '%', '?' and '#' in a path would end it.
    let path: String = file
        .to_string_lossy()
        .bytes()
        .map(|byte| match byte {
            b'%' | b'?' | b'#' | b' ' => format!("%{byte:02X}"),
            byte if byte.is_ascii() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    AnyConnectOptions::from_str(&format!("sqlite://{path}?mode={mode}")).map_err(Error::internal)
}

async fn migrate(pool: &AnyPool) -> Result<()> {
    MIGRATIONS.run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            Error::unavailable(
                "database",
                format!(
                    "its schema has version {version}, which is newer than this program knows; \
                 start the program that wrote it, or a later one"
                ),
            )
        }
        MigrateError::VersionMismatch(version) => Error::unavailable(
            "database",
            format!(
                "version {version} of its schema was made by other statements than this program's"
            ),
        ),
        other => Error::unavailable("database", other),
    })
}

impl SqlStore {
    /// A copy does not know which numbers were given after it was made: it starts far above them (I3).
    async fn raise_numbers_of_a_copy(&self) -> Result<()> {
        let mut tx = self.begin_write().await?;
        let outcome = raise(&mut tx).await;
        let raised = self.end_write(tx, outcome).await?;
        if raised > 0 {
            tracing::warn!(
                scopes = raised,
                "started from a backup: numbers continue {AFTER_RESTORE} higher"
            );
        }
        Ok(())
    }

    /// Lets the file grow to so many pages; tests of a full disk make room with it.
    #[cfg(feature = "conformance")]
    pub async fn set_max_pages(&self, pages: u32) -> Result<()> {
        let mut conn = self
            .writes
            .acquire()
            .await
            .map_err(|error| self.backend.error(error))?;
        let sql = format!("PRAGMA max_page_count = {pages}");
        conn.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql)))
            .await
            .map_err(|error| self.backend.error(error))?;
        Ok(())
    }
}

async fn raise(tx: &mut super::Tx) -> Result<u64> {
    let row = tx
        .fetch_optional("PRAGMA user_version".to_owned(), |query| query)
        .await?;
    let version: i64 = row
        .as_ref()
        .map_or(Ok(0), |row| super::decode::Cursor::over(row).get())?;
    if version != IS_A_COPY {
        return Ok(0);
    }
    let scopes = raise_every_sequence(tx).await?;
    tx.run("PRAGMA user_version = 0".to_owned(), |query| query)
        .await?;
    Ok(scopes)
}

/// Writes a consistent copy of the database at `file` to `target` while others read and write. The
/// copy is marked, so that starting from it never gives a number twice. Refuses to overwrite.
pub async fn backup(file: &Path, target: &Path) -> Result<()> {
    sqlx::any::install_default_drivers();
    if target.exists() {
        let problem = format!("{} exists already; name another file", target.display());
        return Err(Error::unavailable("backup", problem));
    }
    let unavailable = |error: sqlx::Error| Error::unavailable("backup", error);
    let mut conn = AnyConnection::connect_with(&options(file, "rw")?)
        .await
        .map_err(unavailable)?;
    conn.execute("PRAGMA busy_timeout = 5000")
        .await
        .map_err(unavailable)?;
    // Written under another name first: whatever has the wanted name is complete.
    let partial = target.with_added_extension("partial");
    remove(&partial)?;
    let copied = sqlx::query("VACUUM INTO ?")
        .bind(partial.to_string_lossy().into_owned())
        .execute(&mut conn)
        .await
        .map_err(unavailable);
    conn.close().await.map_err(unavailable)?;
    let finished = match copied {
        Ok(_) => finish(&partial, target).await,
        Err(error) => Err(error),
    };
    if finished.is_err() {
        remove(&partial)?;
    }
    finished
}

/// Marks the copy and gives it its name.
async fn finish(partial: &Path, target: &Path) -> Result<()> {
    let unavailable = |error: sqlx::Error| Error::unavailable("backup", error);
    let mut copy = AnyConnection::connect_with(&options(partial, "rw")?)
        .await
        .map_err(unavailable)?;
    let mark = format!("PRAGMA user_version = {IS_A_COPY}");
    copy.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(mark)))
        .await
        .map_err(unavailable)?;
    copy.close().await.map_err(unavailable)?;
    std::fs::File::open(partial)
        .and_then(|copy| copy.sync_all())
        .and_then(|()| std::fs::rename(partial, target))
        .map_err(|error| Error::unavailable("backup", error))
}

/// What an earlier backup left half-way.
fn remove(partial: &Path) -> Result<()> {
    match std::fs::remove_file(partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::unavailable("backup", error))
        }
        _ => Ok(()),
    }
}
