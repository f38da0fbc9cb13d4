//! What every `Search` promises, one function per promise.
//!
//! Each function takes an index that others may be using too, and works in tenants of its own. Results are
//! awaited, because an engine may show a write only after a moment.

mod contents;
mod matching;
mod pages;
mod rebuilding;
mod scope;
mod versions;

pub use contents::*;
pub use matching::*;
pub use pages::*;
pub use rebuilding::*;
pub use scope::*;
pub use versions::*;

use super::fixture::again;
use crate::model::{AppId, ChatKey, Millis, Number, TenantId, Uid};
use crate::ops::search::{Query, words};
use crate::ports::{
    Digest, Hits, IndexDocument, IndexEntry, IndexWrite, Search, SearchRequest, Sort,
};
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
        again(|| self.search.query(request)).await
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
