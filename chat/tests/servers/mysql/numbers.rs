//! The promises of `Numbers` on both servers: taken one by one, and in blocks.

use super::database::Database;
use chat::adapters::memory_numbers::MemoryNumbers;
use chat::adapters::sql::SqlNumbers;
use chat::conformance::{self, servers};
use chat::ports::Numbers;
use std::sync::Arc;

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        promises!(@on mysql, MYSQL, |store| Arc::new(SqlNumbers::new(store)), $($promise),*);
        promises!(@on mariadb, MARIADB, |store| Arc::new(SqlNumbers::new(store)), $($promise),*);
        promises!(@on blocks_of_mysql, MYSQL, |store| Arc::new(MemoryNumbers::new(Arc::new(store), 7)), $($promise),*);
    };
    (@on $server:ident, $address:ident, $start:expr, $($promise:ident),*) => {
        mod $server {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let Some(database) = Database::new(servers::$address).await else {
                    return;
                };
                let store = database.store();
                let start: fn(_) -> Arc<dyn Numbers> = $start;
                let shared = store.clone();
                let open = move || start(shared.clone());
                conformance::numbers::$promise(Box::new(open)).await;
                store.close().await;
            })*
        }
    };
}

chat::promises_of_numbers!(promises);
