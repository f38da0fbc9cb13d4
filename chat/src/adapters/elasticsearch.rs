//! `Search` on Elasticsearch 8 and 9, with core features only: no scripts, no plugins, no server-side copies.
//!
//! Programs speak to an alias, `<prefix>-messages`, so that the index behind it can be built anew while they
//! run. What is written is versioned, so order and repetition do not matter; a removed message leaves a
//! tombstone. Answers are bounded in time and in bytes, and a part of an answer is never taken for all of it.
//!
//! `server` speaks HTTP, `schema` says what a document looks like, `bulk` writes, `find` asks, `compare`
//! tells what is there, `alias` puts these four together, `indices` makes, swaps and removes indices.

mod alias;
mod bulk;
mod compare;
mod find;
mod indices;
mod names;
mod schema;
mod server;

use crate::adapters::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::model::{ChatKey, MessageKey, Millis, Problem, Uid};
use crate::ports::{
    Digest, Hits, IndexEntry, IndexWrite, NewIndex, Rebuild, Search, SearchRequest,
};
use alias::{Alias, Written};
use async_trait::async_trait;
use indices::Indices;
use names::Names;
use server::Server;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a writer looks whether an index is being built beside the one in use.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// So many looks later everybody has looked, also who was slow at it.
const LOOKS_UNTIL_SEEN: u32 = 3;

/// Cheap to clone.
#[derive(Clone)]
pub struct ElasticIndex {
    inner: Arc<Inner>,
    look_every: Duration,
}

struct Inner {
    server: Arc<Server>,
    in_use: Alias,
    next: Alias,
    indices: Indices,
    looked: Mutex<Option<Look>>,
}

/// Whether there was an index under way, and when that was asked.
#[derive(Clone, Copy)]
struct Look {
    at: Instant,
    next_is_there: bool,
}

impl ElasticIndex {
    /// Nothing is asked of the server yet. `prefix` starts the names of all indices and aliases. `Invalid`
    /// for a prefix that cannot start one, for an address that is none, and for one without TLS where
    /// TLS is demanded.
    pub fn open(endpoint: &Endpoint, prefix: &str) -> Result<Self> {
        let names = Names::new(prefix).ok_or_else(|| {
            let problem = format!("{prefix:?} cannot start the name of an index");
            let fix = "use 1 to 40 lower case letters, digits and dashes, a letter first";
            Error::invalid("index prefix", Problem::new(problem, fix))
        })?;
        let server = Arc::new(Server::new(endpoint)?);
        Ok(Self {
            inner: Arc::new(Inner {
                in_use: Alias::new(server.clone(), names.in_use()),
                next: Alias::new(server.clone(), names.next()),
                indices: Indices::new(server.clone(), names),
                server,
                looked: Mutex::new(None),
            }),
            look_every: LOOK_EVERY,
        })
    }

    /// For tests that cannot wait. All who write to one index must look equally often.
    #[cfg(feature = "conformance")]
    pub fn looking_every(self, look_every: Duration) -> Self {
        Self { look_every, ..self }
    }

    /// Makes an empty index unless there is one. Many may do so at once, and any number of times.
    pub async fn ensure(&self) -> Result<()> {
        self.inner.indices.ensure().await
    }
}

impl Inner {
    fn looked(&self) -> MutexGuard<'_, Option<Look>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As it was at most `look_every` ago.
    async fn next_is_there(&self, look_every: Duration) -> Result<bool> {
        let known = *self.looked();
        match known {
            Some(look) if look.at.elapsed() < look_every => Ok(look.next_is_there),
            _ => {
                let at = Instant::now();
                let next_is_there = self.indices.next_is_there().await?;
                *self.looked() = Some(Look { at, next_is_there });
                Ok(next_is_there)
            }
        }
    }

    /// Into the index under way first: when that one is put into use in between, it has the writes already.
    async fn write_next(
        &self,
        writes: &[IndexWrite],
        look_every: Duration,
    ) -> Result<Option<Vec<Result<()>>>> {
        if !self.next_is_there(look_every).await? {
            return Ok(None);
        }
        match self.next.write(writes).await? {
            Written::Each(results) => Ok(Some(results)),
            // Put into use or given up since.
            Written::NoIndex => {
                *self.looked() = None;
                Ok(None)
            }
        }
    }

    async fn write_in_use(&self, writes: &[IndexWrite]) -> Result<Vec<Result<()>>> {
        if let Written::Each(results) = self.in_use.write(writes).await? {
            return Ok(results);
        }
        tracing::warn!(
            index = self.in_use.name(),
            "the search index is missing and is made anew, empty"
        );
        self.indices.ensure().await?;
        match self.in_use.write(writes).await? {
            Written::Each(results) => Ok(results),
            Written::NoIndex => Err(self.in_use.missing()),
        }
    }
}

#[async_trait]
impl Search for ElasticIndex {
    async fn write(&self, writes: &[IndexWrite]) -> Result<Vec<Result<()>>> {
        let next = self.inner.write_next(writes, self.look_every).await?;
        let in_use = self.inner.write_in_use(writes).await?;
        Ok(match next {
            Some(next) => in_use
                .into_iter()
                .zip(next)
                .map(|(a, b)| a.and(b))
                .collect(),
            None => in_use,
        })
    }

    async fn query(&self, request: &SearchRequest) -> Result<Hits> {
        self.inner.in_use.query(request).await
    }

    async fn version(&self, key: MessageKey, uid: Uid) -> Result<Option<u64>> {
        self.inner.in_use.version(key, uid).await
    }

    async fn digests(&self, after: Option<ChatKey>, limit: u32) -> Result<Vec<(ChatKey, Digest)>> {
        self.inner.in_use.digests(after, limit).await
    }

    async fn entries(&self, chat: ChatKey, after: u64, limit: u32) -> Result<Vec<IndexEntry>> {
        self.inner.in_use.entries(chat, after, limit).await
    }

    /// `Unavailable` when the server does not answer, refuses, or has no index in use.
    async fn ready(&self) -> Result<()> {
        self.inner.in_use.ready().await
    }
}

#[async_trait]
impl Rebuild for ElasticIndex {
    async fn begin(&self) -> Result<NewIndex> {
        let name = self.inner.indices.begin().await?;
        let next = Alias::new(self.inner.server.clone(), self.inner.next.name().to_owned());
        Ok(NewIndex {
            name,
            search: Arc::new(next),
        })
    }

    fn lead(&self) -> Duration {
        self.look_every * LOOKS_UNTIL_SEEN
    }

    async fn finish(&self, name: &str) -> Result<()> {
        self.inner.indices.finish(name).await
    }

    async fn give_up(&self) -> Result<()> {
        self.inner.indices.give_up().await
    }

    async fn sweep(&self, now: Millis) -> Result<u32> {
        self.inner.indices.sweep(now).await
    }

    async fn size(&self) -> Result<u64> {
        self.inner.in_use.size().await
    }

    async fn unfilled(&self) -> Result<Option<String>> {
        self.inner.indices.unfilled().await
    }

    async fn filled(&self, name: &str) -> Result<()> {
        self.inner.indices.filled(name).await
    }
}
