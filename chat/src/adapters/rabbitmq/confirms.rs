//! What became of the publishes of one channel, decided from confirms and returns (PROTOCOLS M1). Pure.
//!
//! The client library hands a returned message to whichever confirm it completes next, so that an ack
//! says nothing about its own message. Returns carry our sequence number instead. The broker sends a
//! return before the confirm of its message, and in the order of publishing; so once every confirm up to
//! a publish was seen, and everything that was there before the last of them, its return was seen too.

use std::collections::{BTreeSet, VecDeque};

/// What a confirm says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirm {
    Ack,
    Nack,
    /// The channel ended first.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is safe in a queue.
    Confirmed,
    /// The queue did not take it: it is full.
    Refused,
    /// No queue was there for it.
    Returned,
    /// Nobody knows.
    Unknown,
}

/// The publishes of one channel that are not decided, oldest first.
pub(super) struct Window<T> {
    /// The sequence number of the oldest.
    first: u64,
    open: VecDeque<(Option<Confirm>, T)>,
    returned: BTreeSet<u64>,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            first: 1,
            open: VecDeque::new(),
            returned: BTreeSet::new(),
        }
    }
}

impl<T> Window<T> {
    /// The number the next publish has.
    pub(super) fn next_sequence(&self) -> u64 {
        self.first + self.open.len() as u64
    }

    pub(super) fn push(&mut self, publish: T) {
        self.open.push_back((None, publish));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Asks each publish without a confirm, oldest first, whether it has one now. Everything that is
    /// there by then, and what confirms of newer ones carry, must be told before `decided` is asked.
    pub(super) fn look(&mut self, mut confirm: impl FnMut(u64, &mut T) -> Option<Confirm>) {
        for (sequence, (known, publish)) in (self.first..).zip(&mut self.open) {
            if known.is_none() {
                *known = confirm(sequence, publish);
            }
        }
    }

    /// This message came back.
    pub(super) fn returned(&mut self, sequence: u64) {
        if sequence >= self.first {
            self.returned.insert(sequence);
        }
    }

    /// The oldest publish, once it is decided.
    pub(super) fn decided(&mut self) -> Option<(T, Decision)> {
        let confirm = self.open.front()?.0?;
        let (_, publish) = self.open.pop_front()?;
        let returned = self.returned.remove(&self.first);
        self.first += 1;
        let decision = match confirm {
            Confirm::Lost => Decision::Unknown,
            Confirm::Ack | Confirm::Nack if returned => Decision::Returned,
            Confirm::Ack => Decision::Confirmed,
            Confirm::Nack => Decision::Refused,
        };
        Some((publish, decision))
    }

    /// What is still open, when the channel is gone.
    pub(super) fn abandon(self) -> impl Iterator<Item = T> {
        self.open.into_iter().map(|(_, publish)| publish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// The client library as M1 found it: returns wait in one line, and each confirm takes the first,
    /// whosever it is; one ack for many goes through them in any order.
    #[derive(Default)]
    struct Library {
        waiting: VecDeque<u64>,
        confirmed: HashMap<u64, Option<u64>>,
    }

    impl Library {
        fn confirm(&mut self, tags: impl IntoIterator<Item = u64>) {
            for tag in tags {
                let pinned = self.waiting.pop_front();
                self.confirmed.insert(tag, pinned);
            }
        }
    }

    fn look(window: &mut Window<u64>, library: &Library) {
        let mut returned = Vec::new();
        window.look(|sequence, _| {
            let pinned = library.confirmed.get(&sequence)?;
            returned.extend(*pinned);
            Some(Confirm::Ack)
        });
        for sequence in returned {
            window.returned(sequence);
        }
    }

    proptest! {
        /// Confirms in any order, each after its own return, acked one by one or many at once.
        #[test]
        fn returned_messages_are_told_from_delivered_ones(
            returned in proptest::collection::vec(any::<bool>(), 1..64),
            order in proptest::collection::vec(any::<u16>(), 64),
            looks in proptest::collection::vec(any::<bool>(), 64),
            batches in proptest::collection::vec(1_usize..9, 64),
        ) {
            let count = returned.len() as u64;
            let is_returned = |sequence: u64| returned[usize::try_from(sequence - 1).unwrap()];
            let mut window = Window::default();
            for sequence in 1..=count {
                prop_assert_eq!(window.next_sequence(), sequence);
                window.push(sequence);
            }
            // Returns come in the order of publishing; a delivered message may be confirmed at any time.
            let mut confirms: Vec<u64> = (1..=count).collect();
            confirms.sort_by_key(|&sequence| if is_returned(sequence) {
                (u16::MAX / 2, sequence)
            } else {
                (order[usize::try_from(sequence - 1).unwrap()], 0)
            });
            let mut library = Library::default();
            let mut decided = Vec::new();
            let mut left = confirms.as_slice();
            for (many, looks) in batches.iter().zip(&looks) {
                let (now, later) = left.split_at((*many).min(left.len()));
                left = later;
                library.waiting.extend(now.iter().filter(|&&sequence| is_returned(sequence)));
                library.confirm(now.iter().rev().copied());
                if *looks {
                    look(&mut window, &library);
                    decided.extend(std::iter::from_fn(|| window.decided()));
                }
            }
            library.waiting.extend(left.iter().filter(|&&sequence| is_returned(sequence)));
            library.confirm(left.iter().copied());
            look(&mut window, &library);
            decided.extend(std::iter::from_fn(|| window.decided()));
            let expected: Vec<_> = (1..=count)
                .map(|sequence| match is_returned(sequence) {
                    true => (sequence, Decision::Returned),
                    false => (sequence, Decision::Confirmed),
                })
                .collect();
            prop_assert_eq!(decided, expected);
        }
    }

    #[test]
    fn a_publish_is_not_decided_before_those_before_it() {
        let mut window = Window::default();
        window.push('a');
        window.push('b');
        window.look(|_, publish| (*publish == 'b').then_some(Confirm::Ack));
        assert_eq!(window.decided(), None);
        window.look(|_, _| Some(Confirm::Nack));
        assert_eq!(window.decided(), Some(('a', Decision::Refused)));
        assert_eq!(window.decided(), Some(('b', Decision::Confirmed)));
    }

    #[test]
    fn nobody_knows_about_publishes_of_a_channel_that_ended() {
        let mut window = Window::default();
        window.push('a');
        window.push('b');
        window.look(|_, publish| (*publish == 'a').then_some(Confirm::Lost));
        assert_eq!(window.decided(), Some(('a', Decision::Unknown)));
        assert_eq!(window.abandon().collect::<Vec<_>>(), ['b']);
    }
}
