//! What `allocate.lua` answers: a word, and what belongs to it.

use crate::model::Number;
use crate::ports::Taken;
use std::str::SplitAsciiWhitespace;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// All numbers from `first` to `last`.
    Given {
        first: Number,
        last: Number,
        /// Half of the block is used: reserve the next, meanwhile.
        early: Option<Lease>,
    },
    /// Anything else that ends the matter.
    Other(Taken),
    /// There is no number left; whoever is told this reserves a block.
    Need(Lease),
    /// There is no number left, and somebody else is reserving.
    Wait,
}

/// The right to reserve, for a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// The process of Redis the block is for.
    pub(super) run_id: String,
    /// The end of the block it has, if any.
    pub(super) hi: Option<u64>,
}

impl Answer {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let answer = match words.next()? {
            "given" => Self::Given {
                first: number(&mut words)?,
                last: number(&mut words)?,
                early: match words.clone().next() {
                    Some(_) => Some(lease(&mut words)?),
                    None => None,
                },
            },
            "need" => Self::Need(lease(&mut words)?),
            "wait" => Self::Wait,
            "unsettled" => Self::Other(Taken::Unsettled(number(&mut words)?)),
            "replay" => Self::Other(Taken::Replay(number(&mut words)?)),
            "in-flight" => Self::Other(Taken::InFlight {
                retry_after_ms: words.next()?.parse().ok()?,
            }),
            "mismatch" => Self::Other(Taken::Mismatch),
            "no-chat" => Self::Other(Taken::UnknownChat),
            "gone" => Self::Other(Taken::Gone),
            _ => return None,
        };
        words.next().is_none().then_some(answer)
    }

    /// What each of so many who asked together is told: one number each, as far as they go; one of them
    /// reserves, and the others wait for it.
    pub(super) fn among(self, asking: usize) -> Vec<Self> {
        match self {
            Self::Given { first, last, early } => {
                let numbers = (first.get()..=last.get()).filter_map(Number::new);
                let rest = std::iter::repeat_with(|| None);
                let given = |(number, early)| Self::Given {
                    first: number,
                    last: number,
                    early,
                };
                let early = std::iter::once(early).chain(rest);
                numbers.zip(early).take(asking).map(given).collect()
            }
            Self::Need(lease) => {
                let others = std::iter::repeat_with(|| Self::Wait);
                std::iter::once(Self::Need(lease))
                    .chain(others)
                    .take(asking)
                    .collect()
            }
            Self::Other(taken) => vec![Self::Other(taken); asking],
            Self::Wait => vec![Self::Wait; asking],
        }
    }
}

fn number(words: &mut SplitAsciiWhitespace<'_>) -> Option<Number> {
    Number::new(words.next()?.parse().ok()?)
}

fn lease(words: &mut SplitAsciiWhitespace<'_>) -> Option<Lease> {
    let run_id = words.next()?.to_owned();
    let hi = match words.next() {
        Some(hi) => Some(hi.parse().ok()?),
        None => None,
    };
    Some(Lease { run_id, hi })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(hi: Option<u64>) -> Lease {
        Lease {
            run_id: "ab12".to_owned(),
            hi,
        }
    }

    #[test]
    fn every_answer_is_understood() {
        let number = Number::MAX;
        for (text, answer) in [
            (
                "given 9007199254740991 9007199254740991",
                Answer::Given {
                    first: number,
                    last: number,
                    early: None,
                },
            ),
            (
                "given 1 9007199254740991 ab12 256",
                Answer::Given {
                    first: Number::new(1).unwrap(),
                    last: number,
                    early: Some(lease(Some(256))),
                },
            ),
            ("need ab12", Answer::Need(lease(None))),
            ("need ab12 256", Answer::Need(lease(Some(256)))),
            ("wait", Answer::Wait),
            (
                "unsettled 9007199254740991",
                Answer::Other(Taken::Unsettled(number)),
            ),
            (
                "replay 9007199254740991",
                Answer::Other(Taken::Replay(number)),
            ),
            (
                "in-flight 17",
                Answer::Other(Taken::InFlight { retry_after_ms: 17 }),
            ),
            ("mismatch", Answer::Other(Taken::Mismatch)),
            ("no-chat", Answer::Other(Taken::UnknownChat)),
            ("gone", Answer::Other(Taken::Gone)),
        ] {
            assert_eq!(Answer::parse(text), Some(answer), "{text}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for text in [
            "",
            "given",
            "given 0",
            "given x",
            "given 1 1 ab12 x",
            "need",
            "wait 1",
            "later",
            "given 1 ab12 2 3",
        ] {
            assert_eq!(Answer::parse(text), None, "{text}");
        }
    }

    #[test]
    fn each_of_those_who_ask_together_has_an_answer_of_its_own() {
        let number = |n| Number::new(n).unwrap();
        let given = |first, last, early| Answer::Given {
            first: number(first),
            last: number(last),
            early,
        };
        let early = || Some(lease(Some(256)));
        assert_eq!(
            given(7, 9, early()).among(3),
            [given(7, 7, early()), given(8, 8, None), given(9, 9, None)]
        );
        // The others ask again.
        assert_eq!(given(256, 256, None).among(3), [given(256, 256, None)]);
        assert_eq!(
            Answer::Need(lease(None)).among(3),
            [Answer::Need(lease(None)), Answer::Wait, Answer::Wait]
        );
        assert_eq!(Answer::Wait.among(2), [Answer::Wait, Answer::Wait]);
        let gone = || Answer::Other(Taken::Gone);
        assert_eq!(gone().among(2), [gone(), gone()]);
    }
}
