//! The world of model X2b: what is stored, and what two workers hold in their hands.

use super::protocol::{Batch, Set};
use super::rows::{NUMBERS, Rows};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) rows: Rows,
    /// In the queue.
    pub(super) waiting: Set,
    /// Sorted, because it does not matter which worker is which.
    pub(super) workers: [Worker; 2],
    pub(super) chats_counted: i64,
    pub(super) messages_counted: i64,
    /// Bit n: an index command for message n is in the queue.
    pub(super) to_index: u8,
    /// Bit n: the index shows row n as it is now.
    pub(super) shown: u8,
    pub(super) cascades: u8,
    pub(super) crashes: u8,
    pub(super) collision: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Worker {
    Idle,
    HasRead { batch: Batch, seen: Rows },
    HasCommitted { batch: Batch, index: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Reads(Batch),
    Commits(Batch),
    MeetsConflict(Batch),
    PublishesAndAcks(Batch),
    Crashes(Batch),
    Cascade,
    IndexRows,
}

impl State {
    pub(super) fn initial(commands: usize) -> Self {
        Self {
            rows: Rows::default(),
            waiting: (1 << commands) - 1,
            workers: [Worker::Idle; 2],
            chats_counted: 0,
            messages_counted: 0,
            to_index: 0,
            shown: 0,
            cascades: 0,
            crashes: 0,
            collision: false,
        }
    }

    pub(super) fn with_worker(&self, place: usize, worker: Worker) -> Self {
        let mut after = self.clone();
        after.workers[place] = worker;
        after.workers.sort_unstable();
        after
    }

    /// Replaces the rows; the index shows none of those that changed.
    pub(super) fn store(&mut self, rows: Rows) {
        for number in 1..NUMBERS {
            if rows.messages[number] != self.rows.messages[number] {
                self.shown &= !(1 << number);
            }
        }
        self.rows = rows;
    }

    pub(super) fn cascaded(&self) -> Self {
        let mut after = self.clone();
        let mut rows = self.rows;
        for (number, row) in rows.messages.iter_mut().enumerate() {
            if let Some(row) = row.as_mut().filter(|row| row.is_live()) {
                *row = row.blank();
                after.messages_counted -= 1;
                after.to_index |= 1 << number;
            }
        }
        after.store(rows);
        after.cascades = 1;
        after
    }

    pub(super) fn a_message_is_held(&self) -> bool {
        let held = |worker: &Worker| matches!(worker, Worker::HasRead { seen, .. } if seen.messages.iter().any(Option::is_some));
        self.workers.iter().any(held)
    }
}
