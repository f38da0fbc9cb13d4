//! Everything a worker does in one process, started together and stopped in order.

use crate::batch::BatchLimits;
use crate::consume::consume;
use crate::retry::Backoff;
use crate::supervise::supervise;
use crate::upkeep::{self, UpkeepSettings};
use chat::adapters::memory_queue::DirtyKeys;
use chat::backends::Work;
use chat::clock;
use chat::error::Error;
use chat::event::Queue;
use chat::ops::gaps;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What arrives during one commit shares the next.
const STORE_BATCH: BatchLimits = BatchLimits {
    size: 500,
    linger: Duration::from_millis(3),
    pause: Duration::ZERO,
    at_once: 1,
};
/// Between a broker and a database there is always somebody to wait for (docs/benchmarks.md).
const REMOTE_STORE_BATCH: BatchLimits = BatchLimits {
    at_once: 2,
    ..STORE_BATCH
};
/// A delivery holds up to 1,000 keys; the pause lets a steady stream of messages share index commits.
const INDEX_BATCH: BatchLimits = BatchLimits {
    size: 10,
    linger: Duration::ZERO,
    pause: Duration::from_millis(250),
    at_once: 1,
};
/// A request to a search engine may carry more.
const REMOTE_INDEX_BATCH: BatchLimits = BatchLimits {
    size: 50,
    linger: Duration::ZERO,
    pause: Duration::from_millis(100),
    at_once: 1,
};

type Task = JoinHandle<Result<(), Error>>;

/// The tasks of one process's worker.
pub struct Running {
    stop_indexing: CancellationToken,
    stop: CancellationToken,
    storing: Vec<Task>,
    background: Vec<Task>,
    indexing: Option<Task>,
}

/// Explains what a crash left behind, then starts consuming, folding, purging and indexing: everything, for
/// a process that is alone on its store. Must be called before the first request is let in. `dirty` are the
/// keys that wait for the index.
pub async fn start(
    work: &Work,
    dirty: &Arc<DirtyKeys>,
    settings: UpkeepSettings,
) -> Result<Running, Error> {
    let explained = gaps::walk_at_start(&*work.gaps, clock::now()).await?;
    if explained > 0 {
        tracing::warn!(
            numbers = explained,
            "the last run ended without closing; its unused numbers are gaps now"
        );
    }
    let (stop, stop_indexing) = (CancellationToken::new(), CancellationToken::new());
    let storing = [Queue::Chats, Queue::Messages]
        .map(|queue| keep_consuming(work, queue, STORE_BATCH, &stop));
    let dirty = dirty.clone();
    let background = vec![
        keep_up("fold_and_purge", work, &stop, move |work, stop| {
            upkeep::fold_and_purge(work, settings, stop)
        }),
        keep_up("explain_gaps", work, &stop, move |work, stop| {
            upkeep::explain_gaps(work, settings, stop)
        }),
        keep_up("audit_counts", work, &stop, move |work, stop| {
            upkeep::audit_counts(work, settings, stop)
        }),
        keep_up("compare_index", work, &stop, move |work, stop| {
            upkeep::compare_index(work, dirty.clone(), stop)
        }),
    ];
    let indexing = keep_consuming(work, Queue::Indexing, INDEX_BATCH, &stop_indexing);
    Ok(Running {
        stop_indexing,
        stop,
        storing: storing.into(),
        background,
        indexing: Some(indexing),
    })
}

/// Starts consuming these queues of a broker, beside any number of other processes that do the same.
pub fn start_roles(work: &Work, queues: &[Queue]) -> Running {
    let (stop, stop_indexing) = (CancellationToken::new(), CancellationToken::new());
    let storing = queues.iter().filter(|queue| **queue != Queue::Indexing);
    let storing = storing.map(|queue| keep_consuming(work, *queue, REMOTE_STORE_BATCH, &stop));
    let storing = storing.collect();
    let indexing = queues
        .contains(&Queue::Indexing)
        .then(|| keep_consuming(work, Queue::Indexing, REMOTE_INDEX_BATCH, &stop_indexing));
    Running {
        stop_indexing,
        stop,
        storing,
        background: Vec::new(),
        indexing,
    }
}

fn keep_consuming(
    work: &Work,
    queue: Queue,
    limits: BatchLimits,
    stop: &CancellationToken,
) -> Task {
    let (work, stop) = (work.clone(), stop.clone());
    tokio::spawn(async move {
        let mut backoff = Backoff::default();
        loop {
            let start = || consume(work.clone(), queue, limits, stop.clone());
            match supervise(queue.name(), stop.clone(), start).await? {
                Ok(()) => return Ok(()),
                Err(error) if stop.is_cancelled() => return Err(error),
                Err(error) => {
                    tracing::warn!(queue = queue.name(), %error, "cannot consume; it is tried again");
                    let _ = tokio::time::timeout(backoff.failed(), stop.cancelled()).await;
                }
            }
        }
    })
}

fn keep_up<F>(
    name: &'static str,
    work: &Work,
    stop: &CancellationToken,
    task: impl Fn(Work, CancellationToken) -> F + Send + Sync + 'static,
) -> Task
where
    F: Future<Output = ()> + Send + 'static,
{
    let (work, stop) = (work.clone(), stop.clone());
    tokio::spawn(async move {
        let start = || task(work.clone(), stop.clone());
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
        match self.indexing {
            Some(indexing) => outcome.and(ended(indexing).await),
            None => outcome,
        }
    }
}

async fn ended(task: Task) -> Result<(), Error> {
    task.await.map_err(Error::internal)?
}
