//! The words that could have been meant by a mistyped one.
//!
//! A Levenshtein automaton walks the term dictionary, so only words near the wanted one are looked at.

use super::schema::Vocabulary;
use crate::ops::search::{Closeness, Term as Wanted};
use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder, SINK_STATE};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use tantivy::Searcher;
use tantivy_fst::Automaton;

/// How many mistyped words one word of a query stands for: the closest, then the first in the alphabet.
const MAX_TYPOS: usize = 50;

/// The words of this vocabulary that could have been meant, with how many mistakes, closest first.
pub(super) fn typos(
    searcher: &Searcher,
    words: &Vocabulary,
    wanted: &Wanted,
) -> tantivy::Result<BTreeSet<(usize, String)>> {
    let mut typos = BTreeSet::new();
    let (Some(first), 1..) = (wanted.text().chars().next(), wanted.mistakes()) else {
        return Ok(typos);
    };
    let start = words.key(first.encode_utf8(&mut [0; 4]));
    let automaton = Typos::new(&words.key(""), wanted);
    for segment in searcher.segment_readers() {
        let index = segment.inverted_index(words.field)?;
        let terms = index
            .terms()
            .search(&automaton)
            .ge(&start)
            .lt(format!("{start}\u{10FFFF}"));
        let mut terms = terms.into_stream()?;
        while terms.advance() {
            let Some(word) = words.word(terms.key()) else {
                continue;
            };
            if let Some(Closeness::Typo(mistakes)) = wanted.closeness(word) {
                typos.insert((mistakes, word.to_owned()));
                if typos.len() > MAX_TYPOS {
                    typos.pop_last();
                }
            }
        }
    }
    Ok(typos)
}

/// Accepts keys that begin as given and go on with a word within some mistakes of the wanted one.
struct Typos {
    start: Vec<u8>,
    word: DFA,
}

#[derive(Clone)]
enum TyposState {
    /// So many bytes of the start were seen.
    Start(usize),
    Word(u32),
}

impl Typos {
    fn new(start: &str, wanted: &Wanted) -> Self {
        // Building the tables takes milliseconds, using them microseconds.
        static ONE: LazyLock<LevenshteinAutomatonBuilder> =
            LazyLock::new(|| LevenshteinAutomatonBuilder::new(1, true));
        static TWO: LazyLock<LevenshteinAutomatonBuilder> =
            LazyLock::new(|| LevenshteinAutomatonBuilder::new(2, true));
        let tables = if wanted.mistakes() == 1 { &ONE } else { &TWO };
        Self {
            start: start.as_bytes().to_vec(),
            word: tables.build_dfa(wanted.text()),
        }
    }
}

impl Automaton for Typos {
    type State = TyposState;

    fn start(&self) -> TyposState {
        TyposState::Start(0)
    }

    fn is_match(&self, state: &TyposState) -> bool {
        matches!(state, TyposState::Word(state) if matches!(self.word.distance(*state), Distance::Exact(_)))
    }

    fn can_match(&self, state: &TyposState) -> bool {
        !matches!(state, TyposState::Word(SINK_STATE))
    }

    fn accept(&self, state: &TyposState, byte: u8) -> TyposState {
        match *state {
            TyposState::Start(seen) if self.start[seen] != byte => TyposState::Word(SINK_STATE),
            TyposState::Start(seen) if seen + 1 < self.start.len() => TyposState::Start(seen + 1),
            TyposState::Start(_) => TyposState::Word(self.word.initial_state()),
            TyposState::Word(state) => TyposState::Word(self.word.transition(state, byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::TantivyIndex;
    use super::super::find::tests::{message, request};
    use super::*;
    use crate::ops::search::{Query, distance};
    use crate::ports::Search;
    use proptest::prelude::*;

    #[tokio::test]
    async fn a_word_stands_for_fifty_mistyped_ones_of_its_tenant() {
        let dir = tempfile::tempdir().unwrap();
        let index = TantivyIndex::open(dir.path()).unwrap();
        let substituted = |app, place: usize, number: u64| {
            let letter = char::from(b'a' + u8::try_from(number % 26).unwrap());
            let mut word = "kernel".to_owned();
            word.replace_range(place..=place, letter.encode_utf8(&mut [0; 4]));
            message(app, number + 1, &word)
        };
        let mine =
            (0..78).map(|number| substituted(1, 1 + usize::try_from(number / 26).unwrap(), number));
        index.write(&mine.collect::<Vec<_>>()).await.unwrap();
        index.write(&[message(2, 1, "kernal")]).await.unwrap();
        // "kernel" itself is among the 78 three times.
        assert_eq!(
            index
                .query(&request(1, None, "kernel"))
                .await
                .unwrap()
                .total,
            53
        );
        assert_eq!(
            index
                .query(&request(2, None, "kernel"))
                .await
                .unwrap()
                .total,
            1
        );
    }

    proptest! {
        #[test]
        fn the_automaton_accepts_what_the_distance_allows(
            wanted in "[abcé]{3,8}", word in "[abcé]{0,9}", owner in "[xy]{2}", other in "[xy]{2}",
        ) {
            let query = Query::parse(&wanted).unwrap();
            let wanted = &query.terms()[0];
            let automaton = Typos::new(&owner, wanted);
            let key = format!("{other}{word}");
            let state = key.bytes().fold(automaton.start(), |state, byte| automaton.accept(&state, byte));
            let near = distance(wanted.text(), &word, wanted.mistakes()).is_some();
            prop_assert_eq!(automaton.is_match(&state), owner == other && near);
        }
    }
}
