//! Tells whether the index equals the store, also while both change, and writes nothing.
//!
//! A digest differs as soon as a row waits for the index, so a chat whose digests differ is read row by row:
//! its rows, then the index, then the rows in question again. The index is right about a row when it shows a
//! state between the two. What is not right may still be on its way, so it is looked at again for a while.

use super::ROWS;
use super::walk::{Pace, Walk};
use crate::error::Result;
use crate::model::{ChatKey, MessageKey, Uid};
use crate::ports::{AcrossTenants, IndexEntry, IndexWrite, Search};
use std::collections::HashMap;
use std::time::Duration;

/// How long rows may be on their way to the index: many times the lag budget.
pub const AUDIT_PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
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
/// Waits for rows on their way to the index, `patience` in all.
pub async fn audit(
    pace: Pace,
    patience: Duration,
    across: &dyn AcrossTenants,
    search: &dyn Search,
    progress: &mut (dyn FnMut(&Audited) + Send),
) -> Result<Audited> {
    let mut audited = Audited::default();
    let mut walk = Walk::new(across, search, pace);
    let mut look = Look {
        across,
        search,
        patience,
    };
    while let Some(pair) = walk.next().await? {
        audited.chats += 1;
        audited.messages += pair.in_store.count;
        if pair.in_store != pair.in_index {
            let rows = look.differing_rows(pair.chat).await?;
            audited.rows += rows;
            if rows > 0 {
                audited.differing += 1;
                if audited.named.len() < NAMED {
                    audited.named.push(pair.chat);
                }
            }
        }
        progress(&audited);
    }
    Ok(audited)
}

/// What the store or the index says of one message: its version, and whether it can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    version: u64,
    visible: bool,
}

type States = HashMap<(MessageKey, Uid), State>;

struct Look<'a> {
    across: &'a dyn AcrossTenants,
    search: &'a dyn Search,
    /// What is left of it.
    patience: Duration,
}

impl Look<'_> {
    async fn differing_rows(&mut self, chat: ChatKey) -> Result<u64> {
        let (mut after, mut differing) = (0, 0);
        loop {
            let keys = self.across.message_keys(chat, after, ROWS).await?;
            let last = match keys.last() {
                Some(key) => key.number.get(),
                // What the index has beyond the last row has none.
                None => match self.search.entries(chat, after, ROWS).await?.last() {
                    Some(entry) => entry.key.number.get(),
                    None => return Ok(differing),
                },
            };
            differing += self.differing_in_page(chat, after, last, &keys).await?;
            after = last;
        }
    }

    /// Of the numbers above `after` up to `last`, whose rows have `keys`.
    async fn differing_in_page(
        &mut self,
        chat: ChatKey,
        after: u64,
        last: u64,
        keys: &[MessageKey],
    ) -> Result<u64> {
        let then = self.rows(keys).await?;
        loop {
            let entries = self.entries(chat, after, last).await?;
            let unequal = |at: &&(MessageKey, Uid)| !equal(then.get(at), entries.get(at));
            let mut suspects: Vec<(MessageKey, Uid)> =
                then.keys().filter(unequal).copied().collect();
            suspects.extend(entries.keys().filter(|at| !then.contains_key(at)));
            let keys: Vec<MessageKey> = suspects.iter().map(|(key, _)| *key).collect();
            let now = self.rows(&keys).await?;
            let differs =
                |at: &&(MessageKey, Uid)| !between(then.get(at), entries.get(at), now.get(at));
            let differing = suspects.iter().filter(differs).count() as u64;
            if differing == 0 || self.patience.is_zero() {
                return Ok(differing);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            self.patience = self.patience.saturating_sub(LOOK_AGAIN);
        }
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
