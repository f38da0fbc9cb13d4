//! Keeping the index equal to the store: rows that changed, and a comparison of everything.
//!
//! Writes carry versions, so the two may run at once and in any order (PROTOCOLS E).

use crate::error::{Error, Result};
use crate::metrics::{self, IndexEnd};
use crate::model::{ChatKey, MessageKey, Uid};
use crate::ports::{AcrossTenants, Digest, IndexEntry, IndexWrite, Search};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Rows written to the index at a time.
const ROWS: u32 = 1_000;
/// Chats compared at a time.
const CHATS: u32 = 1_000;
/// How often a long comparison says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

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
    pub differing: u64,
    pub rows_written: u64,
}

/// Compares store and index chat by chat and writes again whatever differs. A missing index is the same
/// case. Says in the log how far it is.
pub async fn compare(across: &dyn AcrossTenants, search: &dyn Search) -> Result<Compared> {
    let mut compared = Compared::default();
    let mut said = Instant::now();
    let (mut in_store, mut in_index) = (Side::default(), Side::default());
    loop {
        if in_store.needs_more() {
            let page = across.digests(in_store.last, CHATS).await?;
            in_store.refill(page);
        }
        if in_index.needs_more() {
            let page = search.digests(in_index.last, CHATS).await?;
            in_index.refill(page);
        }
        let Some(chat) = in_store.first().into_iter().chain(in_index.first()).min() else {
            return Ok(compared);
        };
        compared.chats += 1;
        if in_store.take(chat) != in_index.take(chat) {
            compared.differing += 1;
            compared.rows_written += reindex_chat(across, search, chat).await?;
        }
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            tracing::info!(
                chats = compared.chats,
                differing = compared.differing,
                rows_written = compared.rows_written,
                "comparing the index with the store"
            );
        }
    }
}

/// One side of the comparison: digests in the order of their chats, read page by page.
#[derive(Default)]
struct Side {
    page: std::collections::VecDeque<(ChatKey, Digest)>,
    last: Option<ChatKey>,
    ended: bool,
}

impl Side {
    fn needs_more(&self) -> bool {
        self.page.is_empty() && !self.ended
    }

    fn refill(&mut self, page: Vec<(ChatKey, Digest)>) {
        self.ended = page.is_empty();
        self.last = page.last().map(|(chat, _)| *chat).or(self.last);
        self.page = page.into();
    }

    fn first(&self) -> Option<ChatKey> {
        self.page.front().map(|(chat, _)| *chat)
    }

    /// The digest of `chat`; that of nothing when this side does not have it.
    fn take(&mut self, chat: ChatKey) -> Digest {
        match self.page.front() {
            Some((first, _)) if *first == chat => self
                .page
                .pop_front()
                .map(|(_, digest)| digest)
                .unwrap_or_default(),
            _ => Digest::default(),
        }
    }
}

/// Writes all rows of a chat again and removes what has no row. Returns how many rows were written.
async fn reindex_chat(
    across: &dyn AcrossTenants,
    search: &dyn Search,
    chat: ChatKey,
) -> Result<u64> {
    let mut written = 0;
    let mut after = 0;
    loop {
        let keys = across.message_keys(chat, after, ROWS).await?;
        let Some(last) = keys.last() else { break };
        after = last.number.get();
        written += keys.len() as u64;
        all_taken(index_rows(across, search, &keys).await?)?;
    }
    let mut after = 0;
    loop {
        let entries = search.entries(chat, after, ROWS).await?;
        let Some(last) = entries.last() else {
            return Ok(written);
        };
        after = last.key.number.get();
        let keys: Vec<MessageKey> = entries.iter().map(|entry| entry.key).collect();
        let rows = across.index_writes(&keys).await?;
        // By key and uid: a number of a restored store may be another message's in an older index.
        let has_row: HashSet<(MessageKey, Uid)> = rows
            .iter()
            .map(|write| (write.entry().key, write.entry().uid))
            .collect();
        let without_row = entries
            .into_iter()
            .filter(|entry| !has_row.contains(&(entry.key, entry.uid)));
        let removals: Vec<IndexWrite> = without_row
            .map(|entry| {
                IndexWrite::Remove(IndexEntry {
                    version: entry.version + 1,
                    ..entry
                })
            })
            .collect();
        if !removals.is_empty() {
            all_taken(write(search, &removals).await?)?;
        }
    }
}

/// A comparison that leaves rows out has to be made again.
fn all_taken(again: Vec<MessageKey>) -> Result<()> {
    match again.len() {
        0 => Ok(()),
        rows => Err(Error::Busy(format!("the index did not take {rows} rows"))),
    }
}
