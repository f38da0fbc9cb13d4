//! Which deliveries of one channel may be acked, and how (PROTOCOLS C6). Pure.
//!
//! A broker numbers the deliveries of a channel from 1. One ack with `multiple` settles all up to a tag,
//! so it may only name a tag below which everything is settled (W23); and it must name a delivery that
//! is still open there, or the broker closes the channel.

use std::collections::BTreeMap;

/// How many acked deliveries may wait behind an open one before they are acked one by one: what one
/// delivery holds up does not fill the consumer's window.
const STRANDED: usize = 100;

/// What was decided about a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    Acked,
    /// It was returned to the broker by a frame of its own, which is sent before the acks that are due.
    Returned,
}

/// A frame to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) tag: u64,
    pub(super) multiple: bool,
}

#[derive(Debug, Default)]
pub(super) struct AckBook {
    /// Everything up to this tag is settled.
    settled_to: u64,
    /// What is settled above it.
    above: BTreeMap<u64, Settled>,
    /// The highest tag up to `settled_to` that is acked here and not yet at the broker.
    unsent: Option<u64>,
}

impl AckBook {
    pub(super) fn settle(&mut self, tag: u64, settled: Settled) {
        self.above.insert(tag, settled);
        while let Some(settled) = self.above.remove(&(self.settled_to + 1)) {
            self.settled_to += 1;
            if settled == Settled::Acked {
                self.unsent = Some(self.settled_to);
            }
        }
    }

    /// The acks to send now, in order. Each is told once.
    pub(super) fn due(&mut self) -> Vec<Ack> {
        let together = self.unsent.take().map(|tag| Ack {
            tag,
            multiple: true,
        });
        let mut due: Vec<Ack> = together.into_iter().collect();
        if self.above.len() >= STRANDED {
            for (&tag, settled) in &mut self.above {
                if *settled == Settled::Acked {
                    *settled = Settled::Returned;
                    due.push(Ack {
                        tag,
                        multiple: false,
                    });
                }
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn together(tag: u64) -> Vec<Ack> {
        vec![Ack {
            tag,
            multiple: true,
        }]
    }

    #[test]
    fn one_ack_covers_all_up_to_the_first_open_delivery() {
        let mut book = AckBook::default();
        for tag in [1, 2, 3, 5] {
            book.settle(tag, Settled::Acked);
        }
        assert_eq!(book.due(), together(3));
        assert_eq!(book.due(), []);
        book.settle(4, Settled::Acked);
        assert_eq!(book.due(), together(5));
    }

    #[test]
    fn an_ack_names_no_delivery_that_was_returned() {
        let mut book = AckBook::default();
        book.settle(1, Settled::Acked);
        book.settle(2, Settled::Returned);
        assert_eq!(book.due(), together(1));
        book.settle(3, Settled::Returned);
        assert_eq!(book.due(), []);
    }

    /// What a broker does with acks: RabbitMQ closes the channel on a tag that is not open.
    struct Broker {
        open: BTreeSet<u64>,
        acked: BTreeSet<u64>,
    }

    impl Broker {
        fn take(&mut self, ack: Ack) {
            assert!(self.open.contains(&ack.tag), "{ack:?} names an open one");
            let lowest = if ack.multiple { 1 } else { ack.tag };
            for tag in lowest..=ack.tag {
                if self.open.remove(&tag) {
                    self.acked.insert(tag);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn exactly_what_is_acked_here_is_acked_there(
            settlements in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..400)
                .prop_flat_map(|kinds| {
                    let tagged: Vec<_> = (1_u64..).zip(kinds).collect();
                    Just(tagged).prop_shuffle()
                }),
        ) {
            let tags = 1..=settlements.len() as u64;
            let mut broker = Broker { open: tags.clone().collect(), acked: BTreeSet::new() };
            let mut book = AckBook::default();
            let mut acked = BTreeSet::new();
            for (tag, (is_acked, flush)) in settlements {
                if is_acked {
                    acked.insert(tag);
                    book.settle(tag, Settled::Acked);
                } else {
                    broker.open.remove(&tag);
                    book.settle(tag, Settled::Returned);
                }
                if flush {
                    book.due().into_iter().for_each(|ack| broker.take(ack));
                }
                prop_assert!(broker.acked.is_subset(&acked));
            }
            book.due().into_iter().for_each(|ack| broker.take(ack));
            prop_assert!(broker.open.is_empty());
            prop_assert_eq!(broker.acked, acked);
        }

        #[test]
        fn an_open_delivery_holds_up_few_others(open in 1_u64..50, last in 200_u64..600) {
            let mut broker = Broker { open: (1..=last).collect(), acked: BTreeSet::new() };
            let mut book = AckBook::default();
            for tag in (1..=last).filter(|&tag| tag != open) {
                book.settle(tag, Settled::Acked);
                book.due().into_iter().for_each(|ack| broker.take(ack));
            }
            prop_assert!(broker.open.len() <= STRANDED + 1, "{} are open", broker.open.len());
        }
    }
}
