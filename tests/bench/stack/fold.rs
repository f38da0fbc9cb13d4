//! Folding an open ledger into the counts.

use super::progress;
use super::publish::plaintext;
use super::rows::Database;
use super::system::System;
use super::versions::versions;
use crate::Size;
use crate::results::Results;
use anyhow::{Result, ensure};
use chat::adapters::sql::{MysqlSettings, open_mysql};
use chat::ops::counts;
use std::time::Instant;

/// Open ledger rows, one for each chat in turn.
const ROWS: u64 = 100_000;
/// How many chats they are about: each count is written once in a transaction.
pub(crate) const CHATS: [u64; 2] = [50, 1_000];
const ROWS_IN_A_STATEMENT: u64 = 1_000;
/// As a worker has.
const CONNECTIONS: u32 = 8;

/// Returns which servers it were.
pub(crate) async fn measure(size: &Size, results: &mut Results) -> Result<String> {
    let mut system = System::start(&[]).await?;
    system.stop_workers().await?;
    let address = system.setting("CHAT_MYSQL_URL")?.to_owned();
    let mut database = Database::connect(&address, "messages").await?;
    let store = open_mysql(&MysqlSettings {
        endpoint: plaintext(&address),
        ca_file: None,
        connections: CONNECTIONS,
    })?;
    for round in 1..=size.rounds {
        for chats in CHATS {
            progress(&format!("fold, round {round}, {chats} chats"));
            fill(&mut database, chats).await?;
            let begun = Instant::now();
            let folded = counts::fold(&store).await?;
            let seconds = begun.elapsed().as_secs_f64();
            ensure!(folded == ROWS, "{folded} rows instead of {ROWS}");
            results.add(&format!("fold {chats}"), "rows/s", ROWS as f64 / seconds);
        }
    }
    store.close().await;
    Ok(versions(&system).await)
}

async fn fill(database: &mut Database, chats: u64) -> Result<()> {
    for first in (0..ROWS).step_by(usize::try_from(ROWS_IN_A_STATEMENT)?) {
        let rows = first..first + ROWS_IN_A_STATEMENT;
        let rows: Vec<String> = rows
            .map(|row| format!("(1,7,{},1)", row % chats + 1))
            .collect();
        let insert = "INSERT INTO count_ledger (kind, app_id, chat_number, n) VALUES";
        database.run(format!("{insert} {}", rows.join(","))).await?;
    }
    Ok(())
}
