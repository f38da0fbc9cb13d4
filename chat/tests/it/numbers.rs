//! The promises of `Numbers`, in memory over blocks of SQLite, in blocks of several sizes.

use chat::adapters::memory_numbers::MemoryNumbers;
use chat::adapters::sql::open_sqlite;
use chat::conformance;
use chat::ports::Numbers;
use std::sync::Arc;

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        promises!(@in blocks_of_one, 1, $($promise),*);
        promises!(@in blocks_of_seven, 7, $($promise),*);
        promises!(@in blocks_of_256, 256, $($promise),*);
    };
    (@in $blocks:ident, $size:literal, $($promise:ident),*) => {
        mod $blocks {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let dir = tempfile::tempdir().unwrap();
                let store = open_sqlite(&dir.path().join("chat.db"), None).await.unwrap();
                let sequences = Arc::new(store.clone());
                let open = move || -> Arc<dyn Numbers> {
                    Arc::new(MemoryNumbers::new(sequences.clone(), $size))
                };
                conformance::numbers::$promise(Box::new(open)).await;
                store.close().await;
            })*
        }
    };
}

chat::promises_of_numbers!(promises);

mod one_by_one {
    use super::*;
    use chat::adapters::sql::SqlNumbers;

    macro_rules! promises {
        ($($promise:ident),* $(,)?) => {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let dir = tempfile::tempdir().unwrap();
                let store = open_sqlite(&dir.path().join("chat.db"), None).await.unwrap();
                let shared = store.clone();
                let open = move || -> Arc<dyn Numbers> { Arc::new(SqlNumbers::new(shared.clone())) };
                conformance::numbers::$promise(Box::new(open)).await;
                store.close().await;
            })*
        };
    }

    chat::promises_of_numbers!(promises);
}
