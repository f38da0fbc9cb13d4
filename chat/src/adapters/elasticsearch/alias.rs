//! `Search` on whatever index an alias names, without making one.

use super::bulk::{self, Answered, Bulk, bulks};
use super::compare::{self, Counted, Digested, Listed};
use super::find::{self, Found};
use super::schema::routing;
use super::server::{Body, PATIENCE, SEARCH_PATIENCE, Server};
use crate::error::{Error, Result};
use crate::model::{AppId, ChatKey, MessageKey, Uid};
use crate::ports::{Digest, Hits, IndexEntry, IndexWrite, Search, SearchRequest};
use async_trait::async_trait;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Chats whose digests are asked for at a time, at most and at first.
const MAX_DIGESTS: u32 = 1_000;
/// One chat may be as large as all others together, and its digest is made by reading it.
const DIGEST_PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Alias {
    server: Arc<Server>,
    name: String,
    /// How many digests the server made in time: fewer after it did not, more after it did.
    digests: AtomicU32,
}

/// What became of some writes.
pub(super) enum Written {
    /// One result each, in order.
    Each(Vec<Result<()>>),
    /// The alias names no index; the writes may be in one that it named before.
    NoIndex,
}

impl Alias {
    pub(super) fn new(server: Arc<Server>, name: String) -> Self {
        Self {
            server,
            name,
            digests: AtomicU32::new(MAX_DIGESTS),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn missing(&self) -> Error {
        self.server.unavailable(&format!(
            "there is no index {}, or it was removed again and again",
            self.name
        ))
    }

    /// How many messages there are; 0 without an index.
    pub(super) async fn size(&self) -> Result<u64> {
        let path = format!("{}/_count", self.name);
        let body = Body::Json(compare::all());
        let answer = self.server.ask(Method::POST, &path, body, PATIENCE).await?;
        match answer.status {
            200 => Ok(answer.json::<Counted>()?.count()),
            404 => Ok(0),
            _ => Err(self.server.refused(&answer, "to count")),
        }
    }

    pub(super) async fn write(&self, writes: &[IndexWrite]) -> Result<Written> {
        let mut results = Vec::with_capacity(writes.len());
        for bulk in bulks(writes) {
            match self.send(writes, bulk).await? {
                Written::Each(more) => results.extend(more),
                Written::NoIndex => return Ok(Written::NoIndex),
            }
        }
        Ok(Written::Each(results))
    }

    /// Sends one request, or two of half its size when it is too large for the server, and so on.
    async fn send(&self, writes: &[IndexWrite], bulk: Bulk) -> Result<Written> {
        let mut results = Vec::with_capacity(bulk.writes.len());
        // The last one is the next.
        let mut waiting = vec![bulk];
        while let Some(Bulk {
            writes: range,
            body,
        }) = waiting.pop()
        {
            // An index that came to be by itself would have none of our mapping, hence `require_alias`.
            let path = format!("{}/_bulk?require_alias=true&{}", self.name, bulk::FILTER);
            let answer = self
                .server
                .ask(Method::POST, &path, Body::Lines(body), PATIENCE)
                .await?;
            match answer.status {
                200 => {
                    let items = answer.json::<Answered>()?.items;
                    if items.len() != range.len() {
                        return Err(self.server.unavailable("it answers for other documents"));
                    }
                    if items.iter().any(bulk::Item::has_no_index) {
                        return Ok(Written::NoIndex);
                    }
                    results.extend(items.iter().map(bulk::Item::result));
                }
                404 => return Ok(Written::NoIndex),
                413 if range.len() == 1 => results.push(Err(bulk::refused("it is too large"))),
                413 => {
                    let middle = range.start + range.len() / 2;
                    for half in [middle..range.end, range.start..middle] {
                        let bulks = bulks(&writes[half.clone()]).into_iter().rev();
                        waiting.extend(bulks.map(|bulk| Bulk {
                            writes: half.start + bulk.writes.start..half.start + bulk.writes.end,
                            body: bulk.body,
                        }));
                    }
                }
                _ => return Err(self.server.refused(&answer, "a bulk of documents")),
            }
        }
        Ok(Written::Each(results))
    }

    async fn digests_of(
        &self,
        after: Option<ChatKey>,
        chats: u32,
    ) -> Result<Vec<(ChatKey, Digest)>> {
        let body = compare::digests(after, chats);
        let digested: Digested = self.search(None, body, DIGEST_PATIENCE).await?;
        half_done(digested.digests())
    }

    /// A part of the shards is not an answer, and neither is a part of the time.
    async fn search<T: DeserializeOwned>(
        &self,
        app: Option<AppId>,
        body: Value,
        patience: Duration,
    ) -> Result<T> {
        let routing = app.map_or(String::new(), |app| {
            let app = routing(app);
            // One copy of a shard for a tenant: copies may differ by a moment, and pages must not.
            format!("&routing={app}&preference={app}")
        });
        let path = format!(
            "{}/_search?allow_partial_search_results=false{routing}",
            self.name
        );
        let answer = self
            .server
            .ask(Method::POST, &path, Body::Json(body), patience)
            .await?;
        if !answer.is_success() {
            return Err(self.server.refused(&answer, "a search"));
        }
        answer.json()
    }
}

fn half_done<T>(whole: Option<T>) -> Result<T> {
    whole.ok_or_else(|| Error::Busy("the index answered only in part".to_owned()))
}

#[async_trait]
impl Search for Alias {
    async fn write(&self, writes: &[IndexWrite]) -> Result<Vec<Result<()>>> {
        match Alias::write(self, writes).await? {
            Written::Each(results) => Ok(results),
            Written::NoIndex => Err(self.missing()),
        }
    }

    async fn query(&self, request: &SearchRequest) -> Result<Hits> {
        let app = Some(request.tenant.app());
        let found: Found = self
            .search(app, find::search(request), SEARCH_PATIENCE)
            .await?;
        half_done(found.hits(request))
    }

    async fn version(&self, key: MessageKey, uid: Uid) -> Result<Option<u64>> {
        let body = compare::version(key, uid);
        let listed: Listed = self
            .search(Some(key.chat.app), body, SEARCH_PATIENCE)
            .await?;
        half_done(listed.version())
    }

    async fn digests(&self, after: Option<ChatKey>, limit: u32) -> Result<Vec<(ChatKey, Digest)>> {
        loop {
            let chats = self.digests.load(Ordering::Relaxed);
            match self.digests_of(after, limit.min(chats)).await {
                Err(Error::Busy(_)) if chats > 1 => {
                    self.digests.store((chats / 8).max(1), Ordering::Relaxed);
                }
                done => {
                    let more = (chats * 2).min(MAX_DIGESTS);
                    self.digests.store(more, Ordering::Relaxed);
                    return done;
                }
            }
        }
    }

    async fn entries(&self, chat: ChatKey, after: u64, limit: u32) -> Result<Vec<IndexEntry>> {
        let body = compare::entries(chat, after, limit);
        let listed: Listed = self.search(Some(chat.app), body, PATIENCE).await?;
        half_done(listed.entries(chat))
    }

    async fn ready(&self) -> Result<()> {
        let nothing = json!({ "size": 0, "query": { "match_none": {} } });
        let _: Value = self.search(None, nothing, SEARCH_PATIENCE).await?;
        Ok(())
    }
}
