//! Everything a worker does in one process, started together and stopped in order.

use crate::batch::BatchLimits;
use crate::consume::consume;
use crate::upkeep::{self, UpkeepSettings};
use chat::backends::Embedded;
use chat::clock;
use chat::error::Error;
use chat::event::Queue;
use chat::ops::gaps;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What arrives during one commit shares the next: waiting longer would only add to every answer.
const STORE_BATCH: BatchLimits = BatchLimits {
    size: 500,
    linger: Duration::ZERO,
    pause: Duration::ZERO,
};
/// A delivery holds up to 1,000 keys; the pause lets a steady stream of messages share index commits.
const INDEX_BATCH: BatchLimits = BatchLimits {
    size: 10,
    linger: Duration::ZERO,
    pause: Duration::from_millis(250),
};

/// The tasks of one process's worker.
pub struct Running {
    stop_indexing: CancellationToken,
    stop: CancellationToken,
    storing: Vec<JoinHandle<Result<(), Error>>>,
    background: Vec<JoinHandle<()>>,
    indexing: JoinHandle<Result<(), Error>>,
}

/// Explains what a crash left behind, then starts consuming, folding, purging and indexing. Must be
/// called before the first request is let in.
pub async fn start(embedded: &Embedded, settings: UpkeepSettings) -> Result<Running, Error> {
    let explained = gaps::walk_at_start(&*embedded.work.gaps, clock::now()).await?;
    if explained > 0 {
        tracing::warn!(
            numbers = explained,
            "the last run ended without closing; its unused numbers are gaps now"
        );
    }
    let (stop, stop_indexing) = (CancellationToken::new(), CancellationToken::new());
    let work = &embedded.work;
    let storing = [Queue::Chats, Queue::Messages]
        .map(|queue| tokio::spawn(consume(work.clone(), queue, STORE_BATCH, stop.clone())));
    let background = vec![
        tokio::spawn(upkeep::fold_and_purge(
            embedded.clone(),
            settings,
            stop.clone(),
        )),
        tokio::spawn(upkeep::explain_gaps(
            embedded.clone(),
            settings,
            stop.clone(),
        )),
        tokio::spawn(upkeep::audit_counts(
            embedded.clone(),
            settings,
            stop.clone(),
        )),
        tokio::spawn(upkeep::compare_index(embedded.clone(), stop.clone())),
    ];
    let indexing = tokio::spawn(consume(
        work.clone(),
        Queue::Indexing,
        INDEX_BATCH,
        stop_indexing.clone(),
    ));
    Ok(Running {
        stop_indexing,
        stop,
        storing: storing.into(),
        background,
        indexing,
    })
}

impl Running {
    /// Finishes everything already delivered; rows first, then the index. Requests must have ended.
    pub async fn stop(self) -> Result<(), Error> {
        self.stop.cancel();
        let mut outcome = Ok(());
        for task in self.storing {
            outcome = outcome.and(task.await.map_err(Error::internal)?);
        }
        for task in self.background {
            task.await.map_err(Error::internal)?;
        }
        self.stop_indexing.cancel();
        outcome.and(self.indexing.await.map_err(Error::internal)?)
    }
}
