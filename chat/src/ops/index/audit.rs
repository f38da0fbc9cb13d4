//! Tells whether the index equals the store, also while both change, and writes nothing.
//!
//! A digest differs as soon as a row waits for the index, so a chat whose digests differ is read row by row:
//! its rows, then the index, then the rows in question again. The index is right about a row when it shows a
//! state between the two. What is not right may still be on its way: it is looked at again later, when other
//! chats have been read, so that many busy chats cost no more waiting than one.

use super::ROWS;
use super::walk::{Pace, Walk};
use crate::error::Result;
use crate::model::{ChatKey, MessageKey, Uid};
use crate::ports::{AcrossTenants, IndexEntry, IndexWrite, Search};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// How long rows may be on their way to the index: many times the lag budget.
pub const AUDIT_PATIENCE: Duration = Duration::from_secs(30);
/// What is left of patience, at least, when differences have been found.
const LEAST_PATIENCE: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// So many doubts wait to be looked at again, each of some thousand rows at most.
const DOUBTS: usize = 64;
/// So many differing chats are named.
const NAMED: usize = 20;

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    pub chats: u64,
    /// In the store, in the chats compared.
    pub messages: u64,
    /// Chats in which a row and its entry differ.
    pub differing: u64,
    /// Rows that are missing, not as they are in the store, or should not be there.
    pub rows: u64,
    /// The first of the differing chats.
    pub named: Vec<ChatKey>,
}

/// Compares everything, telling after each chat how far it is. Memory does not grow with what is compared.
/// Rows may be on their way to the index for `patience`; with every difference found it halves.
pub async fn audit(
    pace: Pace,
    patience: Duration,
    across: &dyn AcrossTenants,
    search: &dyn Search,
    progress: &mut (dyn FnMut(&Audited) + Send),
) -> Result<Audited> {
    let mut walk = Walk::new(across, search, pace);
    let mut look = Look {
        across,
        search,
        patience,
        least_patience: patience.min(LEAST_PATIENCE),
        doubts: VecDeque::new(),
        audited: Audited::default(),
        last_differing: None,
    };
    while let Some(pair) = walk.next().await? {
        look.audited.chats += 1;
        look.audited.messages += pair.in_store.count;
        if pair.in_store != pair.in_index {
            look.doubt(pair.chat).await?;
        }
        progress(&look.audited);
    }
    while let Some(doubt) = look.doubts.pop_front() {
        look.settle(doubt).await?;
    }
    Ok(look.audited)
}

/// What the store or the index says of one message: its version, and whether it can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    version: u64,
    visible: bool,
}

type States = HashMap<(MessageKey, Uid), State>;

/// Rows of a chat about which the index was not right when it was last looked at.
struct Doubt {
    chat: ChatKey,
    /// The numbers above `after` up to `last`.
    after: u64,
    last: u64,
    /// With their state when they were first read.
    rows: Vec<((MessageKey, Uid), Option<State>)>,
    since: Instant,
}

struct Look<'a> {
    across: &'a dyn AcrossTenants,
    search: &'a dyn Search,
    patience: Duration,
    least_patience: Duration,
    /// In the order of their chats.
    doubts: VecDeque<Doubt>,
    audited: Audited,
    last_differing: Option<ChatKey>,
}

impl Look<'_> {
    /// Reads a chat row by row.
    async fn doubt(&mut self, chat: ChatKey) -> Result<()> {
        let mut after = 0;
        loop {
            let since = Instant::now();
            let keys = self.across.message_keys(chat, after, ROWS).await?;
            let last = match keys.last() {
                Some(key) => key.number.get(),
                // What the index has beyond the last row has none.
                None => match self.search.entries(chat, after, ROWS).await?.last() {
                    Some(entry) => entry.key.number.get(),
                    None => return Ok(()),
                },
            };
            let then = self.rows(&keys).await?;
            let entries = self.entries(chat, after, last).await?;
            let of_nothing = entries.keys().filter(|at| !then.contains_key(at));
            let mut rows: Vec<_> = of_nothing.map(|at| (*at, None)).collect();
            rows.extend(then.into_iter().map(|(at, then)| (at, Some(then))));
            let mut doubt = Doubt {
                chat,
                after,
                last,
                rows,
                since,
            };
            self.dismiss(&mut doubt, &entries).await?;
            if !doubt.rows.is_empty() {
                self.doubts.push_back(doubt);
            }
            if self.doubts.len() > DOUBTS
                && let Some(oldest) = self.doubts.pop_front()
            {
                self.settle(oldest).await?;
            }
            after = last;
        }
    }

    /// Looks again until nothing of the doubt is left, or it is a difference.
    async fn settle(&mut self, mut doubt: Doubt) -> Result<()> {
        loop {
            let entries = self.entries(doubt.chat, doubt.after, doubt.last).await?;
            self.dismiss(&mut doubt, &entries).await?;
            if doubt.rows.is_empty() {
                return Ok(());
            }
            if doubt.since.elapsed() >= self.patience {
                self.patience = (self.patience / 2).max(self.least_patience);
                self.differs(&doubt);
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn differs(&mut self, doubt: &Doubt) {
        self.audited.rows += doubt.rows.len() as u64;
        if self.last_differing != Some(doubt.chat) {
            self.last_differing = Some(doubt.chat);
            self.audited.differing += 1;
            if self.audited.named.len() < NAMED {
                self.audited.named.push(doubt.chat);
            }
        }
    }

    /// Forgets rows about which the index is right.
    async fn dismiss(&self, doubt: &mut Doubt, entries: &States) -> Result<()> {
        doubt
            .rows
            .retain(|(at, then)| !equal(then.as_ref(), entries.get(at)));
        let keys: Vec<MessageKey> = doubt.rows.iter().map(|((key, _), _)| *key).collect();
        let now = self.rows(&keys).await?;
        doubt
            .rows
            .retain(|(at, then)| !between(then.as_ref(), entries.get(at), now.get(at)));
        Ok(())
    }

    async fn rows(&self, keys: &[MessageKey]) -> Result<States> {
        let writes = self.across.index_writes(keys).await?;
        let state = |write: &IndexWrite| {
            let (version, removed) = write.order();
            let entry = write.entry();
            let visible = !removed;
            ((entry.key, entry.uid), State { version, visible })
        };
        Ok(writes.iter().map(state).collect())
    }

    async fn entries(&self, chat: ChatKey, mut after: u64, last: u64) -> Result<States> {
        let mut entries = States::new();
        loop {
            let page = self.search.entries(chat, after, ROWS).await?;
            let Some(end) = page.last().map(|entry| entry.key.number.get()) else {
                return Ok(entries);
            };
            let state = |entry: IndexEntry| {
                let (version, visible) = (entry.version, true);
                ((entry.key, entry.uid), State { version, visible })
            };
            let wanted = page
                .into_iter()
                .filter(|entry| entry.key.number.get() <= last);
            entries.extend(wanted.map(state));
            if end >= last {
                return Ok(entries);
            }
            after = end;
        }
    }
}

/// What cannot be found is not in the index, or is a tombstone there.
fn equal(row: Option<&State>, entry: Option<&State>) -> bool {
    row.filter(|row| row.visible) == entry
}

/// Whether the index, read after `then` and before `now`, shows a state the row had in between.
fn between(then: Option<&State>, entry: Option<&State>, now: Option<&State>) -> bool {
    let is_visible = |row: Option<&State>| row.is_some_and(|row| row.visible);
    match entry {
        None => !(is_visible(then) && is_visible(now)),
        Some(entry) => {
            then.is_none_or(|then| then.visible && then.version <= entry.version)
                && now.is_some_and(|now| entry.version <= now.version)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn state(version: u64, visible: bool) -> State {
        State { version, visible }
    }

    #[test]
    fn the_index_may_show_any_state_the_row_had_meanwhile() {
        let (one, two, gone) = (state(1, true), state(2, true), state(2, false));
        for (then, entry, now, right) in [
            (Some(&one), Some(&one), Some(&one), true),
            // Edited: before, or after.
            (Some(&one), Some(&one), Some(&two), true),
            (Some(&one), Some(&two), Some(&two), true),
            // Deleted: before, or after.
            (Some(&one), Some(&one), Some(&gone), true),
            (Some(&one), None, Some(&gone), true),
            (Some(&one), None, None, true),
            // Created.
            (None, Some(&one), Some(&one), true),
            (None, None, Some(&one), true),
            // Missing, too old, too new, back again, and of nothing.
            (Some(&one), None, Some(&one), false),
            (Some(&two), Some(&one), Some(&two), false),
            (Some(&one), Some(&two), Some(&one), false),
            (Some(&gone), Some(&one), Some(&gone), false),
            (None, Some(&one), None, false),
        ] {
            assert_eq!(
                between(then, entry, now),
                right,
                "{then:?} {entry:?} {now:?}"
            );
        }
    }
}
