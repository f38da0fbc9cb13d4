//! What has to be done again and again in one process: fold, purge, explain gaps, compare the index.

use crate::retry::Backoff;
use chat::adapters::memory_queue::DirtyKeys;
use chat::backends::Work;
use chat::clock;
use chat::error::Error;
use chat::ops::{counts, gaps, index};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpkeepSettings {
    /// Between two folds, each followed by a purge.
    pub fold_interval: Duration,
    /// Between two gap passes.
    pub gap_interval: Duration,
    /// Between two audits of all counts.
    pub audit_interval: Duration,
}

impl UpkeepSettings {
    pub fn every(fold_interval: Duration) -> Self {
        Self {
            fold_interval,
            gap_interval: Duration::from_secs(60),
            audit_interval: Duration::from_secs(60 * 60),
        }
    }
}

/// Folds and purges every interval until `stop`, then once more.
pub(crate) async fn fold_and_purge(work: Work, settings: UpkeepSettings, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut wait = settings.fold_interval;
    while !stopped_within(&stop, wait).await {
        wait = settings.fold_interval;
        if let Err(error) = fold_once(&work).await {
            wait = wait.max(backoff.failed());
            tracing::warn!(%error, "folding counts failed; it is tried again");
        } else {
            backoff.succeeded();
        }
    }
    if let Err(error) = fold_once(&work).await {
        tracing::warn!(%error, "the last fold failed; counts stay exact, the next start folds");
    }
}

async fn fold_once(work: &Work) -> Result<(), Error> {
    counts::fold(&*work.upkeep).await?;
    counts::purge(&*work.upkeep, &*work.publisher).await?;
    Ok(())
}

/// Explains gaps every interval until `stop`.
pub(crate) async fn explain_gaps(work: Work, settings: UpkeepSettings, stop: CancellationToken) {
    while !stopped_within(&stop, settings.gap_interval).await {
        let pass = gaps::pass(&*work.gaps, &*work.numbers, &*work.subscriber, clock::now()).await;
        if let Err(error) = pass {
            tracing::warn!(%error, "explaining gaps failed; it is tried again");
        }
    }
}

/// Compares every count with its rows, every interval until `stop`. A difference is a bug: it is logged,
/// counted in a metric, and mended through the ledger.
pub(crate) async fn audit_counts(work: Work, settings: UpkeepSettings, stop: CancellationToken) {
    while !stopped_within(&stop, settings.audit_interval).await {
        if let Err(error) = counts::audit(&*work.upkeep, true).await {
            tracing::warn!(%error, "auditing counts failed; it is tried again");
        }
    }
}

/// Compares the index with the store at the start, and again whenever keys were dropped.
pub(crate) async fn compare_index(work: Work, dirty: Arc<DirtyKeys>, stop: CancellationToken) {
    let mut due = true;
    let mut backoff = Backoff::default();
    loop {
        let mut wait = Duration::from_secs(1);
        if due {
            let comparison = index::compare(&*work.across, &*work.search);
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = comparison => outcome,
            };
            match outcome {
                Ok(compared) => {
                    due = false;
                    backoff.succeeded();
                    tracing::info!(
                        chats = compared.chats,
                        differing = compared.differing,
                        rows_written = compared.rows_written,
                        "the index equals the store"
                    );
                }
                Err(error) => {
                    wait = backoff.failed();
                    tracing::warn!(%error, "comparing the index failed; it is tried again");
                }
            }
        }
        if stopped_within(&stop, wait).await {
            return;
        }
        due |= dirty.take_overflow();
    }
}

async fn stopped_within(stop: &CancellationToken, wait: Duration) -> bool {
    tokio::time::timeout(wait, stop.cancelled()).await.is_ok()
}
