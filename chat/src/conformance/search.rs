//! What every `Search` promises, one function per promise.
//!
//! Each function takes an index that others may be using too, and works in tenants of its own. Results are
//! awaited, because an engine may show a write only after a moment.

use crate::model::{AppId, ChatKey, Millis, Number, TenantId, Uid};
use crate::ops::search::{Query, words};
use crate::ports::{
    Digest, Hits, IndexDocument, IndexEntry, IndexWrite, Search, SearchRequest, Sort,
};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a write may stay invisible before a promise counts as broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// A chat and a number in it.
type Place = (u64, u64);

/// A tenant nobody used before, and short ways to write and search for it.
struct Tenant {
    search: Arc<dyn Search>,
    id: TenantId,
}

impl Tenant {
    fn new(search: &Arc<dyn Search>) -> Self {
        let app = AppId::from_random(rand::random());
        Self {
            search: search.clone(),
            id: TenantId::authenticated(app),
        }
    }

    fn chat(&self, number: u64) -> ChatKey {
        ChatKey {
            app: self.id.app(),
            number: number_of(number),
        }
    }

    /// A message nobody wrote before, in version 1, created in the second of its number.
    fn message(&self, (chat, number): Place, text: &str) -> IndexDocument {
        let key = self.chat(chat).message(number_of(number));
        let entry = IndexEntry {
            key,
            uid: Uid::from_digest(rand::random()),
            version: 1,
        };
        let seconds = i64::try_from(number).expect("numbers in these tests are small");
        IndexDocument {
            entry,
            words: words(text),
            author: None,
            created_at: Millis::new(seconds * 1000),
        }
    }

    async fn write(&self, writes: &[IndexWrite]) {
        let results = self
            .search
            .write(writes)
            .await
            .expect("the index takes writes");
        assert_eq!(results.len(), writes.len(), "one result per write");
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }

    async fn put(&self, messages: impl IntoIterator<Item = IndexDocument>) {
        let writes: Vec<IndexWrite> = messages.into_iter().map(IndexWrite::Put).collect();
        self.write(&writes).await;
    }

    fn request(&self, query: &str) -> SearchRequest {
        let query = Query::parse(query).expect("queries in these tests are valid");
        let (tenant, sort) = (self.id, Sort::Number);
        SearchRequest {
            tenant,
            chat: None,
            query,
            author: None,
            since: None,
            until: None,
            sort,
            offset: 0,
            limit: 100,
        }
    }

    async fn ask(&self, request: &SearchRequest) -> Hits {
        self.search.query(request).await.expect("the index answers")
    }

    async fn places(&self, request: &SearchRequest) -> Vec<Place> {
        let hits = self.ask(request).await.hits;
        assert!(
            hits.iter().all(|hit| hit.key.chat.app == self.id.app()),
            "a foreign hit: {hits:?}"
        );
        hits.iter()
            .map(|hit| (hit.key.chat.number.get(), hit.key.number.get()))
            .collect()
    }

    async fn expect_places(&self, request: SearchRequest, expected: &[Place]) {
        eventually(&format!("{request:?}"), expected.to_vec(), || {
            self.places(&request)
        })
        .await;
    }

    async fn expect(&self, query: &str, expected: &[Place]) {
        self.expect_places(self.request(query), expected).await;
    }

    async fn entries(&self, chat: u64) -> Vec<IndexEntry> {
        self.search
            .entries(self.chat(chat), 0, 1000)
            .await
            .expect("the index lists")
    }

    /// Digests of this tenant's chats.
    async fn digests(&self) -> Vec<(ChatKey, Digest)> {
        let before = AppId::from_stored(self.id.app().get() - 1);
        let before = ChatKey {
            app: before,
            number: Number::MAX,
        };
        let digests = self
            .search
            .digests(Some(before), 100)
            .await
            .expect("the index compares");
        digests
            .into_iter()
            .take_while(|(chat, _)| chat.app == self.id.app())
            .collect()
    }
}

async fn eventually<T: PartialEq + Debug, F: Future<Output = T>>(
    what: &str,
    expected: T,
    probe: impl Fn() -> F,
) {
    let start = Instant::now();
    loop {
        let now = probe().await;
        if now == expected {
            return;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "{what}: {now:?} instead of {expected:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn number_of(number: u64) -> Number {
    Number::new(number).expect("numbers in these tests are in range")
}

fn edited(message: &IndexDocument, version: u64, text: &str) -> IndexDocument {
    let entry = IndexEntry {
        version,
        ..message.entry
    };
    IndexDocument {
        entry,
        words: words(text),
        ..message.clone()
    }
}

fn removed(message: &IndexDocument, version: u64) -> IndexWrite {
    IndexWrite::Remove(IndexEntry {
        version,
        ..message.entry
    })
}

fn digest_of(entries: &[IndexEntry]) -> Digest {
    let mut digest = Digest::default();
    entries
        .iter()
        .for_each(|entry| digest.add(entry.uid, entry.version));
    digest
}

pub async fn what_was_put_is_found_and_told(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let message = tenant.message((3, 7), "Hello, brave new world!");
    tenant.put([message.clone()]).await;
    tenant.expect("brave", &[(3, 7)]).await;
    assert_eq!(
        search
            .version(message.entry.key, message.entry.uid)
            .await
            .expect("answers"),
        Some(1)
    );
    assert_eq!(tenant.entries(3).await, [message.entry]);
    assert_eq!(
        tenant.digests().await,
        [(tenant.chat(3), digest_of(&[message.entry]))]
    );
    search
        .ready()
        .await
        .expect("an index that just answered is ready");
}

pub async fn what_was_removed_is_found_and_told_nowhere(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let [gone, stays] = [(1, 1), (1, 2)].map(|place| tenant.message(place, "word"));
    let never = tenant.message((2, 1), "word");
    tenant.put([gone.clone(), stays.clone()]).await;
    tenant.expect("word", &[(1, 1), (1, 2)]).await;
    tenant.write(&[removed(&gone, 2), removed(&never, 5)]).await;
    tenant.expect("word", &[(1, 2)]).await;
    for message in [&gone, &never] {
        assert_eq!(
            search
                .version(message.entry.key, message.entry.uid)
                .await
                .expect("answers"),
            None
        );
    }
    assert_eq!(tenant.entries(1).await, [stays.entry]);
    assert_eq!(tenant.entries(2).await, []);
    assert_eq!(
        tenant.digests().await,
        [(tenant.chat(1), digest_of(&[stays.entry]))]
    );
}

pub async fn a_lower_version_never_replaces_a_higher_one(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    let mut edits = Vec::new();
    for (number, order) in (1..).zip(orders) {
        let message = tenant.message((1, number), "first");
        let last = edited(&message, 3, "third");
        let writes = [
            IndexWrite::Put(message.clone()),
            IndexWrite::Put(edited(&message, 2, "second")),
            IndexWrite::Put(last.clone()),
        ];
        for index in order {
            tenant.write(&writes[index..=index]).await;
        }
        edits.push(last.entry);
    }
    let mut removals = Vec::new();
    for (number, order) in (7..).zip(orders) {
        let message = tenant.message((1, number), "first");
        let writes = [
            IndexWrite::Put(message.clone()),
            IndexWrite::Put(edited(&message, 2, "second")),
            removed(&message, 3),
        ];
        for index in order {
            tenant.write(&writes[index..=index]).await;
        }
        removals.push(message.entry);
    }
    tenant
        .expect("third", &[(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (1, 6)])
        .await;
    tenant.expect("first", &[]).await;
    tenant.expect("second", &[]).await;
    assert_eq!(tenant.entries(1).await, edits);
    for entry in removals {
        assert_eq!(
            search.version(entry.key, entry.uid).await.expect("answers"),
            None
        );
    }
}

pub async fn a_removal_can_be_followed_by_a_higher_version(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let message = tenant.message((1, 1), "first");
    tenant.write(&[removed(&message, 2)]).await;
    tenant.put([message.clone()]).await;
    tenant.put([edited(&message, 3, "third")]).await;
    tenant.expect("third", &[(1, 1)]).await;
    tenant.expect("first", &[]).await;
}

pub async fn of_the_same_version_the_removal_stays(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let [before, after, other] =
        [(1, 1), (1, 2), (1, 3)].map(|place| tenant.message(place, "word"));
    tenant.write(&[removed(&after, 1)]).await;
    tenant.put([before.clone(), after, other]).await;
    tenant.write(&[removed(&before, 1)]).await;
    tenant.expect("word", &[(1, 3)]).await;
}

pub async fn one_batch_may_hold_a_message_many_times(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let [edit, remove] = [(1, 1), (1, 2)].map(|place| tenant.message(place, "first"));
    tenant
        .write(&[
            IndexWrite::Put(edited(&edit, 2, "second")),
            IndexWrite::Put(edit.clone()),
            removed(&remove, 2),
            IndexWrite::Put(remove.clone()),
            IndexWrite::Put(edited(&edit, 2, "second")),
        ])
        .await;
    tenant.expect("second", &[(1, 1)]).await;
    tenant.expect("first", &[]).await;
    assert_eq!(tenant.entries(1).await.len(), 1);
    tenant.write(&[]).await;
}

pub async fn no_tenant_finds_what_another_wrote(search: Arc<dyn Search>) {
    let [mine, other] = [Tenant::new(&search), Tenant::new(&search)];
    mine.put([mine.message((1, 1), "shared word")]).await;
    other
        .put([
            other.message((1, 1), "shared secret"),
            other.message((1, 2), "secrets shared"),
        ])
        .await;
    for query in [
        "secret",
        "secre",
        "secrte",
        "\"shared secret\"",
        "shared -word",
    ] {
        mine.expect(query, &[]).await;
    }
    other.expect("secret", &[(1, 1), (1, 2)]).await;
    mine.expect("shared", &[(1, 1)]).await;
    assert_eq!(mine.ask(&mine.request("shared")).await.total, 1);
    let foreign = other.entries(1).await[0];
    let key = mine.chat(1).message(foreign.key.number);
    assert_eq!(
        search.version(key, foreign.uid).await.expect("answers"),
        None
    );
    assert_eq!(mine.digests().await.len(), 1);
}

pub async fn a_search_within_a_chat_stays_there(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    tenant
        .put([(1, 1), (2, 1), (2, 2), (22, 1)].map(|place| tenant.message(place, "word")))
        .await;
    tenant
        .expect("word", &[(1, 1), (2, 1), (2, 2), (22, 1)])
        .await;
    let within = |chat| SearchRequest {
        chat: Some(number_of(chat)),
        ..tenant.request("word")
    };
    tenant.expect_places(within(2), &[(2, 1), (2, 2)]).await;
    tenant.expect_places(within(3), &[]).await;
    assert_eq!(tenant.ask(&within(2)).await.total, 2);
}

pub async fn author_and_time_narrow_a_search(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let by = |number, author: &str| {
        let author = Some(author.to_owned());
        IndexDocument {
            author,
            ..tenant.message((1, number), "word")
        }
    };
    tenant
        .put([
            by(1, "Ada"),
            by(2, "ada"),
            by(3, "Ada Lovelace"),
            tenant.message((1, 4), "word Ada"),
        ])
        .await;
    tenant
        .expect("word", &[(1, 1), (1, 2), (1, 3), (1, 4)])
        .await;
    let word = || tenant.request("word");
    let moment = |millis| Some(Millis::new(millis));
    let author = |name: &str| SearchRequest {
        author: Some(name.to_owned()),
        ..word()
    };
    tenant.expect_places(author("Ada"), &[(1, 1)]).await;
    tenant
        .expect_places(author("Ada Lovelace"), &[(1, 3)])
        .await;
    tenant.expect_places(author("Lovelace"), &[]).await;
    tenant
        .expect_places(
            SearchRequest {
                since: moment(2000),
                ..word()
            },
            &[(1, 2), (1, 3), (1, 4)],
        )
        .await;
    tenant
        .expect_places(
            SearchRequest {
                until: moment(2000),
                ..word()
            },
            &[(1, 1)],
        )
        .await;
    tenant
        .expect_places(
            SearchRequest {
                since: moment(1001),
                until: moment(3001),
                ..word()
            },
            &[(1, 2), (1, 3)],
        )
        .await;
    tenant
        .expect_places(
            SearchRequest {
                since: moment(9000),
                ..author("Ada")
            },
            &[],
        )
        .await;
}

pub async fn words_as_typed_come_before_longer_and_mistyped_ones(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    tenant
        .put([
            tenant.message((1, 1), "kernal panic here"),
            tenant.message((1, 2), "kernel panic here"),
            tenant.message((1, 3), "kernels panic here"),
        ])
        .await;
    let request = SearchRequest {
        sort: Sort::Relevance,
        ..tenant.request("kernel")
    };
    tenant
        .expect_places(request.clone(), &[(1, 2), (1, 3), (1, 1)])
        .await;
    let scores: Vec<f32> = tenant
        .ask(&request)
        .await
        .hits
        .iter()
        .map(|hit| hit.score)
        .collect();
    assert!(scores.is_sorted_by(|a, b| a > b), "{scores:?}");
}

pub async fn among_equals_the_newer_comes_first(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    for place in [(2, 1), (1, 3), (1, 1), (1, 2), (2, 2)] {
        tenant.put([tenant.message(place, "equal words")]).await;
    }
    let newer_first = [(2, 2), (2, 1), (1, 3), (1, 2), (1, 1)];
    tenant
        .expect_places(
            SearchRequest {
                sort: Sort::Relevance,
                ..tenant.request("equal")
            },
            &newer_first,
        )
        .await;
    let ascending = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)];
    tenant
        .expect_places(
            SearchRequest {
                sort: Sort::Number,
                ..tenant.request("equal")
            },
            &ascending,
        )
        .await;
}

pub async fn pages_follow_one_another_without_gap_or_repetition(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    for part in [1..=10, 11..=25] {
        tenant
            .put(part.map(|number| tenant.message((1, number), "word")))
            .await;
    }
    let all: Vec<Place> = (1..=25).map(|number| (1, number)).collect();
    tenant.expect("word", &all).await;
    for sort in [Sort::Number, Sort::Relevance] {
        let mut seen = Vec::new();
        for page in 0..4 {
            let request = SearchRequest {
                sort,
                offset: page * 7,
                limit: 7,
                ..tenant.request("word")
            };
            assert_eq!(tenant.ask(&request).await.total, 25);
            seen.extend(tenant.places(&request).await);
        }
        seen.sort_unstable();
        assert_eq!(seen, all);
    }
    let beyond = SearchRequest {
        offset: 900,
        ..tenant.request("word")
    };
    let Hits {
        total,
        total_capped,
        hits,
    } = tenant.ask(&beyond).await;
    assert_eq!((total, total_capped, hits), (25, false, vec![]));
}

pub async fn hits_are_counted_to_a_thousand(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let request = tenant.request("word");
    let total = || async {
        let hits = tenant.ask(&request).await;
        (hits.total, hits.total_capped)
    };
    tenant
        .put((1..=1000).map(|number| tenant.message((1, number), "word")))
        .await;
    eventually("a thousand", (1000, false), total).await;
    tenant.put([tenant.message((1, 1001), "word")]).await;
    eventually("one more", (1000, true), total).await;
    let last = SearchRequest {
        offset: 990,
        limit: 10,
        ..tenant.request("word")
    };
    let expected: Vec<Place> = (991..=1000).map(|number| (1, number)).collect();
    tenant.expect_places(last, &expected).await;
}

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

pub async fn digests_are_told_page_by_page(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let mut expected = Vec::new();
    for chat in [300, 2, 1, 257] {
        let messages: Vec<_> = (1..=3)
            .map(|number| tenant.message((chat, number), "word"))
            .collect();
        let entries: Vec<_> = messages.iter().map(|message| message.entry).collect();
        expected.push((tenant.chat(chat), digest_of(&entries)));
        tenant.put(messages).await;
    }
    expected.sort_unstable_by_key(|(chat, _)| *chat);
    eventually("digests", expected.clone(), || tenant.digests()).await;
    let mut after = ChatKey {
        app: AppId::from_stored(tenant.id.app().get() - 1),
        number: Number::MAX,
    };
    for next in &expected {
        let page = search
            .digests(Some(after), 1)
            .await
            .expect("the index compares");
        assert_eq!(page, [*next]);
        after = next.0;
    }
}

pub async fn entries_are_told_page_by_page(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let mut messages: Vec<_> = (1..=10)
        .map(|number| tenant.message((1, number * 100), "word"))
        .collect();
    let expected: Vec<_> = messages.iter().map(|message| message.entry).collect();
    messages.reverse();
    for part in messages.chunks(4) {
        tenant.put(part.to_vec()).await;
    }
    eventually("entries", expected.clone(), || tenant.entries(1)).await;
    let page = |after, limit| search.entries(tenant.chat(1), after, limit);
    assert_eq!(page(0, 4).await.expect("the index lists"), expected[..4]);
    assert_eq!(page(400, 4).await.expect("the index lists"), expected[4..8]);
    assert_eq!(page(399, 2).await.expect("the index lists"), expected[3..5]);
    assert_eq!(page(1000, 4).await.expect("the index lists"), []);
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
