//! The promises of `Tenants` with what was found in memory in front, and of that memory.

use chat::adapters::memory_tenants::{FoundTenants, MemoryTenants};
use chat::adapters::sql::{SqlStore, open_sqlite};
use chat::conformance::{self, Store};
use chat::ports::Tenants;
use std::sync::Arc;
use tempfile::TempDir;

async fn sqlite() -> (SqlStore, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open_sqlite(&dir.path().join("chat.db"), None)
        .await
        .expect("a new store");
    (store, dir)
}

type Wrap = Box<dyn Fn(Arc<dyn Tenants>) -> Arc<dyn Tenants> + Send + Sync>;

/// What the promises call another process's cache is here another face of the same memory.
fn wrap() -> Wrap {
    let found = FoundTenants::default();
    Box::new(move |inner| Arc::new(MemoryTenants::new(found.clone(), inner)))
}

macro_rules! promises {
    (tenants: $($promise:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            let (sqlite, _dir) = sqlite().await;
            let mut store = Store::of(sqlite.clone());
            store.tenants = wrap()(store.tenants);
            conformance::tenants::$promise(store).await;
            sqlite.close().await;
        })*
    };
    ($other:ident: $($promise:ident),* $(,)?) => {};
}

chat::promises_of_the_store!(promises);

macro_rules! promises_of_a_cache {
    ($($promise:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            let (sqlite, _dir) = sqlite().await;
            conformance::tenant_cache::$promise(Store::of(sqlite.clone()), wrap()).await;
            sqlite.close().await;
        })*
    };
}

promises_of_a_cache!(
    what_was_found_is_found_again_without_the_store,
    every_process_sees_a_change_at_once,
    what_was_read_before_a_change_is_not_kept_after_it,
);
