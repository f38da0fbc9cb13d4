//! A fresh start: how long until it answers, and what memory it takes when nothing happens.

use crate::Size;
use crate::connection::{Connection, get};
use crate::machine::memory;
use crate::results::Results;
use crate::server::Server;
use anyhow::Result;
use std::path::Path;
use std::time::Instant;

pub(crate) async fn round(dir: &Path, size: &Size, results: &mut Results) -> Result<()> {
    let data = tempfile::tempdir_in(dir)?;
    let (server, started, answered) = start_times(&data.path().join("chat")).await?;
    results.add("start", "ms", started);
    results.add("first answer", "ms", answered);
    tokio::time::sleep(size.rest).await;
    let memory = memory(server.id())?;
    results.add("memory at rest", "MB", memory.resident_mb);
    results.add("memory at rest, anonymous", "MB", memory.anonymous_mb);
    Ok(())
}

/// Milliseconds until a chat started on `data_dir` says that it is ready, and until it has answered.
pub(crate) async fn start_times(data_dir: &Path) -> Result<(Server, f64, f64)> {
    let begun = Instant::now();
    let milliseconds = || begun.elapsed().as_secs_f64() * 1_000.0;
    let server = Server::start(data_dir, &[])?;
    let started = milliseconds();
    let mut connection = Connection::open(server.api).await?;
    connection
        .exchange(&get("/api/v1/applications"), 200)
        .await?;
    Ok((server, started, milliseconds()))
}
