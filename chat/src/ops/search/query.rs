//! Reads what people type into a search box, and says which tokens it means.
//!
//! `foo bar` wants both words, `"foo bar"` wants them side by side, `-foo` wants messages without it.
//! There is no other syntax: whatever else is typed is text, so nothing typed can be an error of syntax.

use super::distance::distance;
use super::words::{Token, tokens};
use crate::model::Problem;

/// A parsed search: at least one term or phrase. All terms and phrases must match and no exclusion may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
    phrases: Vec<Vec<String>>,
    exclusions: Vec<Vec<String>>,
}

/// One word of a query, already folded like a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    text: String,
    characters: usize,
}

/// How well a token fits a term, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closeness {
    Equal,
    Prefix,
    /// With this many typing mistakes.
    Typo(usize),
}

impl Query {
    pub const MAX_CHARACTERS: usize = 256;
    /// Words, phrases and exclusions together.
    pub const MAX_TERMS: usize = 16;

    /// A quote that is not closed ends with the text, so a query still being typed is valid. Words
    /// written without a gap, as in Chinese, Japanese or Thai, are looked for side by side. The refusal is
    /// for the field `query`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let characters = text.chars().count();
        if characters > Self::MAX_CHARACTERS {
            return Err(Problem::new(
                format!("has {characters} characters"),
                "send at most 256 characters",
            ));
        }
        let mut query = Self {
            terms: Vec::new(),
            phrases: Vec::new(),
            exclusions: Vec::new(),
        };
        let mut rest = text;
        while let Some((chunk, after)) = Chunk::next(rest) {
            query.add(chunk);
            rest = after;
        }
        let positive = query.terms.len() + query.phrases.len();
        if positive + query.exclusions.len() > Self::MAX_TERMS {
            let count = positive + query.exclusions.len();
            return Err(Problem::new(
                format!("has {count} terms"),
                "send at most 16 words, phrases and exclusions",
            ));
        }
        match (positive, query.exclusions.len()) {
            (0, 0) => Err(Problem::new(
                "has no word to look for",
                "send at least one word, number or emoji",
            )),
            (0, _) => Err(Problem::new(
                "only excludes",
                "add at least one word to look for",
            )),
            _ => Ok(query),
        }
    }

    /// Each matches a token by `Term::closeness`.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Each is a sequence of exact tokens; one token is a sequence too. Never empty.
    pub fn phrases(&self) -> &[Vec<String>] {
        &self.phrases
    }

    /// As phrases, but of what may not be there.
    pub fn exclusions(&self) -> &[Vec<String>] {
        &self.exclusions
    }

    /// Whether a message with these tokens, in this order, is found. Engines must agree with this.
    pub fn matches(&self, tokens: &[&str]) -> bool {
        let holds = |phrase: &Vec<String>| {
            tokens
                .windows(phrase.len())
                .any(|window| window == phrase.as_slice())
        };
        self.terms
            .iter()
            .all(|term| tokens.iter().any(|token| term.matches(token)))
            && self.phrases.iter().all(holds)
            && !self.exclusions.iter().any(holds)
    }

    fn add(&mut self, chunk: Chunk<'_>) {
        match chunk {
            Chunk::Words(text) => runs(text).for_each(|mut run| match run.len() {
                1 => push_new(&mut self.terms, Term::new(run.remove(0))),
                _ => push_new(&mut self.phrases, run),
            }),
            Chunk::Phrase(text) => push_sequence(&mut self.phrases, text),
            Chunk::Exclusion(text) => push_sequence(&mut self.exclusions, text),
        }
    }
}

impl Term {
    /// How many characters a term has for which longer tokens are found.
    pub const PREFIX_CHARACTERS: std::ops::RangeInclusive<usize> = 2..=19;

    fn new(text: String) -> Self {
        Self {
            characters: text.chars().count(),
            text,
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether tokens that only start with this term match.
    pub fn finds_prefixes(&self) -> bool {
        Self::PREFIX_CHARACTERS.contains(&self.characters)
    }

    /// How many typing mistakes are overlooked: none in short words, since they would mean another word.
    pub fn mistakes(&self) -> usize {
        match self.characters {
            0..=2 => 0,
            3..=5 => 1,
            _ => 2,
        }
    }

    /// How this token fits; `None` when it does not. The first character is never mistaken.
    pub fn closeness(&self, token: &str) -> Option<Closeness> {
        if token == self.text {
            return Some(Closeness::Equal);
        }
        if self.finds_prefixes() && token.starts_with(&self.text) {
            return Some(Closeness::Prefix);
        }
        if self.mistakes() == 0 || token.chars().next() != self.text.chars().next() {
            return None;
        }
        distance(&self.text, token, self.mistakes()).map(Closeness::Typo)
    }

    pub fn matches(&self, token: &str) -> bool {
        self.closeness(token).is_some()
    }
}

/// A piece of a query between white space or quotes.
#[derive(Debug, PartialEq, Eq)]
enum Chunk<'a> {
    Words(&'a str),
    Phrase(&'a str),
    Exclusion(&'a str),
}

impl<'a> Chunk<'a> {
    fn next(text: &'a str) -> Option<(Self, &'a str)> {
        let text = text.trim_start();
        let (excluded, body) = match text.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, text),
        };
        if let Some(inside) = body.strip_prefix(is_quote) {
            let (phrase, after) = inside.split_once(is_quote).unwrap_or((inside, ""));
            let chunk = if excluded {
                Self::Exclusion(phrase)
            } else {
                Self::Phrase(phrase)
            };
            return Some((chunk, after));
        }
        if text.is_empty() {
            return None;
        }
        let (word, after) = body.split_at(
            body.find(|c: char| c.is_whitespace() || is_quote(c))
                .unwrap_or(body.len()),
        );
        Some((
            if excluded {
                Self::Exclusion(word)
            } else {
                Self::Words(word)
            },
            after,
        ))
    }
}

/// Straight quotes, and those that phones make of them.
fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„')
}

/// The tokens of a text, those that touch each other together.
fn runs(text: &str) -> impl Iterator<Item = Vec<String>> {
    let mut tokens = tokens(text).peekable();
    std::iter::from_fn(move || {
        let Token { text, mut range } = tokens.next()?;
        let mut run = vec![text];
        while let Some(next) =
            tokens.next_if(|next| next.range.start == range.end || next.range == range)
        {
            range = next.range;
            run.push(next.text);
        }
        Some(run)
    })
}

fn push_sequence(sequences: &mut Vec<Vec<String>>, text: &str) {
    let sequence: Vec<String> = tokens(text).map(|token| token.text).collect();
    if !sequence.is_empty() {
        push_new(sequences, sequence);
    }
}

fn push_new<T: PartialEq>(items: &mut Vec<T>, item: T) {
    if !items.contains(&item) {
        items.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> (Vec<String>, Vec<Vec<String>>, Vec<Vec<String>>) {
        let query = Query::parse(text).unwrap();
        (
            query.terms.into_iter().map(|term| term.text).collect(),
            query.phrases,
            query.exclusions,
        )
    }

    fn strings<const N: usize>(words: [&str; N]) -> Vec<String> {
        words.map(str::to_owned).to_vec()
    }

    #[test]
    fn words_phrases_and_exclusions_are_told_apart() {
        assert_eq!(
            parsed(r#"Foo  "Bar, baz" -Qux e-mail -"not this" foo"#),
            (
                strings(["foo", "e", "mail"]),
                vec![strings(["bar", "baz"])],
                vec![strings(["qux"]), strings(["not", "this"])]
            )
        );
    }

    #[test]
    fn a_quote_may_stay_open_and_may_be_curly() {
        assert_eq!(
            parsed(r#"a "b c"#),
            (strings(["a"]), vec![strings(["b", "c"])], vec![])
        );
        assert_eq!(
            parsed("“b c”d"),
            (strings(["d"]), vec![strings(["b", "c"])], vec![])
        );
        assert_eq!(parsed(r#"a" "#), (strings(["a"]), vec![], vec![]));
    }

    #[test]
    fn words_without_a_gap_are_looked_for_side_by_side() {
        assert_eq!(
            parsed("東京 go"),
            (strings(["go"]), vec![strings(["東", "京"])], vec![])
        );
        assert_eq!(
            parsed("a -東京 -e-mail"),
            (
                strings(["a"]),
                vec![],
                vec![strings(["東", "京"]), strings(["e", "mail"])]
            )
        );
    }

    #[test]
    fn what_finds_nothing_is_refused() {
        for (text, problem) in [
            ("", "has no word to look for"),
            (" - \"\" -\"\" !!! \u{0}", "has no word to look for"),
            ("-a -\"b c\"", "only excludes"),
            ("a b c d e f g h i j k l m n o p q", "has 17 terms"),
        ] {
            assert_eq!(Query::parse(text).unwrap_err().problem, problem, "{text}");
        }
        assert!(Query::parse(&"é".repeat(256)).is_ok());
        assert_eq!(
            Query::parse(&"é".repeat(257)).unwrap_err().problem,
            "has 257 characters"
        );
    }

    #[test]
    fn a_term_matches_equal_longer_and_mistyped_tokens() {
        use Closeness::{Equal, Prefix, Typo};
        for (term, token, closeness) in [
            ("kernel", "kernel", Some(Equal)),
            ("kernel", "kernels", Some(Prefix)),
            ("kernel", "kenrle", Some(Typo(2))),
            ("kernel", "kolonel", None),
            ("kernel", "vernel", None),
            ("kernle", "kernel", Some(Typo(1))),
            ("a", "ab", None),
            ("ab", "abc", Some(Prefix)),
            ("ab", "ac", None),
            ("abc", "acb", Some(Typo(1))),
            ("abcde", "abxxe", None),
            ("👍", "👍🏽", None),
            (
                "abcdefghijklmnopqrs",
                "abcdefghijklmnopqrstuvw",
                Some(Prefix),
            ),
            ("abcdefghijklmnopqrst", "abcdefghijklmnopqrstuvw", None),
        ] {
            assert_eq!(
                Term::new(term.to_owned()).closeness(token),
                closeness,
                "{term} {token}"
            );
        }
    }

    #[test]
    fn all_terms_and_phrases_and_no_exclusion() {
        let matches = |query: &str, text: &str| {
            let words = super::super::words(text);
            Query::parse(query)
                .unwrap()
                .matches(&words.split(' ').collect::<Vec<_>>())
        };
        assert!(matches("kernel pan", "Kernel panic!"));
        assert!(!matches("kernel pan", "Kernel only"));
        assert!(matches("\"kernel panic\"", "a kernel, panic"));
        assert!(!matches("\"kernel panic\"", "panic kernel"));
        assert!(!matches("\"kern\"", "kernel"));
        assert!(!matches("kernel -panic", "kernel panic"));
        assert!(matches("kernel -pan", "kernel panic"));
        assert!(matches("東京", "東京タワー") && !matches("東京", "京東"));
    }

    proptest! {
        #[test]
        fn anything_typed_is_a_query_or_a_problem(text in any::<String>()) {
            if let Ok(query) = Query::parse(&text) {
                prop_assert!(!query.terms().is_empty() || !query.phrases().is_empty());
                prop_assert!(query.phrases().iter().chain(query.exclusions()).all(|sequence| !sequence.is_empty()));
            }
        }

        #[test]
        fn a_text_is_found_by_its_own_words(text in "[a-zA-Zé東京😀 ,.]{1,40}") {
            let words = super::super::words(&text);
            if let Ok(query) = Query::parse(&text) {
                prop_assert!(query.matches(&words.split(' ').collect::<Vec<_>>()));
            }
        }
    }
}
