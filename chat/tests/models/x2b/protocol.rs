//! The steps of model X2b and the switches for its clauses.

use super::check::Violation;
use super::commands::in_order;
use super::rows::{NOW, Row, Rows, Writes, index};
use super::state::{Action, State, Worker};
use crate::explore::{Outcome, explore};
use chat::event::Command;
use chat::ops::persist;
use std::cell::RefCell;
use std::collections::HashMap;

/// The protocol, its bounds, and one switch for each clause it could do without.
#[derive(Clone, Copy)]
pub(super) struct Protocol {
    pub(super) crashes: u8,
    /// How many commands a worker may take into one transaction: 1 or 2.
    pub(super) batch: usize,
    pub(super) locks: Locks,
    /// Each field has its own rev; otherwise an edit counts iff it is newer than the row.
    pub(super) field_revs: bool,
    /// Writing an alias takes over what a stub at that number holds.
    pub(super) aliases_merge: bool,
    /// The cascade runs until it finds nothing; otherwise once.
    pub(super) cascade_repeats: bool,
}

/// Which of the rows it read a worker holds until it has committed. Absent rows cannot be held.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Locks {
    All,
    AllButChats,
    Nothing,
}

pub(super) const RIGHT: Protocol = Protocol {
    crashes: 1,
    batch: 1,
    locks: Locks::All,
    field_revs: true,
    aliases_merge: true,
    cascade_repeats: true,
};

/// Commands by their place, each a bit.
pub(super) type Set = u16;

/// Commands by their place, in the order of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Batch {
    pub(super) first: u8,
    pub(super) second: Option<u8>,
}

pub(super) struct Model {
    pub(super) protocol: Protocol,
    pub(super) commands: Vec<Command>,
    /// What the row of the chat and of the message must be when all is done.
    pub(super) chat: Row,
    pub(super) message: Row,
    /// What the planner said before: planning is the slow part.
    pub(super) plans: RefCell<HashMap<(Batch, Rows), Writes>>,
}

impl Protocol {
    pub(super) fn explore(
        self,
        commands: &[Command],
        violations: &[Violation],
    ) -> Outcome<State, Action, Violation> {
        let (chat, message) = in_order(commands);
        let model = Model {
            protocol: self,
            commands: commands.to_vec(),
            chat,
            message,
            plans: RefCell::new(HashMap::new()),
        };
        let check = |state: &State| {
            violations
                .iter()
                .copied()
                .find(|violation| model.violated(state, *violation))
        };
        explore(
            State::initial(commands.len()),
            |state| model.next(state),
            check,
        )
    }
}

impl Model {
    fn next(&self, state: &State) -> Vec<(Action, State)> {
        let mut steps = Vec::new();
        let different = if state.workers[0] == state.workers[1] {
            1
        } else {
            2
        };
        for place in 0..different {
            match state.workers[place] {
                Worker::Idle => self.read(state, place, &mut steps),
                Worker::HasRead { batch, seen } => {
                    steps.push(self.commit(state, place, batch, &seen));
                    self.crash(state, place, batch, &mut steps);
                }
                Worker::HasCommitted { batch, index } => {
                    let mut after = state.with_worker(place, Worker::Idle);
                    after.to_index |= index;
                    steps.push((Action::PublishesAndAcks(batch), after));
                    self.crash(state, place, batch, &mut steps);
                }
            }
        }
        if self.cascade_has_work(state)
            && !(self.protocol.locks != Locks::Nothing && state.a_message_is_held())
        {
            steps.push((Action::Cascade, state.cascaded()));
        }
        if state.to_index != 0 {
            let after = State {
                shown: state.shown | state.to_index,
                to_index: 0,
                ..state.clone()
            };
            steps.push((Action::IndexRows, after));
        }
        steps
    }

    pub(super) fn read(&self, state: &State, place: usize, steps: &mut Vec<(Action, State)>) {
        for batch in self.batches(state.waiting) {
            let seen = state.rows.named_by(&self.commands_of(batch));
            let held = |other: &Worker| match other {
                Worker::HasRead { seen: held, .. } => self.protocol.locks.exclude(held, &seen),
                Worker::Idle | Worker::HasCommitted { .. } => false,
            };
            if !state.workers.iter().any(held) {
                let mut after = state.with_worker(place, Worker::HasRead { batch, seen });
                after.waiting &= !batch.set();
                steps.push((Action::Reads(batch), after));
            }
        }
    }

    /// Everything a worker may take out of the queue.
    fn batches(&self, waiting: Set) -> Vec<Batch> {
        let waiting: Vec<u8> = (0u8..)
            .take(self.commands.len())
            .filter(|place| waiting & (1 << place) != 0)
            .collect();
        let mut batches: Vec<Batch> = waiting
            .iter()
            .map(|&first| Batch {
                first,
                second: None,
            })
            .collect();
        if self.protocol.batch == 2 {
            for &first in &waiting {
                let others = waiting.iter().filter(|second| **second != first);
                batches.extend(others.map(|&second| Batch {
                    first,
                    second: Some(second),
                }));
            }
        }
        batches
    }

    fn commands_of(&self, batch: Batch) -> Vec<Command> {
        batch
            .places()
            .map(|place| self.commands[usize::from(place)].clone())
            .collect()
    }

    fn commit(&self, state: &State, place: usize, batch: Batch, seen: &Rows) -> (Action, State) {
        let writes = self.plan(batch, seen);
        let Some(rows) = state.rows.written(&writes) else {
            let mut after = state.with_worker(place, Worker::Idle);
            after.waiting |= batch.set();
            return (Action::MeetsConflict(batch), after);
        };
        let mut after = state.with_worker(
            place,
            Worker::HasCommitted {
                batch,
                index: writes.index,
            },
        );
        after.store(rows);
        after.chats_counted += writes.chats;
        after.messages_counted += writes.messages;
        after.collision |= writes.collision;
        (Action::Commits(batch), after)
    }

    fn crash(&self, state: &State, place: usize, batch: Batch, steps: &mut Vec<(Action, State)>) {
        if state.crashes < self.protocol.crashes {
            let mut after = state.with_worker(place, Worker::Idle);
            after.waiting |= batch.set();
            after.crashes += 1;
            steps.push((Action::Crashes(batch), after));
        }
    }

    pub(super) fn cascade_has_work(&self, state: &State) -> bool {
        let deleted = state.rows.chat.is_some_and(|chat| chat.deleted);
        let live = state.rows.messages.iter().flatten().any(Row::is_live);
        deleted
            && if self.protocol.cascade_repeats {
                live
            } else {
                state.cascades == 0
            }
    }

    pub(super) fn plan(&self, batch: Batch, seen: &Rows) -> Writes {
        let mut plans = self.plans.borrow_mut();
        *plans
            .entry((batch, *seen))
            .or_insert_with(|| self.protocol.plan(self.commands_of(batch), *seen))
    }
}

impl Protocol {
    /// Asks the library's planner, after taking away what a bad habit would not look at.
    pub(super) fn plan(self, mut commands: Vec<Command>, mut seen: Rows) -> Writes {
        if !self.field_revs {
            commands.retain(|command| !overtaken(command, &seen));
        }
        if !self.aliases_merge && seen.home().is_some() {
            for command in &commands {
                if let Command::CreateMessage(create) = command {
                    seen.messages[index(create.key.number)].take_if(|row| !row.created);
                }
            }
        }
        Writes::of(&persist::plan(&commands, &seen.to_existing(), NOW))
    }
}

impl Batch {
    fn places(self) -> impl Iterator<Item = u8> {
        [self.first].into_iter().chain(self.second)
    }

    pub(super) fn set(self) -> Set {
        self.places().fold(0, |set, place| set | 1 << place)
    }
}

/// For whoever believes in one rev per row: whether an edit comes after a newer one.
fn overtaken(command: &Command, seen: &Rows) -> bool {
    let (row, rev) = match command {
        Command::EditMessage(edit) => (seen.resolve(edit.key.number), edit.rev),
        Command::EditChat(edit) => (seen.chat, edit.rev),
        _ => return false,
    };
    row.is_some_and(|row| u64::from(row.rev) > rev.get())
}

impl Locks {
    /// Whether what one worker holds keeps another from reading.
    fn exclude(self, held: &Rows, wanted: &Rows) -> bool {
        let both = |a: &Option<Row>, b: &Option<Row>| a.is_some() && b.is_some();
        let messages = held
            .messages
            .iter()
            .zip(&wanted.messages)
            .any(|(a, b)| both(a, b));
        let aliases = held
            .aliases
            .iter()
            .zip(&wanted.aliases)
            .any(|(a, b)| *a != 0 && *b != 0);
        let chat = both(&held.chat, &wanted.chat);
        match self {
            Self::All => chat || messages || aliases,
            Self::AllButChats => messages || aliases,
            Self::Nothing => false,
        }
    }
}
