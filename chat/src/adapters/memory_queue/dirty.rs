//! Rows that changed since the index saw them: a set of keys that takes everything and never waits.
//!
//! It dies with the process; the comparison of store and index at the next start finds what it held.

use crate::error::{Error, Result};
use crate::event::{Command, Envelope, IndexRows, Origin, VERSION};
use crate::metrics;
use crate::model::MessageKey;
use crate::ports::{BuryReason, Deliveries, Delivery, Settle};
use async_trait::async_trait;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;
use tokio::sync::Notify;

/// Keys held; above this the set is dropped and a comparison has to find them (5 MB at most).
const MOST_KEYS: usize = 100_000;
/// Keys in one delivery.
const DELIVERY_KEYS: usize = 1_000;

#[derive(Default)]
pub struct DirtyKeys {
    waiting: Mutex<Waiting>,
    added: Notify,
    overflowed: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    keys: HashSet<MessageKey>,
    /// Since when there has always been one.
    since: Option<Instant>,
}

impl Waiting {
    fn report(&self) {
        let seconds = self
            .since
            .map_or(0.0, |since| since.elapsed().as_secs_f64());
        metrics::index_lag(self.keys.len(), seconds);
    }
}

impl DirtyKeys {
    pub fn add(&self, rows: Vec<MessageKey>) {
        let mut waiting = self.lock();
        waiting.keys.extend(rows);
        waiting.since.get_or_insert_with(Instant::now);
        if waiting.keys.len() > MOST_KEYS {
            tracing::warn!(
                keys = waiting.keys.len(),
                "too many rows wait to be indexed; comparing store and index instead"
            );
            *waiting = Waiting::default();
            self.overflowed.store(true, Ordering::Relaxed);
        }
        waiting.report();
        drop(waiting);
        self.added.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting
            .lock()
            .expect("nothing panics while holding this lock")
    }

    /// How many keys wait.
    pub fn len(&self) -> usize {
        self.lock().keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether keys were dropped since the last call: store and index have to be compared.
    pub fn take_overflow(&self) -> bool {
        self.overflowed.swap(false, Ordering::Relaxed)
    }

    pub(super) fn deliveries(self: &Arc<Self>) -> DirtyDeliveries {
        DirtyDeliveries {
            dirty: self.clone(),
            cancelled: false,
        }
    }

    fn take(&self) -> Vec<MessageKey> {
        let mut waiting = self.lock();
        let taken: Vec<MessageKey> = waiting.keys.iter().copied().take(DELIVERY_KEYS).collect();
        for key in &taken {
            waiting.keys.remove(key);
        }
        if waiting.keys.is_empty() {
            // A set that was large once would walk its empty places at every take.
            *waiting = Waiting::default();
        }
        waiting.report();
        taken
    }
}

pub(super) struct DirtyDeliveries {
    dirty: Arc<DirtyKeys>,
    cancelled: bool,
}

#[async_trait]
impl Deliveries for DirtyDeliveries {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            let rows = self.dirty.take();
            if !rows.is_empty() {
                let command = Command::IndexRows(IndexRows { rows: rows.clone() });
                let envelope = Envelope {
                    version: VERSION,
                    command,
                    origin: Origin::default(),
                };
                let settle = GiveBack {
                    dirty: self.dirty.clone(),
                    rows,
                };
                return Some(Delivery::new(Ok(envelope), 0, Box::new(settle)));
            }
            if self.cancelled {
                return None;
            }
            self.dirty.added.notified().await;
        }
    }

    async fn cancel(&mut self) {
        self.cancelled = true;
    }
}

struct GiveBack {
    dirty: Arc<DirtyKeys>,
    rows: Vec<MessageKey>,
}

#[async_trait]
impl Settle for GiveBack {
    async fn ack(self: Box<Self>) {}

    async fn nack(self: Box<Self>, _why: Error) {
        self.dirty.add(self.rows);
    }

    async fn bury(self: Box<Self>, reason: BuryReason, detail: String) -> Result<()> {
        tracing::error!(
            reason = reason.as_str(),
            detail,
            "rows were refused by the index"
        );
        Ok(())
    }

    fn abandoned(self: Box<Self>) {
        self.dirty.add(self.rows);
    }
}
