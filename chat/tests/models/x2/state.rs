//! The world of model X2, and what may be wrong with it.

pub(super) const TRIES: u8 = 3;

pub(super) const FAULTS: u8 = 3;

/// Numbers 1 to 4, one for each try and one for the other client.
pub(super) const NUMBERS: usize = 5;

/// What makes two requests the same message. 1 is the keyed client's, or 1 to 3 if every try is new.
pub(super) type Uid = u8;

pub(super) const OTHER: Uid = 9;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) tries: u8,
    /// Bit n: the keyed client was told that its message is number n.
    pub(super) answered: u8,
    pub(super) other_tried: bool,
    pub(super) other_answered: Option<u8>,
    /// The in-flight record of the key.
    pub(super) record: Option<Record>,
    pub(super) next_number: u8,
    /// By number: who had it.
    pub(super) given: [Uid; NUMBERS],
    /// Sorted.
    pub(super) queue: Vec<Create>,
    pub(super) hand: Option<Hand>,
    /// By number: the uid of the row.
    pub(super) rows: [Uid; NUMBERS],
    /// By number: the number of the row it leads to.
    pub(super) aliases: [u8; NUMBERS],
    pub(super) counted: u8,
    pub(super) to_index: u8,
    pub(super) indexed: u8,
    pub(super) buried: Vec<Create>,
    pub(super) faults: u8,
    pub(super) shared: bool,
    pub(super) silent_ack: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Record {
    pub(super) number: u8,
    pub(super) confirmed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Create {
    pub(super) number: u8,
    pub(super) uid: Uid,
}

/// A delivery at a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hand {
    pub(super) create: Create,
    pub(super) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Delivered,
    Committed {
        new: bool,
    },
    Counted {
        new: bool,
    },
    /// Everything is done but the ack.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Request { fate: Fate, sql_away: bool },
    OtherRequest { fate: Fate },
    RedisLosesEverything,
    Deliver(Create),
    WorkerStep,
    IndexCommandLost,
    WorkerCrashes,
    IndexRows,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    /// In the queue and confirmed; the client never hears of it.
    AnswerLost,
    /// In the queue; nobody hears of it.
    ConfirmLost,
    /// Not in the queue.
    PublishLost,
}

pub(super) const FATES: [Fate; 4] = [
    Fate::Answered,
    Fate::AnswerLost,
    Fate::ConfirmLost,
    Fate::PublishLost,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// I1: an accepted number leads to no row of its message.
    AcceptedLost,
    /// I2: one key, two rows.
    TwoRows,
    /// I3: one number, two messages.
    NumberShared,
    /// I6: the count is not the number of rows.
    CountDrift,
    /// I7: a row that is never found.
    NeverIndexed,
    /// I10: acked, and neither a row nor set aside.
    SilentAck,
}

use Violation::{AcceptedLost, CountDrift, NeverIndexed, NumberShared, SilentAck, TwoRows};

pub(super) const ALL: [Violation; 6] = [
    AcceptedLost,
    TwoRows,
    NumberShared,
    CountDrift,
    NeverIndexed,
    SilentAck,
];

impl State {
    pub(super) fn initial() -> Self {
        Self {
            tries: 0,
            answered: 0,
            other_tried: false,
            other_answered: None,
            record: None,
            next_number: 1,
            given: [0; NUMBERS],
            queue: Vec::new(),
            hand: None,
            rows: [0; NUMBERS],
            aliases: [0; NUMBERS],
            counted: 0,
            to_index: 0,
            indexed: 0,
            buried: Vec::new(),
            faults: 0,
            shared: false,
            silent_ack: false,
        }
    }

    /// A copy in which this many more things went wrong, if so many may.
    pub(super) fn with_faults(&self, faults: u8) -> Option<Self> {
        let faults = self.faults + faults;
        (faults <= FAULTS).then(|| Self {
            faults,
            ..self.clone()
        })
    }

    pub(super) fn take_number(&mut self, uid: Uid) -> u8 {
        let number = self.next_number;
        self.next_number += 1;
        let holder = &mut self.given[usize::from(number)];
        self.shared |= *holder != 0 && *holder != uid;
        *holder = uid;
        number
    }

    pub(super) fn answer(&mut self, number: u8, fate: Fate) {
        if fate != Fate::AnswerLost && fate != Fate::ConfirmLost {
            self.answered |= 1 << number;
        }
    }

    pub(super) fn enqueue(&mut self, create: Create) {
        self.queue.push(create);
        self.queue.sort_unstable();
    }

    pub(super) fn deliveries(&self) -> impl Iterator<Item = (Action, Self)> {
        (0..self.queue.len()).map(|place| {
            let mut after = self.clone();
            let create = after.queue.remove(place);
            after.hand = Some(Hand {
                create,
                stage: Stage::Delivered,
            });
            (Action::Deliver(create), after)
        })
    }

    pub(super) fn row_of(&self, uid: Uid) -> Option<u8> {
        (1..)
            .zip(&self.rows[1..])
            .find(|(_, holder)| **holder == uid)
            .map(|(number, _)| number)
    }

    pub(super) fn row_count(&self) -> u8 {
        (1..)
            .zip(self.rows.iter().filter(|uid| **uid != 0))
            .last()
            .map_or(0, |(count, _)| count)
    }

    /// The uid that a reader of this number sees.
    fn resolve(&self, number: u8) -> Uid {
        let number = usize::from(number);
        match self.rows[number] {
            0 => self.rows[usize::from(self.aliases[number])],
            uid => uid,
        }
    }

    pub(super) fn lost_an_answer(&self) -> bool {
        let answered = (1u8..)
            .take(NUMBERS - 1)
            .filter(|number| self.answered & (1 << number) != 0);
        let mut answered = answered.map(|number| self.resolve(number));
        let other = self.other_answered.map(|number| self.resolve(number));
        answered.any(|uid| !(1..OTHER).contains(&uid)) || other.is_some_and(|uid| uid != OTHER)
    }

    /// Nothing is left to do.
    pub(super) fn at_rest(&self) -> bool {
        self.queue.is_empty() && self.hand.is_none() && self.to_index == 0
    }
}
