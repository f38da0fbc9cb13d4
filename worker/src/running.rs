//! Everything a worker does in one process, started together and stopped in order.

use crate::batch::BatchLimits;
use crate::consume::consume;
use crate::supervise::supervise;
use crate::upkeep::{self, UpkeepSettings};
use chat::backends::{Embedded, Work};
use chat::clock;
use chat::error::Error;
use chat::event::Queue;
use chat::ops::gaps;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What arrives during one commit shares the next.
const STORE_BATCH: BatchLimits = BatchLimits {
    size: 500,
    linger: Duration::from_millis(3),
    pause: Duration::ZERO,
};
/// A delivery holds up to 1,000 keys; the pause lets a steady stream of messages share index commits.
const INDEX_BATCH: BatchLimits = BatchLimits {
    size: 10,
    linger: Duration::ZERO,
    pause: Duration::from_millis(250),
};

type Task = JoinHandle<Result<(), Error>>;

/// The tasks of one process's worker.
pub struct Running {
    stop_indexing: CancellationToken,
    stop: CancellationToken,
    storing: Vec<Task>,
    background: Vec<Task>,
    indexing: Task,
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
        .map(|queue| keep_consuming(work, queue, STORE_BATCH, &stop));
    let background = vec![
        keep_up("fold_and_purge", embedded, &stop, move |embedded, stop| {
            upkeep::fold_and_purge(embedded, settings, stop)
        }),
        keep_up("explain_gaps", embedded, &stop, move |embedded, stop| {
            upkeep::explain_gaps(embedded, settings, stop)
        }),
        keep_up("audit_counts", embedded, &stop, move |embedded, stop| {
            upkeep::audit_counts(embedded, settings, stop)
        }),
        keep_up("compare_index", embedded, &stop, upkeep::compare_index),
    ];
    let indexing = keep_consuming(work, Queue::Indexing, INDEX_BATCH, &stop_indexing);
    Ok(Running {
        stop_indexing,
        stop,
        storing: storing.into(),
        background,
        indexing,
    })
}

fn keep_consuming(
    work: &Work,
    queue: Queue,
    limits: BatchLimits,
    stop: &CancellationToken,
) -> Task {
    let (work, stop) = (work.clone(), stop.clone());
    tokio::spawn(async move {
        let start = || consume(work.clone(), queue, limits, stop.clone());
        supervise(queue.name(), stop.clone(), start).await?
    })
}

fn keep_up<F>(
    name: &'static str,
    embedded: &Embedded,
    stop: &CancellationToken,
    task: impl Fn(Embedded, CancellationToken) -> F + Send + Sync + 'static,
) -> Task
where
    F: Future<Output = ()> + Send + 'static,
{
    let (embedded, stop) = (embedded.clone(), stop.clone());
    tokio::spawn(async move {
        let start = || task(embedded.clone(), stop.clone());
        supervise(name, stop.clone(), start).await
    })
}

impl Running {
    /// Finishes everything already delivered; rows first, then the index. Requests must have ended.
    pub async fn stop(self) -> Result<(), Error> {
        self.stop.cancel();
        let mut outcome = Ok(());
        for task in self.storing.into_iter().chain(self.background) {
            outcome = outcome.and(ended(task).await);
        }
        self.stop_indexing.cancel();
        outcome.and(ended(self.indexing).await)
    }
}

async fn ended(task: Task) -> Result<(), Error> {
    task.await.map_err(Error::internal)?
}
