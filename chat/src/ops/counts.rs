//! Counts and tombstones: folding the ledger, purging under deleted parents, auditing (PROTOCOLS D).
//!
//! Everything here is safe in any number of processes at once and may be cut off anywhere.

use super::again::again;
use crate::clock;
use crate::error::Result;
use crate::event::{Command, Envelope, IndexRows, Origin, VERSION};
use crate::metrics;
use crate::ports::{Drift, Publisher, Upkeep};
use std::time::Instant;

/// Ledger rows folded in one transaction.
const FOLD_ROWS: u32 = 5_000;
/// Rows purged or removed in one transaction.
const PURGE_ROWS: u32 = 1_000;
/// Counts audited in one snapshot.
const AUDIT_COUNTS: u32 = 1_000;
/// How long the rows of a deleted application stay after it: the index has long taken them out by then.
const REMOVE_AFTER_MS: i64 = 60_000;

/// Folds until nothing is open; returns how many ledger rows.
pub async fn fold(upkeep: &dyn Upkeep) -> Result<u64> {
    let started = Instant::now();
    let mut folded = 0;
    loop {
        let rows = again(|| upkeep.fold(FOLD_ROWS)).await?;
        folded += u64::from(rows);
        if rows == 0 {
            break;
        }
    }
    if folded > 0 {
        metrics::folded(folded, started.elapsed().as_secs_f64());
    }
    Ok(folded)
}

/// Blanks everything live under deleted parents and takes it out of the index, then removes what is
/// left of applications deleted a while ago. Returns how many rows.
pub async fn purge(upkeep: &dyn Upkeep, publisher: &dyn Publisher) -> Result<u64> {
    let mut total = 0;
    loop {
        let messages = upkeep.to_purge(PURGE_ROWS).await?;
        let asked = messages.len();
        // The index first: their chat is deleted, so it removes them, and once they are blanked nobody finds
        // them again to tell it.
        if asked > 0 {
            let command = Command::IndexRows(IndexRows {
                rows: messages.clone(),
            });
            let envelope = Envelope {
                version: VERSION,
                command,
                origin: Origin::default(),
            };
            publisher.slot().await?.publish(envelope).await?;
        }
        let purged = again(|| upkeep.purge(&messages, PURGE_ROWS, clock::now())).await?;
        total += u64::from(purged.rows);
        if asked == 0 && purged.rows == 0 {
            break;
        }
    }
    loop {
        let before = clock::now().plus(-REMOVE_AFTER_MS);
        let removed = again(|| upkeep.remove(PURGE_ROWS, before)).await?;
        if removed == 0 {
            return Ok(total);
        }
        total += u64::from(removed);
    }
}

/// Compares every count with the rows themselves; with `repair`, writes each difference into the ledger.
pub async fn audit(upkeep: &dyn Upkeep, repair: bool) -> Result<(u64, Vec<Drift>)> {
    let (mut checked, mut drifts, mut after) = (0, Vec::new(), None);
    loop {
        let page = upkeep.audit(after, AUDIT_COUNTS).await?;
        checked += u64::from(page.checked);
        for drift in &page.drifts {
            tracing::error!(counted = ?drift.counted, said = drift.said, rows = drift.rows, "a count is wrong");
            if repair {
                upkeep.repair(drift).await?;
            }
        }
        metrics::count_drift(page.drifts.len() as u64);
        drifts.extend(page.drifts);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok((checked, drifts)),
        }
    }
}
