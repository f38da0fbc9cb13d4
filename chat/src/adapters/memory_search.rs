//! A search index in memory that reads every document for every query: the rules of `ops::search` and
//! nothing else. It is what faster engines are compared with, and good for small tests.

use crate::error::Result;
use crate::model::{ChatKey, MessageKey, TenantId, Uid};
use crate::ops::search::{Closeness, Query};
use crate::ports::{
    Digest, Hit, Hits, IndexDocument, IndexEntry, IndexWrite, Search, SearchRequest, Sort,
};
use async_trait::async_trait;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub struct MemorySearch {
    /// A removed document leaves its entry behind.
    documents: Mutex<HashMap<Uid, IndexWrite>>,
}

impl MemorySearch {
    fn documents(&self) -> MutexGuard<'_, HashMap<Uid, IndexWrite>> {
        // No write stops half-way, so a panic of another holder leaves nothing broken behind.
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn visible<T>(&self, map: impl FnMut(&IndexDocument) -> Option<T>) -> Vec<T> {
        let documents = self.documents();
        let visible = documents.values().filter_map(|write| match write {
            IndexWrite::Put(document) => Some(document),
            IndexWrite::Remove(_) => None,
        });
        visible.filter_map(map).collect()
    }
}

#[async_trait]
impl Search for MemorySearch {
    async fn write(&self, writes: &[IndexWrite]) -> Result<Vec<Result<()>>> {
        let mut documents = self.documents();
        for write in writes {
            let entry = write.entry();
            if documents
                .get(&entry.uid)
                .is_none_or(|old| old.order() < write.order())
            {
                documents.insert(entry.uid, write.clone());
            }
        }
        Ok(writes.iter().map(|_| Ok(())).collect())
    }

    async fn query(&self, request: &SearchRequest) -> Result<Hits> {
        let mut hits = self.visible(|document| {
            let tokens: Vec<&str> = document.words.split(' ').collect();
            let wanted =
                in_scope(document, request.tenant, request) && request.query.matches(&tokens);
            wanted.then(|| Hit {
                key: document.entry.key,
                score: score(&request.query, &tokens),
            })
        });
        match request.sort {
            Sort::Number => hits.sort_by_key(|hit| hit.key),
            Sort::Relevance => {
                hits.sort_by(|a, b| {
                    b.score
                        .total_cmp(&a.score)
                        .then(Reverse(a.key).cmp(&Reverse(b.key)))
                });
            }
        }
        let total = hits.len() as u64;
        let hits = hits
            .into_iter()
            .skip(request.offset as usize)
            .take(request.limit as usize)
            .collect();
        Ok(Hits {
            total: total.min(Hits::MAX_TOTAL),
            total_capped: total > Hits::MAX_TOTAL,
            hits,
        })
    }

    async fn version(&self, key: MessageKey, uid: Uid) -> Result<Option<u64>> {
        match self.documents().get(&uid) {
            Some(IndexWrite::Put(document)) if document.entry.key == key => {
                Ok(Some(document.entry.version))
            }
            _ => Ok(None),
        }
    }

    async fn digests(&self, after: Option<ChatKey>, limit: u32) -> Result<Vec<(ChatKey, Digest)>> {
        let mut digests: BTreeMap<ChatKey, Digest> = BTreeMap::new();
        for entry in self.visible(|document| Some(document.entry)) {
            if after.is_none_or(|after| entry.key.chat > after) {
                digests
                    .entry(entry.key.chat)
                    .or_default()
                    .add(entry.uid, entry.version);
            }
        }
        Ok(digests.into_iter().take(limit as usize).collect())
    }

    async fn entries(&self, chat: ChatKey, after: u64, limit: u32) -> Result<Vec<IndexEntry>> {
        let mut entries = self.visible(|document| {
            let key = document.entry.key;
            (key.chat == chat && key.number.get() > after).then_some(document.entry)
        });
        entries.sort_by_key(|entry| (entry.key, entry.uid));
        entries.truncate(limit as usize);
        Ok(entries)
    }

    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}

fn in_scope(document: &IndexDocument, tenant: TenantId, request: &SearchRequest) -> bool {
    let IndexDocument {
        entry,
        words: _,
        author,
        created_at,
    } = document;
    entry.key.chat.app == tenant.app()
        && request
            .chat
            .is_none_or(|chat| entry.key.chat.number == chat)
        && request
            .author
            .as_ref()
            .is_none_or(|wanted| author.as_ref() == Some(wanted))
        && request.since.is_none_or(|since| *created_at >= since)
        && request.until.is_none_or(|until| *created_at < until)
}

/// The closest token counts for each term; a phrase counts as if it were equal.
fn score(query: &Query, tokens: &[&str]) -> f32 {
    let of_term = |closest: Option<Closeness>| match closest {
        Some(Closeness::Equal) => 4.0,
        Some(Closeness::Prefix) => 2.0,
        Some(Closeness::Typo(_)) => 1.0,
        None => 0.0,
    };
    let terms = query.terms().iter().map(|term| {
        of_term(
            tokens
                .iter()
                .filter_map(|token| term.closeness(token))
                .min(),
        )
    });
    terms
        .chain(
            query
                .phrases()
                .iter()
                .map(|_| of_term(Some(Closeness::Equal))),
        )
        .sum()
}
