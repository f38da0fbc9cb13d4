//! Memory of `chat-api` with many connections on which nothing happens.

use super::progress;
use super::system::System;
use super::versions::versions;
use crate::Size;
use crate::connection::{Connection, get};
use crate::results::Results;
use anyhow::{Context, Result};
use e2e::cluster::Role;
use futures::{StreamExt, TryStreamExt, stream};

const CONNECTIONS: usize = 10_000;
const MOST: &str = "20000";
/// Opened at once.
const AT_ONCE: usize = 64;

/// Returns which servers it were.
pub(crate) async fn measure(size: &Size, results: &mut Results) -> Result<String> {
    let mut system = System::start(&[("CHAT_MAX_CONNECTIONS", MOST)]).await?;
    let servers = versions(&system).await;
    system.stop_workers().await?;
    for round in 1..=size.rounds {
        progress(&format!("idle, round {round}"));
        results.add("idle none", "MB", system.memory(Role::Api)?.resident_mb);
        let address = system.api()?;
        let opened = stream::iter(0..CONNECTIONS).map(|_| async move {
            let mut connection = Connection::open(address).await?;
            // A connection that never asks anything is closed after a while.
            connection.exchange(&get("/nowhere"), 404).await?;
            anyhow::Ok(connection)
        });
        let opened = opened.buffer_unordered(AT_ONCE).try_collect::<Vec<_>>();
        let mut opened = opened.await.context(
            "10,000 connections need as many file descriptors: raise `ulimit -n` to 20000",
        )?;
        tokio::time::sleep(size.rest).await;
        results.add("idle", "MB", system.memory(Role::Api)?.resident_mb);
        let answers = stream::iter(&mut opened)
            .map(|connection| connection.answers(404))
            .buffer_unordered(AT_ONCE);
        let alive = answers
            .filter(|alive| futures::future::ready(*alive))
            .count();
        results.add("idle alive", "", alive.await as f64);
        drop(opened);
        system.restart(Role::Api).await?;
    }
    Ok(servers)
}

impl Connection {
    async fn answers(&mut self, status: u16) -> bool {
        self.exchange(&get("/nowhere"), status).await.is_ok()
    }
}
