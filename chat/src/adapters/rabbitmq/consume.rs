//! Deliveries of a role's queues, and what becomes of them (PROTOCOLS C).
//!
//! A delivery that is given back stays here and is handed out again later: it is no sign of a crash, and
//! returning it would be counted as one. While a database is away for an hour nothing is suspected of
//! anything. What this worker cannot do for long goes to the end of its queue, as a new message, for
//! others to try.

use super::Inner;
use super::ack_book::Settled;
use super::burial;
use super::lane::{Lane, Received};
use super::loans::{Counted, Loans};
use super::message;
use super::settle::Settler;
use super::topology::{DEAD_LETTERS, SUSPECT, UNROUTED, reads_aside};
use crate::error::{Error, Result};
use crate::event::{DecodeError, Queue, decode};
use crate::ports::{BuryReason, Deliveries, Delivery, Settle};
use async_trait::async_trait;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How long a worker keeps what it gives back, before others may try. Far below the half hour after which
/// a broker takes deliveries away that nobody answered for.
const KEEP: Duration = Duration::from_secs(30);

pub(super) struct Lanes {
    work: Source,
    suspects: Source,
    /// The next suspect, until nothing else is out.
    suspect: Option<Received>,
    /// A suspect is out: nothing else is handed out beside it, so that a crash names its cause.
    isolating: bool,
    loans: Arc<Loans>,
    /// Of the channels of `lanes`.
    settlers: Arc<Mutex<Vec<Settler>>>,
    /// The same, once `lanes` have ended.
    ended: Vec<Settler>,
    lanes: TaskTracker,
    cancel: CancellationToken,
    cancelled: bool,
    inner: Arc<Inner>,
    _cancels_when_dropped: DropGuard,
}

/// Where deliveries come from, also those that were given back.
struct Source {
    sender: mpsc::UnboundedSender<Received>,
    receiver: mpsc::UnboundedReceiver<Received>,
}

impl Default for Source {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver }
    }
}

impl Lanes {
    pub(super) fn open(inner: &Arc<Inner>, queue: Queue) -> Self {
        let cancel = CancellationToken::new();
        let lanes = Self {
            work: Source::default(),
            suspects: Source::default(),
            suspect: None,
            isolating: false,
            loans: Arc::default(),
            settlers: Arc::default(),
            ended: Vec::new(),
            lanes: TaskTracker::new(),
            cancelled: false,
            inner: inner.clone(),
            _cancels_when_dropped: cancel.clone().drop_guard(),
            cancel,
        };
        let prefetch = inner.prefetch;
        lanes.consume(queue.name(), prefetch, &lanes.work);
        if reads_aside(queue) {
            lanes.consume(UNROUTED, prefetch, &lanes.work);
            lanes.consume(SUSPECT, 1, &lanes.suspects);
        }
        lanes.lanes.close();
        lanes
    }

    fn consume(&self, queue: &'static str, prefetch: u16, into: &Source) {
        let lane = Lane {
            inner: self.inner.clone(),
            queue,
            prefetch,
            out: into.sender.clone(),
            settlers: self.settlers.clone(),
            cancel: self.cancel.clone(),
        };
        self.lanes.spawn(lane.run());
    }

    fn lend(&self, received: Received) -> Delivery {
        let envelope = decode(&received.body);
        let from = match received.source {
            SUSPECT => &self.suspects,
            _ => &self.work,
        };
        let loan = Loan {
            is_newer: matches!(envelope, Err(DecodeError::Newer(_))),
            again: from.sender.clone(),
            cancel: self.cancel.clone(),
            inner: self.inner.clone(),
            _counted: Counted::new(&self.loans),
            received,
        };
        Delivery::new(envelope, loan.received.count, Box::new(loan))
    }

    /// After `cancel`: what is left, and `None` when nothing is, or nothing beside a suspect that is out.
    fn take_left(&mut self) -> Option<Delivery> {
        if self.isolating && self.loans.any() {
            return None;
        }
        self.isolating = false;
        if let Ok(received) = self.work.receiver.try_recv() {
            return Some(self.lend(received));
        }
        if self.loans.any() {
            return None;
        }
        let suspect = self.suspect.take();
        let suspect = suspect.or_else(|| self.suspects.receiver.try_recv().ok())?;
        self.isolating = true;
        Some(self.lend(suspect))
    }
}

#[async_trait]
impl Deliveries for Lanes {
    async fn next(&mut self) -> Option<Delivery> {
        if self.cancelled {
            let left = self.take_left();
            if left.is_none() {
                for settler in &mut self.ended {
                    settler.flush().await;
                }
            }
            return left;
        }
        loop {
            if self.isolating {
                self.loans.all_back().await;
                self.isolating = false;
            }
            if self.suspect.is_some() {
                self.loans.all_back().await;
                if let Some(suspect) = self.suspect.take() {
                    self.isolating = true;
                    return Some(self.lend(suspect));
                }
            }
            // Both sources last as long as `self`, which holds a sender of each.
            tokio::select! {
                biased;
                suspect = self.suspects.receiver.recv() => self.suspect = suspect,
                received = self.work.receiver.recv() => {
                    return received.map(|received| self.lend(received));
                }
            }
        }
    }

    async fn cancel(&mut self) {
        self.cancel.cancel();
        self.lanes.wait().await;
        let mut settlers = self
            .settlers
            .lock()
            .expect("nothing panics under this lock");
        self.ended.append(&mut settlers);
        self.cancelled = true;
    }
}

// --------------------------------------------------------------------------------------------- one delivery

struct Loan {
    received: Received,
    is_newer: bool,
    /// Where it is handed out again.
    again: mpsc::UnboundedSender<Received>,
    cancel: CancellationToken,
    inner: Arc<Inner>,
    _counted: Counted,
}

impl Loan {
    /// It is handed out again, or returned when nobody takes any more.
    fn hand_out_again(self) {
        let received = self.received;
        if self.cancel.is_cancelled() {
            return received.ticket.settle(Settled::Returned);
        }
        // Without a receiver the ticket is dropped, and its channel returns it.
        let _ = self.again.send(received);
    }
}

#[async_trait]
impl Settle for Loan {
    async fn ack(self: Box<Self>) {
        self.received.ticket.settle(Settled::Acked);
    }

    async fn nack(self: Box<Self>, _why: Error) {
        if self.received.here_since.elapsed() < KEEP && !self.is_newer {
            return self.hand_out_again();
        }
        let Received {
            source,
            properties,
            body,
            ..
        } = &self.received;
        let outgoing = message::moved("", source, properties, body);
        match self.inner.publish_patiently(outgoing).await {
            Ok(()) => self.received.ticket.settle(Settled::Acked),
            Err(error) => {
                tracing::debug!(%error, "a delivery stays with this worker");
                self.hand_out_again();
            }
        }
    }

    async fn bury(self: Box<Self>, reason: BuryReason, detail: String) -> Result<()> {
        let why = self.received.burial(reason.as_str(), detail);
        let Received {
            properties, body, ..
        } = &self.received;
        let outgoing = burial::buried(DEAD_LETTERS, properties, body, &why);
        match self.inner.publish_patiently(outgoing).await {
            Ok(()) => {
                self.received.ticket.settle(Settled::Acked);
                Ok(())
            }
            Err(error) => {
                self.hand_out_again();
                Err(error)
            }
        }
    }

    fn abandoned(self: Box<Self>) {
        self.received.ticket.settle(Settled::Returned);
    }
}
