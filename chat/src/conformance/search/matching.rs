//! Which words find which texts.

use super::{Place, Tenant, eventually};
use crate::ops::search::{Query, words};
use crate::ports::{Search, SearchRequest};
use std::collections::BTreeSet;
use std::sync::Arc;

pub async fn all_words_must_fit_and_no_exclusion_may(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let texts = [
        "The kernel panicked.",
        "Kernels don't panic, people do",
        "Panic! In the kernel",
        "a kernel, panic",
        "kernal pnaic",
        "unrelated e-mail about IPv6 at example.com",
    ];
    tenant
        .put(
            (1..)
                .zip(texts)
                .map(|(number, text)| tenant.message((1, number), text)),
        )
        .await;
    for (query, expected) in [
        ("kernel", &[1, 2, 3, 4, 5][..]),
        ("KERNEL panic", &[1, 2, 3, 4, 5]),
        ("ker", &[1, 2, 3, 4, 5]),
        ("kernal", &[1, 2, 3, 4, 5]),
        ("\"kernel\"", &[1, 3, 4]),
        ("\"kernel panic\"", &[4]),
        ("\"panic kernel\"", &[]),
        ("\"the kernel\"", &[1, 3]),
        ("kernel -panic", &[1, 5]),
        ("kernel -panic -pnaic", &[1]),
        ("kernel -\"the kernel\"", &[2, 4, 5]),
        ("panic do", &[2]),
        ("k", &[]),
        ("a", &[4]),
        ("a kernel", &[4]),
        ("ernel", &[]),
        ("mail", &[6]),
        ("e-mail", &[6]),
        ("ipv4", &[6]),
        ("exampel.com", &[6]),
        ("absent", &[]),
        ("kernel absent", &[]),
    ] {
        let expected: Vec<Place> = expected.iter().map(|number| (1, *number)).collect();
        tenant.expect(query, &expected).await;
    }
}

pub async fn every_script_and_emoji_is_found(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let texts = [
        "ship it 🚀🎉 now",
        "I ❤️ NY 👨‍👩‍👧 🇩🇪",
        "שלום עולם",
        "مرحبا بالعالم",
        "東京タワーに行く",
        "京東",
        "Ελλάδα ΟΔΟΣ",
        "Cafe\u{301} ﬁsh",
        "สวัสดีครับ",
        "한국어 문장",
        "naïve Straße",
    ];
    tenant
        .put(
            (1..)
                .zip(texts)
                .map(|(number, text)| tenant.message((1, number), text)),
        )
        .await;
    for (query, number) in [
        ("🚀", 1),
        ("🎉", 1),
        ("\"🚀🎉\"", 1),
        ("❤", 2),
        ("👨‍👩‍👧", 2),
        ("🇩🇪", 2),
        ("שלום", 3),
        ("עולם", 3),
        ("مرحبا", 4),
        ("بالعال", 4),
        ("東京", 5),
        ("タワー", 5),
        ("京東", 6),
        ("οδος", 7),
        ("ελλαδα", 7),
        ("CAFÉ", 8),
        ("fish", 8),
        ("สวัสดี", 9),
        ("한국어", 10),
        ("STRAßE", 11),
        ("naive", 11),
    ] {
        tenant.expect(query, &[(1, number)]).await;
    }
}

/// Compares the engine with `Query::matches` on texts of a small vocabulary in which most words are
/// prefixes or mistypings of others.
pub async fn it_finds_exactly_what_the_rules_say(search: Arc<dyn Search>) {
    const WORDS: [&str; 24] = [
        "a", "ab", "abc", "acb", "abcd", "abdc", "abcdef", "abcdfe", "bacdef", "abxxef",
        "abcdefgh", "kern", "kernel", "kernels", "kenrel", "kernal", "karnel", "vernel", "日",
        "本", "日本", "🚀", "é", "été",
    ];
    let tenant = Tenant::new(&search);
    let mut random = Random(7);
    let texts: Vec<String> = (0..150).map(|_| random.words(&WORDS, 6)).collect();
    tenant
        .put(
            (1..)
                .zip(&texts)
                .map(|(number, text)| tenant.message((1, number), text)),
        )
        .await;
    for _ in 0..250 {
        let mut query = random.words(&WORDS, 2);
        match random.below(4) {
            0 => query = format!("\"{query}\""),
            1 => query = format!("{} -{query}", random.words(&WORDS, 1)),
            _ => {}
        }
        let parsed = Query::parse(&query).expect("made of words");
        let fits = |text: &String| parsed.matches(&words(text).split(' ').collect::<Vec<_>>());
        let expected = (1..)
            .zip(&texts)
            .filter(|(_, text)| fits(text))
            .map(|(number, _)| (1, number))
            .collect();
        let request = SearchRequest {
            limit: 200,
            ..tenant.request(&query)
        };
        let found = || async {
            tenant
                .places(&request)
                .await
                .into_iter()
                .collect::<BTreeSet<Place>>()
        };
        eventually(&query, expected, found).await;
    }
}

/// A sequence of numbers that is the same in every run (Knuth's MMIX generator).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    /// One to `most` words.
    fn words(&mut self, from: &[&str], most: usize) -> String {
        let words: Vec<&str> = (0..=self.below(most))
            .map(|_| from[self.below(from.len())])
            .collect();
        words.join(" ")
    }
}
