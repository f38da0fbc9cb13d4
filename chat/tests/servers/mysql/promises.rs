//! Every promise of the store on both servers, each in a database of its own.

use super::database::Database;
use chat::conformance::{self, Store, servers};

macro_rules! promises {
    ($port:ident: $($promise:ident),* $(,)?) => {
        mod $port {
            promises!(@on mysql, MYSQL, $port, $($promise),*);
            promises!(@on mariadb, MARIADB, $port, $($promise),*);
        }
    };
    (@on $server:ident, $address:ident, $port:ident, $($promise:ident),*) => {
        mod $server {
            use super::super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let Some(database) = Database::new(servers::$address).await else {
                    return;
                };
                let store = database.store();
                conformance::$port::$promise(Store::of(store.clone())).await;
                store.close().await;
            })*
        }
    };
}

chat::promises_of_the_store!(promises);
