//! The promises of the store, on SQLite in a directory of its own.

use chat::adapters::sql::open_sqlite;
use chat::conformance::{self, Store};

macro_rules! promises {
    ($port:ident: $($promise:ident),* $(,)?) => {
        mod $port {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let dir = tempfile::tempdir().unwrap();
                let store = open_sqlite(&dir.path().join("chat.db"), None).await.unwrap();
                conformance::$port::$promise(Store::of(store.clone())).await;
                store.close().await;
            })*
        }
    };
}

chat::promises_of_the_store!(promises);
