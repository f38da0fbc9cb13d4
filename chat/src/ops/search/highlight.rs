//! Shows where a message was found: an excerpt of its content as HTML, the found words in `<em>`.
//!
//! The excerpt is a piece of the content as it is, escaped; apart from `<em>`, `</em>` and an ellipsis
//! where it was cut, nothing is added, so it is safe to put into a page.

use super::query::Query;
use super::words::{Token, tokens};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// How much of the content an excerpt shows, before escaping.
const MAX_CHARACTERS: usize = 240;
/// How much of it stands before the first found word.
const LEAD_CHARACTERS: usize = 60;

/// At most 240 characters of `content` around the place with the most found words. Its beginning when
/// none is found, which happens when the content changed since.
pub fn highlight(content: &str, query: &Query) -> String {
    let found = found(content, query);
    let shown = window(content, &found);
    let mut html = String::with_capacity(shown.len() + 64);
    if shown.start > 0 {
        html.push('…');
    }
    let mut at = shown.start;
    for range in found {
        let range = range.start.max(at)..range.end.min(shown.end);
        if range.is_empty() {
            continue;
        }
        escape(&content[at..range.start], &mut html);
        html.push_str("<em>");
        escape(&content[range.clone()], &mut html);
        html.push_str("</em>");
        at = range.end;
    }
    escape(&content[at..shown.end], &mut html);
    if shown.end < content.len() {
        html.push('…');
    }
    html
}

/// The places of the tokens that fit a term or are part of a phrase, ascending and disjoint.
fn found(content: &str, query: &Query) -> Vec<Range<usize>> {
    let tokens: Vec<Token> = tokens(content).collect();
    let mut found: Vec<bool> = tokens
        .iter()
        .map(|token| query.terms().iter().any(|term| term.matches(&token.text)))
        .collect();
    for phrase in query.phrases() {
        for (start, window) in tokens.windows(phrase.len()).enumerate() {
            if window.iter().map(|token| &token.text).eq(phrase) {
                found[start..start + phrase.len()].fill(true);
            }
        }
    }
    let mut ranges: Vec<Range<usize>> = tokens
        .into_iter()
        .zip(found)
        .filter(|(_, found)| *found)
        .map(|(token, _)| token.range)
        .collect();
    ranges.dedup();
    ranges
}

/// The bytes to show: whole words where that is possible.
fn window(content: &str, found: &[Range<usize>]) -> Range<usize> {
    let Some(first) = densest(content, found) else {
        return 0..end_of(content, 0, 0);
    };
    let start = start_of(content, first.start);
    start..end_of(content, start, first.end)
}

/// The found place after which the most others follow within reach; the earliest of equals.
fn densest<'a>(content: &str, found: &'a [Range<usize>]) -> Option<&'a Range<usize>> {
    let mut best: Option<(usize, &Range<usize>)> = None;
    let mut last = 0;
    for (index, range) in found.iter().enumerate() {
        let reach = skip(content, range.start, MAX_CHARACTERS - LEAD_CHARACTERS);
        last = last.max(index);
        while found.get(last + 1).is_some_and(|next| next.end <= reach) {
            last += 1;
        }
        if best.is_none_or(|(count, _)| last - index > count) {
            best = Some((last - index, range));
        }
    }
    best.map(|(_, range)| range)
}

/// Where to start so that some context stands before `found`.
fn start_of(content: &str, found: usize) -> usize {
    let start = content[..found]
        .char_indices()
        .rev()
        .nth(LEAD_CHARACTERS - 1)
        .map_or(0, |(at, _)| at);
    if start == 0 {
        return 0;
    }
    // The first half word goes, and so does the space after it.
    let lead = &content[start..found];
    let cut_word = lead.split_word_bounds().next().map_or(0, str::len);
    let rest = lead[cut_word..].trim_start();
    found - rest.len()
}

/// Where to end, not before `found` if that fits.
fn end_of(content: &str, start: usize, found: usize) -> usize {
    let end = skip(content, start, MAX_CHARACTERS);
    if end == content.len() {
        return end;
    }
    let word = content[start..]
        .split_word_bound_indices()
        .map(|(at, _)| start + at)
        .take_while(|at| *at <= end)
        .last();
    match word {
        Some(word) if word >= found && word > start => word,
        _ => end,
    }
}

/// The byte that lies `characters` after the byte `from`, or the end.
fn skip(content: &str, from: usize, characters: usize) -> usize {
    content[from..]
        .char_indices()
        .nth(characters)
        .map_or(content.len(), |(at, _)| from + at)
}

fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(content: &str, query: &str) -> String {
        highlight(content, &Query::parse(query).unwrap())
    }

    fn unescape(html: &str) -> String {
        [
            ("<em>", ""),
            ("</em>", ""),
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&#39;", "'"),
            ("&amp;", "&"),
        ]
        .iter()
        .fold(html.to_owned(), |html, (from, to)| html.replace(from, to))
    }

    #[test]
    fn found_words_are_emphasised_and_the_rest_is_escaped() {
        assert_eq!(
            shown("Kernels <b>panic</b> & 'die'", "kernel panik"),
            "<em>Kernels</em> &lt;b&gt;<em>panic</em>&lt;/b&gt; &amp; &#39;die&#39;"
        );
    }

    #[test]
    fn a_phrase_is_emphasised_only_where_it_stands_in_sequence() {
        assert_eq!(
            shown("out of memory, of out", "\"out of\""),
            "<em>out</em> <em>of</em> memory, of out"
        );
        assert_eq!(
            shown("東京タワーと京", "東京"),
            "<em>東</em><em>京</em>タワーと京"
        );
    }

    #[test]
    fn an_excluded_word_is_not_emphasised() {
        assert_eq!(shown("a cat", "cat -a"), "a <em>cat</em>");
    }

    #[test]
    fn a_long_text_is_cut_around_the_place_with_the_most_words() {
        let content = format!(
            "needle {}needle one needle two {}",
            "hay ".repeat(200),
            "straw ".repeat(200)
        );
        let html = shown(&content, "needle");
        assert!(html.starts_with("…hay hay"), "{html}");
        assert!(
            html.contains(" <em>needle</em> one <em>needle</em> two straw"),
            "{html}"
        );
        assert!(
            html.ends_with("straw …") || html.ends_with("straw…"),
            "{html}"
        );
    }

    #[test]
    fn one_endless_word_is_cut_too() {
        let html = shown(&"x".repeat(9000), &"x".repeat(100));
        assert_eq!(html, format!("<em>{}</em>…", "x".repeat(240)));
    }

    #[test]
    fn content_that_changed_since_shows_its_beginning() {
        assert_eq!(shown("nothing here", "absent"), "nothing here");
    }

    proptest! {
        #[test]
        fn without_its_marks_it_is_a_bounded_piece_of_the_content(
            content in "([a-c<>&\"'é東😀\u{301}]{0,6}[ ,.\n]){0,200}", query in "[a-c]{1,3}( \"?[a-c東]{1,3}){0,3}",
        ) {
            let query = Query::parse(&query).unwrap();
            let html = highlight(&content, &query);
            let piece = html.strip_prefix('…').unwrap_or(&html);
            let piece = piece.strip_suffix('…').unwrap_or(piece);
            let plain = unescape(piece);
            prop_assert!(content.contains(&plain));
            prop_assert!(plain.chars().count() <= MAX_CHARACTERS);
            let tags = piece.replace("<em>", "").replace("</em>", "");
            prop_assert!(!tags.contains(['<', '>', '"', '\'']));
            prop_assert_eq!(piece.matches("<em>").count(), piece.matches("</em>").count());
            prop_assert_eq!(piece.contains("<em>"), !found(&content, &query).is_empty());
        }

        #[test]
        fn no_text_makes_it_fail(content in any::<String>(), query in any::<String>()) {
            if let Ok(query) = Query::parse(&query) {
                highlight(&content, &query);
            }
        }
    }
}
