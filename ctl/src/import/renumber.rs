//! Which new number a number of the file got, kept as runs of numbers that moved by the same distance:
//! a chat whose numbers follow one another takes one run, however long it is.

use std::collections::BTreeMap;

/// One chat's numbers.
#[derive(Debug, Default)]
pub(super) struct Renumbering {
    /// First number of a run -> its length and the new number of its first.
    runs: BTreeMap<u64, (u64, u64)>,
}

impl Renumbering {
    pub(super) fn new_number(&self, number: u64) -> Option<u64> {
        let (&first, &(length, new_first)) = self.runs.range(..=number).next_back()?;
        let offset = number - first;
        (offset < length).then(|| new_first + offset)
    }

    /// Whether remembering this costs another run.
    pub(super) fn needs_run(&self, number: u64, new_number: u64) -> bool {
        !self.continues(number, new_number)
    }

    /// `number` must not be known yet.
    pub(super) fn remember(&mut self, number: u64, new_number: u64) {
        if self.continues(number, new_number) {
            let last = self.runs.range_mut(..number).next_back();
            last.expect("a number that continues a run has one before it")
                .1
                .0 += 1;
        } else {
            self.runs.insert(number, (1, new_number));
        }
    }

    fn continues(&self, number: u64, new_number: u64) -> bool {
        let before = self.runs.range(..number).next_back();
        before.is_some_and(|(&first, &(length, new_first))| {
            first + length == number && new_first + length == new_number
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembering(pairs: &[(u64, u64)]) -> Renumbering {
        let mut renumbering = Renumbering::default();
        for &(number, new_number) in pairs {
            renumbering.remember(number, new_number);
        }
        renumbering
    }

    #[test]
    fn numbers_that_follow_one_another_take_one_run() {
        let pairs: Vec<_> = (1..=1000).map(|n| (n + 50, n)).collect();
        let renumbering = remembering(&pairs);
        assert_eq!(renumbering.runs.len(), 1);
        assert_eq!(renumbering.new_number(50), None);
        assert_eq!(renumbering.new_number(51), Some(1));
        assert_eq!(renumbering.new_number(1050), Some(1000));
        assert_eq!(renumbering.new_number(1051), None);
    }

    #[test]
    fn any_order_and_any_distance_is_remembered() {
        let pairs = [
            (10, 1),
            (11, 2),
            (5, 3),
            (6, 4),
            (7, 9),
            (12, 11),
            (1, 12),
            (9, 13),
            (8, 14),
        ];
        let renumbering = remembering(&pairs);
        for (number, new_number) in pairs {
            assert_eq!(renumbering.new_number(number), Some(new_number), "{number}");
        }
        for absent in [2, 3, 4, 13] {
            assert_eq!(renumbering.new_number(absent), None);
        }
    }
}
