//! The search index beside the database: tantivy in a directory of its own.
//!
//! The index is disposable. It is written without asking the store, read without trusting it, and a
//! directory that cannot be read is replaced by an empty index, which the comparison at start then fills.
//! Each write is committed and visible when it returns. There is one writer; it is built when needed,
//! thrown away after an error, so a full disk is forgotten as soon as there is room again, and put to rest
//! when nothing was written for a while, because its threads hold on to tens of megabytes.
//!
//! `schema` says what a document looks like, `write` keeps versions in order, `find` and `typos` answer
//! queries, `compare` tells what the index holds. What touches files runs on a blocking thread.

mod compare;
mod find;
mod schema;
mod typos;
mod write;

use crate::error::{Error, Result};
use crate::model::{ChatKey, MessageKey, Uid};
use crate::ports::{Digest, Hits, IndexEntry, IndexWrite, Search, SearchRequest};
use async_trait::async_trait;
use schema::Fields;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tantivy::directory::MmapDirectory;
use tantivy::store::Compressor;
use tantivy::{Index, IndexReader, IndexSettings, ReloadPolicy};
use tokio::sync::Semaphore;

/// Cheap to clone.
#[derive(Clone)]
pub struct TantivyIndex {
    inner: Arc<Inner>,
    /// As many queries at once as there are cores: more would only cost memory.
    slots: Arc<Semaphore>,
}

/// When a writer that has nothing to do gives its memory back. Long enough for most merges to end.
const IDLE: Duration = Duration::from_secs(10);

struct Inner {
    fields: Fields,
    reader: IndexReader,
    writer: Mutex<write::Writer>,
    /// How many writes were begun.
    writes: AtomicU64,
    /// Why the last write failed, if it did.
    failure: Mutex<Option<String>>,
}

impl TantivyIndex {
    /// Opens the index in `dir`. A directory that is missing, damaged or of another schema becomes an
    /// empty index, with a warning for the latter two. `Unavailable` when the directory cannot be written.
    /// Blocks; reads every file once to verify its checksum.
    pub fn open(dir: &Path) -> Result<Self> {
        // tantivy panics over some truncated files.
        let existing = std::panic::catch_unwind(|| existing(dir))
            .unwrap_or_else(|_| Err("its files make no sense".to_owned()));
        let index = match existing {
            Ok(Some(index)) => index,
            Ok(None) => create(dir).map_err(unavailable)?,
            Err(reason) => {
                tracing::warn!(%reason, "the search index cannot be used and is built anew");
                std::fs::remove_dir_all(dir).map_err(unavailable)?;
                create(dir).map_err(unavailable)?
            }
        };
        let reader = reader(&index).map_err(unavailable)?;
        let inner = Arc::new(Inner {
            fields: Fields::new().0,
            reader,
            writer: Mutex::new(write::Writer::new(index)),
            writes: AtomicU64::new(0),
            failure: Mutex::new(None),
        });
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Ok(Self {
            inner,
            slots: Arc::new(Semaphore::new(cores)),
        })
    }

    /// Ends the merges that are under way. Without it they go on after the index was dropped, though tantivy
    /// has released its lock by then: a merge that ends late would undo what another writer of the same
    /// process has committed since. Merges of a large index take seconds, and a process that ends needs no
    /// such wait.
    pub async fn close(self) -> Result<()> {
        let inner = self.inner;
        blocking(move || {
            inner.writer().rest(&inner.reader);
            Ok(())
        })
        .await
    }

    async fn read<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&tantivy::Searcher, &Fields) -> tantivy::Result<T> + Send + 'static,
    {
        let slot = self
            .slots
            .clone()
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let inner = self.inner.clone();
        blocking(move || {
            let _slot = slot;
            read(&inner.reader.searcher(), &inner.fields).map_err(unavailable)
        })
        .await
    }

    /// Puts the writer to rest if this stays the last write.
    fn rest_when_idle(&self, write: u64) {
        // Whoever drops the index must not find it still open, hence not a strong reference.
        let inner = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            tokio::time::sleep(IDLE).await;
            let idle = inner
                .upgrade()
                .filter(|inner| inner.writes.load(Ordering::Relaxed) == write);
            if let Some(inner) = idle {
                tokio::task::spawn_blocking(move || inner.writer().rest(&inner.reader));
            }
        });
    }
}

impl Inner {
    fn failure(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, write::Writer> {
        self.writer.lock().unwrap_or_else(|poisoned| {
            // What a panic left half-written is forgotten with the writer.
            self.writer.clear_poison();
            let mut writer = PoisonError::into_inner(poisoned);
            writer.reset();
            writer
        })
    }
}

#[async_trait]
impl Search for TantivyIndex {
    async fn write(&self, writes: &[IndexWrite]) -> Result<Vec<Result<()>>> {
        let count = writes.len();
        let writes = writes.to_vec();
        let inner = self.inner.clone();
        let number = inner.writes.fetch_add(1, Ordering::Relaxed) + 1;
        let write = move || inner.writer().write(&inner.reader, &inner.fields, &writes);
        let written = blocking(move || write().map_err(unavailable)).await;
        *self.inner.failure() = written.as_ref().err().map(Error::to_string);
        written?;
        self.rest_when_idle(number);
        Ok((0..count).map(|_| Ok(())).collect())
    }

    async fn query(&self, request: &SearchRequest) -> Result<Hits> {
        let request = request.clone();
        self.read(move |searcher, fields| find::find(searcher, fields, &request))
            .await
    }

    async fn version(&self, key: MessageKey, uid: Uid) -> Result<Option<u64>> {
        self.read(move |searcher, fields| compare::version(searcher, fields, key, uid))
            .await
    }

    async fn digests(&self, after: Option<ChatKey>, limit: u32) -> Result<Vec<(ChatKey, Digest)>> {
        self.read(move |searcher, fields| compare::digests(searcher, fields, after, limit as usize))
            .await
    }

    async fn entries(&self, chat: ChatKey, after: u64, limit: u32) -> Result<Vec<IndexEntry>> {
        self.read(move |searcher, fields| {
            compare::entries(searcher, fields, chat, after, limit as usize)
        })
        .await
    }

    /// `Unavailable` while the last write failed.
    async fn ready(&self) -> Result<()> {
        match self.inner.failure().clone() {
            Some(failure) => Err(unavailable(failure)),
            None => Ok(()),
        }
    }
}

/// The index in `dir` if it is whole and ours, `None` if there is none, else what is wrong.
fn existing(dir: &Path) -> Result<Option<Index>, String> {
    let explain = |error: &dyn std::fmt::Display| error.to_string();
    if !dir.exists() {
        return Ok(None);
    }
    let directory = MmapDirectory::open(dir).map_err(|error| explain(&error))?;
    if !Index::exists(&directory).map_err(|error| explain(&error))? {
        return Ok(None);
    }
    let index = Index::open(directory).map_err(|error| explain(&error))?;
    if index.schema() != Fields::new().1 {
        return Err("its schema is another one".to_owned());
    }
    let damaged = index.validate_checksum().map_err(|error| explain(&error))?;
    if !damaged.is_empty() {
        return Err(format!("these files are damaged: {damaged:?}"));
    }
    // Files that are missing only show when they are opened.
    reader(&index).map_err(|error| explain(&error))?;
    Ok(Some(index))
}

fn create(dir: &Path) -> tantivy::Result<Index> {
    std::fs::create_dir_all(dir)?;
    // Nothing is stored but keys, all in columns: the document store stays empty.
    let settings = IndexSettings {
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    };
    Index::create(MmapDirectory::open(dir)?, Fields::new().1, settings)
}

fn reader(index: &Index) -> tantivy::Result<IndexReader> {
    index
        .reader_builder()
        .reload_policy(ReloadPolicy::Manual)
        .try_into()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(Error::internal)?
}

fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::unavailable("index", error)
}
