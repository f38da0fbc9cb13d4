//! Messages of about a hundred bytes, and words to search for. The same in every run.
//!
//! Words follow Zipf's law as those of a language do: the r-th most frequent one is used about 1/r as
//! often as the first, so some words are in many messages and most in few.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

const SEED: u64 = 20_251_121;
const WORDS: usize = 2_000;
const WORDS_IN_A_MESSAGE: usize = 11;
const SYLLABLES: [&str; 32] = [
    "ba", "ren", "ti", "mol", "su", "kar", "ed", "win", "lo", "pas", "nu", "gri", "ver", "ol",
    "tam", "che", "dra", "is", "fen", "hul", "qui", "ze", "mar", "bo", "ster", "an", "ly", "pok",
    "ura", "jin", "wa", "dov",
];

/// Draws words and sentences.
pub(crate) struct Author {
    dice: SmallRng,
    words: Vec<String>,
    /// Chance of a word up to and including this one.
    up_to: Vec<f64>,
}

impl Author {
    /// Different streams write different sentences with the same words.
    pub(crate) fn new(stream: u64) -> Self {
        let mut dice = SmallRng::seed_from_u64(SEED);
        let words = (0..WORDS).map(|_| word(&mut dice)).collect();
        let mut sum = 0.0;
        let mut up_to: Vec<f64> = (1..=WORDS)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        up_to.iter_mut().for_each(|chance| *chance /= sum);
        Self {
            dice: SmallRng::seed_from_u64(SEED + 1 + stream),
            words,
            up_to,
        }
    }

    pub(crate) fn sentence(&mut self) -> String {
        let words: Vec<&str> = (0..WORDS_IN_A_MESSAGE)
            .map(|_| {
                let chance = self.dice.random::<f64>();
                let rank = self.up_to.partition_point(|up_to| *up_to < chance);
                self.words[rank.min(WORDS - 1)].as_str()
            })
            .collect();
        words.join(" ")
    }

    /// One that is in some of a thousand messages, neither in nearly all nor in hardly any.
    pub(crate) fn search_word(&mut self) -> &str {
        let rank = self.dice.random_range(20..200);
        &self.words[rank]
    }

    /// From 1 to `most`.
    pub(crate) fn number(&mut self, most: u64) -> u64 {
        self.dice.random_range(1..=most.max(1))
    }
}

fn word(dice: &mut SmallRng) -> String {
    let length = dice.random_range(2..=4);
    (0..length)
        .filter_map(|_| SYLLABLES.choose(dice).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_about_a_hundred_bytes() {
        let mut author = Author::new(0);
        let total: usize = (0..1_000).map(|_| author.sentence().len()).sum();
        assert!((90..110).contains(&(total / 1_000)), "{total}");
    }
}
