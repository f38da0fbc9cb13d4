//! The promises of `Tenants`, and of a cache in front of it.

use super::own::OwnRedis;
use super::{Shared, endpoint};
use chat::adapters::redis::{CachedTenants, RedisServer};
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

fn wrap(server: RedisServer) -> Wrap {
    Box::new(move |inner| Arc::new(CachedTenants::new(server.clone(), inner)))
}

macro_rules! promises {
    (tenants: $($promise:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            let Some(shared) = Shared::new() else { return };
            let (sqlite, _dir) = sqlite().await;
            let mut store = Store::of(sqlite.clone());
            store.tenants = wrap(shared.open())(store.tenants);
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
            let Some(shared) = Shared::new() else { return };
            let (sqlite, _dir) = sqlite().await;
            let store = Store::of(sqlite.clone());
            conformance::tenant_cache::$promise(store, wrap(shared.open())).await;
            sqlite.close().await;
        })*
    };
}

promises_of_a_cache!(
    what_was_found_is_found_again_without_the_store,
    every_process_sees_a_change_at_once,
    what_was_read_before_a_change_is_not_kept_after_it,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_of_the_cache_brings_no_key_back() {
    let Some(redis) = OwnRedis::start().await else {
        return;
    };
    let (sqlite, _dir) = sqlite().await;
    let server = redis.open();
    let redis = tokio::sync::Mutex::new(redis);
    conformance::tenant_cache::an_older_copy_of_the_cache_brings_no_key_back(
        Store::of(sqlite.clone()),
        wrap(server),
        async || {
            redis.lock().await.command(&["SAVE"]).unwrap();
        },
        async || {
            let mut redis = redis.lock().await;
            redis.kill();
            redis.start_again().await;
        },
    )
    .await;
    sqlite.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_cache_the_store_answers_and_nothing_is_half_changed() {
    let (sqlite, _dir) = sqlite().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", free.local_addr().unwrap());
    drop(free);
    let server = RedisServer::open(&endpoint(&url), "test").unwrap();
    let promise =
        conformance::tenant_cache::without_the_cache_the_store_answers_and_nothing_is_half_changed;
    promise(Store::of(sqlite.clone()), wrap(server)).await;
    sqlite.close().await;
}
