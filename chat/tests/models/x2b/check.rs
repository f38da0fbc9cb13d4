//! What may be wrong in model X2b.

use super::protocol::Model;
use super::rows::{NUMBERS, Row};
use super::state::{State, Worker};
use chat::event::Command;
use chat::model::Number;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// I1: an accepted number leads to no message.
    AcceptedLost,
    /// I6: a count is not the number of live rows.
    CountDrift,
    /// I7: a row that the index shows as it was before, or not at all, or although it is deleted.
    NotIndexed,
    /// A row is not what its commands say in order of their revs.
    EditLost,
    /// A message outlives its chat.
    LiveUnderDeleted,
    /// A number is an alias and a row.
    TwoMeanings,
    /// The planner believes that two messages have one number.
    Collision,
}

use Violation::{
    AcceptedLost, Collision, CountDrift, EditLost, LiveUnderDeleted, NotIndexed, TwoMeanings,
};

pub(super) const ALL: [Violation; 7] = [
    Collision,
    TwoMeanings,
    CountDrift,
    AcceptedLost,
    LiveUnderDeleted,
    EditLost,
    NotIndexed,
];

impl Model {
    pub(super) fn violated(&self, state: &State, violation: Violation) -> bool {
        let rows = &state.rows;
        match violation {
            Collision => state.collision,
            TwoMeanings => (1..NUMBERS)
                .any(|number| rows.aliases[number] != 0 && rows.messages[number].is_some()),
            CountDrift => {
                state.chats_counted != i64::from(rows.chat.is_some_and(|chat| chat.is_live()))
                    || state.messages_counted
                        != i64::from(rows.messages.iter().flatten().any(Row::is_live))
            }
            _ if !self.at_rest(state) => false,
            AcceptedLost => self
                .accepted()
                .any(|number| !rows.resolve(number).is_some_and(|row| row.created)),
            LiveUnderDeleted => {
                rows.chat.is_some_and(|chat| chat.deleted)
                    && rows.messages.iter().flatten().any(Row::is_live)
            }
            EditLost => {
                rows.chat != Some(self.chat)
                    || self
                        .accepted()
                        .any(|number| rows.resolve(number) != Some(self.message))
                    || rows.messages.iter().flatten().count() != 1
            }
            NotIndexed => rows
                .home()
                .is_some_and(|number| state.shown & (1 << number) == 0),
        }
    }

    pub(super) fn accepted(&self) -> impl Iterator<Item = Number> {
        self.commands.iter().filter_map(|command| match command {
            Command::CreateMessage(create) => Some(create.key.number),
            _ => None,
        })
    }

    /// Nothing is left to do.
    fn at_rest(&self, state: &State) -> bool {
        let idle = state.workers == [Worker::Idle; 2];
        idle && state.waiting == 0 && state.to_index == 0 && !self.cascade_has_work(state)
    }
}
