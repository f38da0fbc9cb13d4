//! Cuts text into tokens: the words of Unicode Standard Annex 29 and emoji, in NFKC and lower case.
//!
//! A token remembers which bytes of the original text it stands for. That is more than cosmetics: NFKC
//! changes lengths ("ﬁ" becomes two characters) and can even make several words of one character (U+FDFA).
//! Punctuation is no token, so `foo, bar` and `foo bar` are the same sequence.

use std::ops::Range;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// Longer words are cut here, in messages and in queries alike, so that they still find each other.
/// Below the 255 at which Elasticsearch's `whitespace` tokenizer starts to split.
pub const MAX_TOKEN_CHARACTERS: usize = 100;

/// What `words` returns at most. Text within the limits of `Content` stays below it, unless NFKC makes
/// many letters of each of its characters; then its end is not searchable.
pub const MAX_WORDS_BYTES: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Not empty, without white space.
    pub text: String,
    /// The bytes of the source it stands for. Tokens made from one character share a range.
    pub range: Range<usize>,
}

/// The tokens of a text in their order.
pub fn tokens(text: &str) -> impl Iterator<Item = Token> {
    segments(text).flat_map(|(start, segment)| {
        let range = start..start + segment.len();
        fold(segment).into_iter().map(move |text| Token {
            text,
            range: range.clone(),
        })
    })
}

/// The tokens of a text, separated by single spaces: what an engine is given.
pub fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len().min(MAX_WORDS_BYTES));
    for token in tokens(text) {
        if words.len() + 1 + token.text.len() > MAX_WORDS_BYTES {
            break;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(&token.text);
    }
    words
}

/// The parts of a text between word boundaries that are words or emoji, with their first byte.
fn segments(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_word_bound_indices()
        .filter(|(_, segment)| segment.contains(|c: char| c.is_alphanumeric() || is_emoji(c)))
}

fn fold(segment: &str) -> Vec<String> {
    if segment.is_ascii() {
        return vec![cut(segment.to_ascii_lowercase())];
    }
    let plain: String = segment
        .nfkc()
        .filter(|&c| !is_variation_selector(c))
        .collect();
    // Lower case can leave NFKC again, hence the second round.
    let folded: String = plain.to_lowercase().nfkc().collect();
    segments(&folded)
        .map(|(_, part)| cut(part.replace(char::is_whitespace, "")))
        .filter(|token| !token.is_empty())
        .collect()
}

fn cut(mut token: String) -> String {
    if let Some((end, _)) = token.char_indices().nth(MAX_TOKEN_CHARACTERS) {
        token.truncate(end);
    }
    token
}

/// They choose a look, text or picture, for the character before: "❤" and "❤️" are one word.
fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}')
}

/// Blocks whose characters are shown as pictures, from Unicode's emoji-data.txt
/// (<https://www.unicode.org/Public/UCD/latest/ucd/emoji/emoji-data.txt>), rounded to whole rows.
fn is_emoji(c: char) -> bool {
    matches!(c,
        '\u{1F000}'..='\u{1FAFF}'
        | '\u{2600}'..='\u{27BF}'
        | '\u{2B00}'..='\u{2BFF}'
        | '\u{2300}'..='\u{23FF}'
        | '\u{2190}'..='\u{21FF}'
        | '\u{25A0}'..='\u{25FF}'
        // The frame of keycaps, such as #️⃣.
        | '\u{20E3}'
        | '\u{203C}' | '\u{2049}' | '\u{2934}' | '\u{2935}' | '\u{3030}'
        | '\u{3297}'
        | '\u{3299}' | '\u{303D}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<String> {
        tokens(text).map(|token| token.text).collect()
    }

    #[test]
    fn punctuation_and_space_separate_words_and_are_none() {
        assert_eq!(
            texts("Hello,  world! (can't) 3.14 -- foo_bar"),
            ["hello", "world", "can't", "3.14", "foo_bar"]
        );
        assert_eq!(texts(" \t\n.,;!? -- ... "), [""; 0]);
    }

    #[test]
    fn compatible_characters_and_cases_are_one_word() {
        assert_eq!(texts("ﬁsh FISH Ｆｉｓｈ"), ["fish"; 3]);
        assert_eq!(texts("CAFÉ cafe\u{301}"), ["café"; 2]);
        assert_eq!(texts("ΟΔΟΣ οδος"), ["οδος"; 2]);
    }

    #[test]
    fn emoji_are_words_with_or_without_their_variation_selector() {
        assert_eq!(
            texts("ship it 🚀, ❤️ ❤ 👨‍👩‍👧 🇩🇪👍🏽 #️⃣"),
            ["ship", "it", "🚀", "❤", "❤", "👨‍👩‍👧", "🇩🇪", "👍🏽", "#⃣"]
        );
    }

    #[test]
    fn scripts_without_spaces_are_cut_by_character() {
        assert_eq!(texts("東京タワー"), ["東", "京", "タワー"]);
        assert_eq!(texts("שלום עולם مرحبا"), ["שלום", "עולם", "مرحبا"]);
    }

    #[test]
    fn a_range_means_the_original_text() {
        let text = "¡Ｈello! ﷺ";
        let found: Vec<_> = tokens(text)
            .map(|token| (token.text, &text[token.range]))
            .collect();
        assert_eq!(found[0], ("hello".to_owned(), "Ｈello"));
        assert_eq!(found.len(), 5, "one character can be four words: {found:?}");
        assert!(found[1..].iter().all(|(_, source)| *source == "ﷺ"));
    }

    #[test]
    fn a_long_word_is_cut_and_many_words_are_bounded() {
        assert_eq!(texts(&"X".repeat(5000)), ["x".repeat(100)]);
        assert!(words(&"ﷺ".repeat(10_000)).len() <= MAX_WORDS_BYTES);
        assert_eq!(words(&"😀".repeat(10_000)).split(' ').count(), 10_000);
    }

    proptest! {
        #[test]
        fn tokens_lie_in_order_on_character_boundaries_and_hold_no_space(text in any::<String>()) {
            let mut end = 0;
            let mut start = 0;
            for token in tokens(&text) {
                prop_assert!(text.get(token.range.clone()).is_some_and(|source| !source.is_empty()));
                prop_assert!(token.range.start >= end || token.range == (start..end));
                prop_assert!(!token.text.is_empty() && !token.text.contains(char::is_whitespace));
                (start, end) = (token.range.start, token.range.end);
            }
        }

        #[test]
        fn words_are_the_tokens_with_spaces(text in any::<String>()) {
            let words = words(&text);
            prop_assert_eq!(words.split_whitespace().collect::<Vec<_>>(), texts(&text));
        }

        #[test]
        fn case_does_not_matter(text in "[a-zA-Zà-öØ-Þа-яΑ-Ρ ]{0,40}") {
            prop_assert_eq!(words(&text.to_uppercase()), words(&text));
        }
    }
}
