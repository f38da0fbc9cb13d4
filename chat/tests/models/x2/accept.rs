//! What the API and its clients do in model X2.

use super::habits::{Counts, Habits, Numbers};
use super::state::{Create, Fate, OTHER, Record, State};

impl Habits {
    /// The keyed client tries once (more).
    pub(super) fn request(self, mut state: State, fate: Fate, sql_away: bool) -> State {
        state.tries += 1;
        let uid = if self.uid_from_key { 1 } else { state.tries };
        let known = state.record.filter(|_| self.uid_from_key);
        if let Some(record) = known.filter(|record| record.confirmed) {
            state.answer(record.number, fate);
            return state;
        }
        if known.is_none()
            && !sql_away
            && let Some(row) = state.row_of(uid)
        {
            state.answer(row, fate);
            return state;
        }
        let number = known.map_or_else(|| state.take_number(uid), |record| record.number);
        let confirmed = self.publish(&mut state, Create { number, uid }, fate);
        state.record = Some(Record { number, confirmed });
        if confirmed {
            state.answer(number, fate);
        }
        state
    }

    pub(super) fn other_request(self, mut state: State, fate: Fate) -> State {
        state.other_tried = true;
        let number = state.take_number(OTHER);
        let confirmed = self.publish(&mut state, Create { number, uid: OTHER }, fate);
        if confirmed && fate != Fate::AnswerLost {
            state.other_answered = Some(number);
        }
        state
    }

    /// Whether the API believes that the message is in the queue.
    pub(super) fn publish(self, state: &mut State, create: Create, fate: Fate) -> bool {
        if fate != Fate::PublishLost {
            state.enqueue(create);
        }
        matches!(fate, Fate::Answered | Fate::AnswerLost) || !self.confirm
    }

    pub(super) fn redis_loses_everything(self, mut state: State) -> State {
        state.record = None;
        state.next_number = match self.numbers {
            Numbers::Fenced => state.next_number,
            Numbers::Incr => 1,
            Numbers::SeededFromRows => state.row_count() + 1,
        };
        if self.counts != Counts::Ledger {
            state.counted = 0;
        }
        state
    }
}
