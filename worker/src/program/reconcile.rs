//! `chat-worker reconcile`: fold, purge and explain, until nothing is left to do. Any number of these may run
//! at once, and any may be killed.

use crate::args::Reconcile;
use anyhow::Result;
use chat::backends::Cluster;
use chat::ops::{counts, gaps};
use chat::{clock, metrics, shutdown};

pub(crate) async fn reconcile(cluster: &Cluster, asked: Reconcile) -> Result<()> {
    let stop = shutdown::on_signal()?;
    loop {
        let outcome = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            outcome = pass(cluster) => outcome,
        };
        match (&outcome, asked.every) {
            (Ok(text), _) => cli::print(text)?,
            (Err(error), Some(_)) => {
                tracing::error!(%error, "the pass failed; the next one does its work")
            }
            (Err(_), None) => {}
        }
        if asked.metrics {
            cli::print(&metrics::render())?;
        }
        let Some(every) = asked.every else {
            return outcome.map(drop);
        };
        if tokio::time::timeout(every, stop.cancelled()).await.is_ok() {
            return Ok(());
        }
    }
}

/// What one pass did, as a line.
async fn pass(cluster: &Cluster) -> Result<String> {
    let work = &cluster.work;
    let folded = counts::fold(&*work.upkeep).await?;
    // Folding needs the database alone; what is purged has to be taken out of the index as well.
    cluster.queue.check().await?;
    let purged = counts::purge(&*work.upkeep, &*work.publisher).await?;
    let now = clock::now();
    let explained = gaps::pass(&*work.gaps, &*work.numbers, &*work.subscriber, now).await?;
    metrics::reconciled(now);
    Ok(format!(
        "folded {folded} ledger rows, purged {purged} rows, explained {explained} numbers\n"
    ))
}
