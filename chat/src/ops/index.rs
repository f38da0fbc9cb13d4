//! Keeping the index equal to the store: rows that changed, and a comparison of everything.
//!
//! Writes carry versions, so the two may run at once and in any order (PROTOCOLS E). `walk` reads both sides
//! page by page, `audit` only looks, and what is here writes.

mod audit;
mod walk;

pub use audit::{AUDIT_PATIENCE, Audited, audit};
pub use walk::Pace;

use crate::error::{Error, Result};
use crate::metrics::{self, IndexEnd};
use crate::model::{ChatKey, MessageKey, Uid};
use crate::ports::{AcrossTenants, IndexEntry, IndexWrite, Search};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use walk::Walk;

/// Rows written to the index at a time.
const ROWS: u32 = 1_000;
/// How often a long comparison says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);
/// How often rows are written that the index is too busy to take. All tries together take some 16 seconds.
const TRIES: u32 = 9;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Writes the state of now of these rows. Returns the keys that are worth another try.
pub async fn index_rows(
    across: &dyn AcrossTenants,
    search: &dyn Search,
    keys: &[MessageKey],
) -> Result<Vec<MessageKey>> {
    let writes = across.index_writes(keys).await?;
    write(search, &writes).await
}

async fn write(search: &dyn Search, writes: &[IndexWrite]) -> Result<Vec<MessageKey>> {
    let results = search.write(writes).await?;
    let (mut again, mut refused) = (Vec::new(), 0);
    for (write, result) in writes.iter().zip(results) {
        let key = write.entry().key;
        match result {
            Ok(()) => {}
            Err(error @ Error::Invalid { .. }) => {
                refused += 1;
                tracing::error!(app.id = key.chat.app.get(), chat.number = %key.chat.number, message.number = %key.number,
                    %error, "the index refuses a message; it is stored but will not be found");
            }
            Err(_) => again.push(key),
        }
    }
    let done = writes.len() as u64 - refused - again.len() as u64;
    metrics::index_writes(IndexEnd::Done, done);
    metrics::index_writes(IndexEnd::Refused, refused);
    metrics::index_writes(IndexEnd::Retried, again.len() as u64);
    Ok(again)
}

/// What a comparison found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    pub chats: u64,
    /// In the store, in the chats compared.
    pub messages: u64,
    pub differing: u64,
    pub rows_written: u64,
}

/// Compares store and index chat by chat and writes again whatever differs. A missing index is the same
/// case. Says in the log how far it is. What the index knows of a row that the store does not know yet, as
/// after going back to an older copy of the database, stays: then the index is to be built anew.
pub async fn compare(across: &dyn AcrossTenants, search: &dyn Search) -> Result<Compared> {
    let mut said = Instant::now();
    let mut say = |compared: Compared| {
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            tracing::info!(
                chats = compared.chats,
                differing = compared.differing,
                rows_written = compared.rows_written,
                "comparing the index with the store"
            );
        }
    };
    compare_at(Pace::Full, across, search, &mut say).await
}

/// As `compare`, telling after each chat how far it is. Memory does not grow with what is compared.
pub async fn compare_at(
    pace: Pace,
    across: &dyn AcrossTenants,
    search: &dyn Search,
    progress: &mut (dyn FnMut(Compared) + Send),
) -> Result<Compared> {
    let mut compared = Compared::default();
    let mut walk = Walk::new(across, search, pace);
    let mut mend = Mend {
        across,
        search,
        waiting: Vec::new(),
        written: 0,
    };
    while let Some(pair) = walk.next().await? {
        compared.chats += 1;
        compared.messages += pair.in_store.count;
        if pair.in_store != pair.in_index {
            compared.differing += 1;
            let begun = Instant::now();
            mend.rows_of(pair.chat).await?;
            if pair.in_index.count > 0 {
                mend.remove_what_has_no_row(pair.chat).await?;
            }
            pace.rest_after(begun).await;
        }
        compared.rows_written = mend.written;
        progress(compared);
    }
    mend.write_waiting().await?;
    compared.rows_written = mend.written;
    Ok(compared)
}

/// Writes what differs, many small chats at a time.
struct Mend<'a> {
    across: &'a dyn AcrossTenants,
    search: &'a dyn Search,
    /// Less than `ROWS` of them between two chats.
    waiting: Vec<MessageKey>,
    written: u64,
}

impl Mend<'_> {
    async fn rows_of(&mut self, chat: ChatKey) -> Result<()> {
        let mut after = 0;
        loop {
            let keys = self.across.message_keys(chat, after, ROWS).await?;
            let Some(last) = keys.last() else {
                return Ok(());
            };
            after = last.number.get();
            self.waiting.extend(keys);
            if self.waiting.len() >= ROWS as usize {
                self.write_waiting().await?;
            }
        }
    }

    async fn write_waiting(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        for keys in waiting.chunks(ROWS as usize) {
            self.written += keys.len() as u64;
            let writes = self.across.index_writes(keys).await?;
            self.insist(writes).await?;
        }
        Ok(())
    }

    async fn remove_what_has_no_row(&self, chat: ChatKey) -> Result<()> {
        let mut after = 0;
        loop {
            let entries = self.search.entries(chat, after, ROWS).await?;
            let Some(last) = entries.last() else {
                return Ok(());
            };
            after = last.key.number.get();
            let keys: Vec<MessageKey> = entries.iter().map(|entry| entry.key).collect();
            let rows = self.across.index_writes(&keys).await?;
            // By key and uid: a number of a restored store may be another message's in an older index.
            let has_row: HashSet<(MessageKey, Uid)> = rows
                .iter()
                .map(|write| (write.entry().key, write.entry().uid))
                .collect();
            let without_row = entries
                .into_iter()
                .filter(|entry| !has_row.contains(&(entry.key, entry.uid)));
            let removals = without_row.map(|entry| {
                IndexWrite::Remove(IndexEntry {
                    version: entry.version + 1,
                    ..entry
                })
            });
            self.insist(removals.collect()).await?;
        }
    }

    /// A comparison that leaves rows out has to be made again, so an index that is only busy is asked again.
    async fn insist(&self, mut writes: Vec<IndexWrite>) -> Result<()> {
        let mut wait = FIRST_WAIT;
        for attempt in 1..=TRIES {
            if writes.is_empty() {
                return Ok(());
            }
            match write(self.search, &writes).await {
                Ok(again) => {
                    let again: HashSet<MessageKey> = again.into_iter().collect();
                    writes.retain(|write| again.contains(&write.entry().key));
                }
                Err(Error::Busy(_)) => {}
                Err(error) => return Err(error),
            }
            if attempt < TRIES && !writes.is_empty() {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
        match writes.len() {
            0 => Ok(()),
            rows => Err(Error::Busy(format!("the index did not take {rows} rows"))),
        }
    }
}
