//! Keeps an eye on exchanges and queues: after each connect, and whenever something hints that one is
//! missing. A worker makes what is not there, also what was deleted by hand while it ran; the API only
//! looks, and says that it is not ready.

use super::connection::Link;
use super::topology::{self, Problem};
use lapin::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How long what is not right stays unlooked at.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two looks, however many hints there are.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    NotChecked,
    Right,
    Wrong(Problem),
}

#[derive(Clone)]
pub(super) struct Keeper {
    standing: Arc<watch::Sender<Standing>>,
    hint: Arc<Notify>,
    declares: Arc<AtomicBool>,
    max_queue_bytes: u64,
}

impl Keeper {
    pub(super) fn keep(
        link: Link,
        declares: bool,
        max_queue_bytes: u64,
        stop: CancellationToken,
    ) -> Self {
        let keeper = Self {
            standing: Arc::new(watch::channel(Standing::NotChecked).0),
            hint: Arc::default(),
            declares: Arc::new(AtomicBool::new(declares)),
            max_queue_bytes,
        };
        let task = keeper.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = task.run(link) => {}
                () = stop.cancelled() => {}
            }
        });
        keeper
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Something may be missing: look soon.
    pub(super) fn suspect(&self) {
        self.hint.notify_one();
    }

    /// A message came back: something is missing until a look says otherwise.
    pub(super) fn missing(&self) {
        let text = "a message came back: no queue was there for it".to_owned();
        self.standing
            .send_replace(Standing::Wrong(Problem::Missing(text)));
        self.suspect();
    }

    /// Makes what is missing, now and from now on.
    pub(super) async fn declare(&self, connection: &Connection) -> Result<(), Problem> {
        self.declares.store(true, Ordering::Relaxed);
        self.look(connection).await
    }

    /// Looks, and makes nothing.
    pub(super) async fn check(&self, connection: &Connection) -> Result<(), Problem> {
        let found = topology::check(connection).await;
        self.note(&found);
        found
    }

    async fn run(&self, mut link: Link) {
        loop {
            let connection = link.up().await;
            let right = self.look(&connection).await.is_ok();
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                () = link.changed() => {}
                () = self.hint.notified() => {}
                () = tokio::time::sleep(AGAIN), if !right => {}
            }
        }
    }

    async fn look(&self, connection: &Connection) -> Result<(), Problem> {
        let found = match self.declares.load(Ordering::Relaxed) {
            true => topology::declare(connection, self.max_queue_bytes).await,
            false => topology::check(connection).await,
        };
        self.note(&found);
        found
    }

    fn note(&self, found: &Result<(), Problem>) {
        let standing = match found {
            Ok(()) => Standing::Right,
            // The connection ended, which says nothing about what is there.
            Err(Problem::Unknown(_)) => return,
            Err(problem) => Standing::Wrong(problem.clone()),
        };
        let before = self.standing.send_replace(standing.clone());
        if before != standing {
            match &standing {
                Standing::Wrong(problem) => {
                    tracing::error!(problem = problem.text(), "RabbitMQ is not set up")
                }
                _ => tracing::info!("exchanges and queues are there"),
            }
        }
    }
}
