//! The habits of model X2, good and bad, and what follows from a state under them.

use super::state::Violation::{
    AcceptedLost, CountDrift, NeverIndexed, NumberShared, SilentAck, TwoRows,
};
use super::state::{Action, FATES, Fate, NUMBERS, OTHER, State, TRIES, Violation};
use crate::explore::{Outcome, explore};

/// One field for each thing an accept or a worker may do right or wrong.
#[derive(Clone, Copy)]
pub(super) struct Habits {
    /// An answer waits for the broker's confirm.
    pub(super) confirm: bool,
    /// The uid comes out of the idempotency key.
    pub(super) uid_from_key: bool,
    pub(super) numbers: Numbers,
    /// A create under a number that is taken is acked as "exists", whoever has the number.
    pub(super) acks_exists: bool,
    pub(super) counts: Counts,
    /// A redelivered message is sent to the index again.
    pub(super) index_again: bool,
    /// A message is acked only after its index command was confirmed.
    pub(super) index_confirm: bool,
    /// A second number of the same message leads to its row.
    pub(super) aliases: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Numbers {
    /// As in model X1: never given again.
    Fenced,
    /// INCR: starts again when Redis lost the counter.
    Incr,
    /// INCR, seeded with the count of rows when Redis lost the counter.
    SeededFromRows,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Counts {
    /// A ledger row in the transaction that inserts.
    Ledger,
    /// A Redis counter after the commit, for every delivery.
    EveryDelivery,
    /// A Redis counter after the commit, if this delivery inserted.
    NewRows,
}

pub(super) const RIGHT: Habits = Habits {
    confirm: true,
    uid_from_key: true,
    numbers: Numbers::Fenced,
    acks_exists: false,
    counts: Counts::Ledger,
    index_again: true,
    index_confirm: true,
    aliases: true,
};

/// Fire and forget, INCR, "exists, skip", deltas in Redis.
pub(super) const SEED_FLOW: Habits = Habits {
    confirm: false,
    uid_from_key: false,
    numbers: Numbers::Incr,
    acks_exists: true,
    counts: Counts::NewRows,
    index_again: false,
    index_confirm: false,
    aliases: false,
};

impl Habits {
    pub(super) fn explore(self, violations: &[Violation]) -> Outcome<State, Action, Violation> {
        let check = |state: &State| {
            violations
                .iter()
                .copied()
                .find(|violation| self.violated(state, *violation))
        };
        explore(State::initial(), |state| self.next(state), check)
    }

    pub(super) fn next(self, state: &State) -> Vec<(Action, State)> {
        let mut steps = Vec::new();
        for fate in FATES {
            let fault = u8::from(fate != Fate::Answered);
            if state.tries < TRIES {
                for sql_away in [false, true] {
                    let after = state.with_faults(fault + u8::from(sql_away));
                    let after = after.map(|state| self.request(state, fate, sql_away));
                    steps.extend(after.map(|after| (Action::Request { fate, sql_away }, after)));
                }
            }
            if !state.other_tried {
                let after = state
                    .with_faults(fault)
                    .map(|state| self.other_request(state, fate));
                steps.extend(after.map(|after| (Action::OtherRequest { fate }, after)));
            }
        }
        let after = state
            .with_faults(1)
            .map(|state| self.redis_loses_everything(state));
        steps.extend(after.map(|after| (Action::RedisLosesEverything, after)));
        match state.hand {
            None => steps.extend(state.deliveries()),
            Some(hand) => self.work(state, hand, &mut steps),
        }
        if state.to_index != 0 {
            let after = State {
                indexed: state.indexed | state.to_index,
                to_index: 0,
                ..state.clone()
            };
            steps.push((Action::IndexRows, after));
        }
        steps
    }

    pub(super) fn violated(self, state: &State, violation: Violation) -> bool {
        match violation {
            NumberShared => state.shared,
            SilentAck => state.silent_ack,
            // The ledger keeps the count exact in every snapshot, other ways only when all is done.
            CountDrift => {
                let exact_now = state.at_rest() || self.counts == Counts::Ledger;
                exact_now && state.counted != state.row_count()
            }
            AcceptedLost => state.at_rest() && state.lost_an_answer(),
            TwoRows => {
                state
                    .rows
                    .iter()
                    .filter(|uid| (1..OTHER).contains(*uid))
                    .count()
                    > 1
            }
            NeverIndexed => {
                state.at_rest()
                    && (1..NUMBERS).any(|n| state.rows[n] != 0 && state.indexed & (1 << n) == 0)
            }
        }
    }
}
