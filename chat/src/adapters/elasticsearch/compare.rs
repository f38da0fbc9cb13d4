//! Tells what the index holds, so that it can be compared with the store.
//!
//! Counting and hashing is done where the documents are: per chat a digest comes back, not its messages. Chats
//! come in the order of their terms, page by page, and the server ends a page as soon as it is full.

use super::schema::{CHAT, HASH, NUMBER, chat_of, chat_term, version_of};
use crate::model::{ChatKey, MessageKey, Number, Uid};
use crate::ports::{Digest, IndexEntry};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The document of this message, unless it is a tombstone.
pub(super) fn version(key: MessageKey, uid: Uid) -> Value {
    let filter = json!([
        { "ids": { "values": [uid] } },
        { "term": { CHAT: chat_term(key.chat) } },
        { "term": { NUMBER: key.number } },
    ]);
    json!({
        "query": { "bool": { "filter": filter } },
        "size": 1,
        "version": true,
        "track_total_hits": false,
    })
}

pub(super) fn entries(chat: ChatKey, after: u64, limit: u32) -> Value {
    let filter = json!([
        { "term": { CHAT: chat_term(chat) } },
        { "range": { NUMBER: { "gt": after } } },
    ]);
    json!({
        "query": { "bool": { "filter": filter } },
        "sort": [{ NUMBER: "asc" }],
        "size": limit,
        "version": true,
        "track_total_hits": false,
    })
}

pub(super) fn digests(after: Option<ChatKey>, limit: u32) -> Value {
    let mut chats = json!({ "size": limit, "sources": [{ CHAT: { "terms": { "field": CHAT } } }] });
    if let Some(after) = after {
        chats["after"] = json!({ CHAT: chat_term(after) });
    }
    let sum = |part: &str| (part.to_owned(), json!({ "sum": { "field": part } }));
    let sums: Map<String, Value> = HASH.into_iter().map(sum).collect();
    json!({
        "size": 0,
        "track_total_hits": false,
        "aggs": { "chats": { "composite": chats, "aggs": sums } },
    })
}

/// Every message, and no tombstone.
pub(super) fn all() -> Value {
    json!({ "query": { "exists": { "field": CHAT } } })
}

#[derive(Deserialize)]
pub(super) struct Counted {
    count: u64,
}

impl Counted {
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

#[derive(Deserialize)]
pub(super) struct Listed {
    timed_out: bool,
    hits: ListedHits,
}

#[derive(Deserialize)]
struct ListedHits {
    hits: Vec<ListedHit>,
}

#[derive(Deserialize)]
struct ListedHit {
    #[serde(rename = "_id")]
    uid: Uid,
    #[serde(rename = "_version")]
    order: u64,
    #[serde(default)]
    sort: Vec<u64>,
}

impl Listed {
    /// `None` for an answer that is not whole.
    pub(super) fn version(&self) -> Option<Option<u64>> {
        let version = self.hits.hits.first().map(|hit| version_of(hit.order));
        (!self.timed_out).then_some(version)
    }

    /// `None` for an answer that is not whole.
    pub(super) fn entries(&self, chat: ChatKey) -> Option<Vec<IndexEntry>> {
        let entry = |hit: &ListedHit| {
            Some(IndexEntry {
                key: chat.message(Number::new(*hit.sort.first()?)?),
                uid: hit.uid,
                version: version_of(hit.order),
            })
        };
        let mut entries: Vec<IndexEntry> =
            self.hits.hits.iter().map(entry).collect::<Option<_>>()?;
        entries.sort_unstable_by_key(|entry| (entry.key, entry.uid));
        (!self.timed_out).then_some(entries)
    }
}

#[derive(Deserialize)]
pub(super) struct Digested {
    timed_out: bool,
    aggregations: Aggregations,
}

#[derive(Deserialize)]
struct Aggregations {
    chats: Buckets,
}

#[derive(Deserialize)]
struct Buckets {
    buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    key: Key,
    doc_count: u64,
    hash_0: Sum,
    hash_1: Sum,
    hash_2: Sum,
    hash_3: Sum,
}

#[derive(Deserialize)]
struct Key {
    chat: String,
}

#[derive(Deserialize)]
struct Sum {
    value: f64,
}

impl Digested {
    /// `None` for an answer that is not whole.
    pub(super) fn digests(&self) -> Option<Vec<(ChatKey, Digest)>> {
        let buckets = self.aggregations.chats.buckets.iter();
        let digests = buckets.map(|bucket| Some((chat_of(&bucket.key.chat)?, bucket.digest())));
        let digests = digests.collect::<Option<_>>()?;
        (!self.timed_out).then_some(digests)
    }
}

impl Bucket {
    fn digest(&self) -> Digest {
        let parts = [&self.hash_0, &self.hash_1, &self.hash_2, &self.hash_3];
        let hash = (0..).zip(parts).fold(0u64, |hash, (place, part)| {
            hash.wrapping_add(whole(part.value).wrapping_shl(16 * place))
        });
        Digest {
            count: self.doc_count,
            hash,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a sum of numbers from 0 to 65,535 is whole and not negative"
)]
fn whole(sum: f64) -> u64 {
    sum as u64
}
