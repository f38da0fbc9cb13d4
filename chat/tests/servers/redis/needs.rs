//! What a server must allow: these rights and no others, and that keys of one script may live on one node.

use super::endpoint;
use super::own::OwnRedis;
use chat::adapters::redis::{CachedTenants, RedisLimiter, RedisNumbers, RedisServer};
use chat::adapters::sql::open_sqlite;
use chat::conformance::{Store, tenant_cache};
use chat::model::{AppId, ChatKey, Fingerprint, Millis, Number, Scope, State, Uid};
use chat::ops::limits::Rate;
use chat::ports::{Claim, Limiter, Numbers, Taken, Tenants};
use std::sync::Arc;
use std::time::{Duration, Instant};

async fn take(numbers: &RedisNumbers, scope: Scope, claim: Claim) -> Taken {
    let taken = numbers.take(scope, Some(claim)).await;
    taken.expect("a claim is answered")
}

/// Takes numbers with and without a claim, and whatever else there is to do.
async fn everything(server: &RedisServer) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open_sqlite(&dir.path().join("chat.db"), None)
        .await
        .expect("a new store");
    let sequences = Arc::new(store.clone());
    let numbers = RedisNumbers::new(server.clone(), sequences, 2, Duration::from_secs(2));
    let chat = ChatKey {
        app: AppId::from_random(rand::random()),
        number: Number::new(1).expect("not 0"),
    };
    numbers.mark(chat, State::Live).await;
    for scope in [
        Scope::Chats(chat.app),
        Scope::Messages(chat),
        Scope::Revs(chat),
    ] {
        let claim = Claim {
            uid: Uid::from_digest(rand::random()),
            fingerprint: Fingerprint::of(&[b"body"]),
            now: Millis::new(0),
        };
        for number in 1..=3 {
            let number = Number::new(number).expect("not 0");
            let claim = Claim {
                uid: Uid::from_digest(rand::random()),
                ..claim
            };
            let taken = take(&numbers, scope, claim).await;
            assert_eq!(taken, Taken::Given(number));
            numbers.release(scope, claim.uid).await;
            let taken = take(&numbers, scope, claim).await;
            assert_eq!(taken, Taken::Unsettled(number));
            numbers.settle(scope, claim.uid).await;
            let taken = take(&numbers, scope, claim).await;
            assert_eq!(taken, Taken::Replay(number));
        }
        assert_eq!(numbers.last_given(scope).await.expect("last"), 3);
    }
    numbers.mark(chat, State::Deleted).await;
    let taken = numbers.take(Scope::Messages(chat), None).await;
    assert_eq!(taken.expect("an answer"), Taken::Gone);
    let limiter = RedisLimiter::new(server.clone(), 100);
    let rate = Rate::per_second(10).expect("in range");
    let verdict = limiter.take("bucket", rate, Millis::new(0)).await;
    assert_eq!(verdict.limit, 20, "not its own share");
    let cached = server.clone();
    let wrap =
        move |inner| -> Arc<dyn Tenants> { Arc::new(CachedTenants::new(cached.clone(), inner)) };
    let store_ports = Store::of(store.clone());
    tenant_cache::what_was_found_is_found_again_without_the_store(
        store_ports.clone(),
        Box::new(wrap.clone()),
    )
    .await;
    tenant_cache::every_process_sees_a_change_at_once(store_ports, Box::new(wrap)).await;
    numbers.close().await.expect("close");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_account_that_is_documented_may_do_all_that_is_needed() {
    const DOCUMENT: &str = include_str!("../../../../docs/security.md");
    let Some(redis) = OwnRedis::start().await else {
        return;
    };
    let account = DOCUMENT
        .lines()
        .find(|line| line.starts_with("ACL SETUSER chat "));
    let account = account
        .expect("the account is documented")
        .replace("PASSWORD", "secret");
    let words: Vec<&str> = account.split(' ').collect();
    redis.command(&words).unwrap();
    let url = redis.url().replace("redis://", "redis://chat:secret@");
    let server = RedisServer::open(&endpoint(&url), "chat").unwrap();
    server.ready().await.unwrap();
    everything(&server).await;
    let foreign = RedisServer::open(&endpoint(&url), "foreign").unwrap();
    let limiter = RedisLimiter::new(foreign, 4);
    let verdict = limiter
        .take("bucket", Rate::per_second(10).unwrap(), Millis::new(0))
        .await;
    assert_eq!(verdict.limit, 5, "other keys are none of its business");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_one_script_live_on_one_node_of_a_cluster() {
    let Some(redis) = OwnRedis::start_with(&["--cluster-enabled", "yes"]).await else {
        return;
    };
    redis
        .command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"])
        .unwrap();
    let server = redis.open();
    let deadline = Instant::now() + Duration::from_secs(30);
    while redis.command(&["SET", "slots", "served"]).is_err() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    everything(&server).await;
}
