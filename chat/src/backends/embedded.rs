//! One process on one directory: SQLite, a queue in memory, and an index beside the database.

use super::Work;
use crate::adapters::memory_limiter::MemoryLimiter;
use crate::adapters::memory_numbers::MemoryNumbers;
use crate::adapters::memory_queue::{DirtyKeys, MemoryQueue};
use crate::adapters::memory_tenants::{FoundTenants, MemoryTenants};
use crate::adapters::sql::{self, SqlStore};
use crate::adapters::tantivy::TantivyIndex;
use crate::error::Result;
use crate::ops::{Ops, Ports};
use crate::ports::{Limiter, Numbers, Search};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the embedded backends need to know.
#[derive(Clone, Debug)]
pub struct EmbeddedSettings {
    /// Made if it is missing. The caller holds its lock.
    pub data_dir: PathBuf,
    /// Numbers reserved at a time.
    pub number_block: u32,
    /// Bounds the database, for tests of a full disk.
    pub max_pages: Option<u32>,
}

/// Everything in one process, on one directory.
#[derive(Clone)]
pub struct Embedded {
    pub ops: Ops,
    pub work: Work,
    /// Rows waiting for the index.
    pub dirty: Arc<DirtyKeys>,
    pub limiter: Arc<dyn Limiter>,
    store: SqlStore,
}

pub fn database_file(data_dir: &Path) -> PathBuf {
    data_dir.join("chat.db")
}

pub async fn open_embedded(settings: &EmbeddedSettings) -> Result<Embedded> {
    let EmbeddedSettings {
        data_dir,
        number_block,
        max_pages,
    } = settings;
    let store = sql::open_sqlite(&database_file(data_dir), *max_pages).await?;
    let search: Arc<dyn Search> = Arc::new(TantivyIndex::open(&data_dir.join("index"))?);
    let queue = MemoryQueue::default();
    let dirty = queue.dirty();
    let store_port = Arc::new(store.clone());
    let numbers: Arc<dyn Numbers> = Arc::new(MemoryNumbers::new(store_port.clone(), *number_block));
    let queue = Arc::new(queue);
    let ops = Ops::new(Ports {
        tenants: Arc::new(MemoryTenants::new(
            FoundTenants::default(),
            store_port.clone(),
        )),
        reader: store_port.clone(),
        across: store_port.clone(),
        sequences: store_port.clone(),
        numbers: numbers.clone(),
        publisher: queue.clone(),
        search: search.clone(),
    });
    let work = Work {
        writer: store_port.clone(),
        upkeep: store_port.clone(),
        gaps: store_port.clone(),
        across: store_port,
        numbers,
        publisher: Arc::new(queue.with_own_room()),
        subscriber: queue,
        search,
    };
    Ok(Embedded {
        ops,
        work,
        dirty,
        limiter: Arc::new(MemoryLimiter::default()),
        store,
    })
}

impl Embedded {
    /// Gives unused numbers back and closes the database. Nothing may be under way any more.
    pub async fn close(&self) -> Result<()> {
        let given_back = self.work.numbers.close().await;
        self.store.close().await;
        given_back
    }

    /// Lets the database grow to so many pages.
    #[cfg(feature = "conformance")]
    pub async fn set_max_pages(&self, pages: u32) -> Result<()> {
        self.store.set_max_pages(pages).await
    }
}

/// An online copy of the database in `data_dir`; see `adapters::sql::backup`.
pub async fn backup(data_dir: &Path, target: &Path) -> Result<()> {
    sql::backup(&database_file(data_dir), target).await
}
