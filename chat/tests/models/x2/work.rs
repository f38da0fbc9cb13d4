//! What a worker does in model X2, step by step.

use super::habits::{Counts, Habits};
use super::state::{Action, Create, Hand, Stage, State};

impl Habits {
    pub(super) fn work(self, state: &State, hand: Hand, steps: &mut Vec<(Action, State)>) {
        let mut after = state.clone();
        after.hand = match hand.stage {
            Stage::Delivered => Some(Hand {
                stage: self.commit(&mut after, hand.create),
                ..hand
            }),
            Stage::Committed { new } => {
                let counts = match self.counts {
                    Counts::Ledger => false,
                    Counts::EveryDelivery => true,
                    Counts::NewRows => new,
                };
                after.counted += u8::from(counts);
                Some(Hand {
                    stage: Stage::Counted { new },
                    ..hand
                })
            }
            Stage::Counted { new } => {
                if let Some(row) = after
                    .row_of(hand.create.uid)
                    .filter(|_| new || self.index_again)
                {
                    after.to_index |= 1 << row;
                }
                Some(Hand {
                    stage: Stage::Done,
                    ..hand
                })
            }
            Stage::Done => {
                let kept =
                    after.row_of(hand.create.uid).is_some() || after.buried.contains(&hand.create);
                after.silent_ack |= !kept;
                None
            }
        };
        steps.push((Action::WorkerStep, after));
        if matches!(hand.stage, Stage::Counted { .. })
            && !self.index_confirm
            && let Some(mut after) = state.with_faults(1)
        {
            after.hand = Some(Hand {
                stage: Stage::Done,
                ..hand
            });
            steps.push((Action::IndexCommandLost, after));
        }
        if let Some(mut after) = state.with_faults(1) {
            after.hand = None;
            after.enqueue(hand.create);
            steps.push((Action::WorkerCrashes, after));
        }
    }

    /// The transaction: new, same, alias or collision.
    pub(super) fn commit(self, state: &mut State, create: Create) -> Stage {
        let holder = &mut state.rows[usize::from(create.number)];
        if *holder != 0 && self.acks_exists {
            return Stage::Done;
        }
        if *holder != 0 && *holder != create.uid {
            if !state.buried.contains(&create) {
                state.buried.push(create);
                state.buried.sort_unstable();
            }
            return Stage::Done;
        }
        let new = state.row_of(create.uid).is_none();
        match state.row_of(create.uid) {
            None => {
                state.rows[usize::from(create.number)] = create.uid;
                state.counted += u8::from(self.counts == Counts::Ledger);
            }
            Some(row) if row != create.number && self.aliases => {
                state.aliases[usize::from(create.number)] = row
            }
            Some(_) => {}
        }
        Stage::Committed { new }
    }
}
