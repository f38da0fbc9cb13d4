//! A replica that takes over lacks the last numbers (W10), and the old master may live on beside it.

use super::own::OwnRedis;
use chat::adapters::redis::RedisNumbers;
use chat::adapters::sql::open_sqlite;
use chat::model::{AppId, Scope};
use chat::ports::{Numbers, Taken};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const BLOCK: u32 = 16;

async fn take(numbers: &RedisNumbers, scope: Scope, count: u32) -> Vec<u64> {
    let mut taken = Vec::new();
    for _ in 0..count {
        match numbers.take(scope, None).await {
            Ok(Taken::Given(number)) => taken.push(number.get()),
            other => panic!("a number is given: {other:?}"),
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lacks_the_last_numbers_gives_none_of_them_again() {
    let (Some(mut master), Some(replica)) = (OwnRedis::start().await, OwnRedis::start().await)
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let store = open_sqlite(&dir.path().join("chat.db"), None)
        .await
        .unwrap();
    let numbers = |redis: &OwnRedis| {
        let deadline = Duration::from_secs(3);
        RedisNumbers::new(redis.open(), Arc::new(store.clone()), BLOCK, deadline)
    };
    let scope = Scope::Chats(AppId::from_random(rand::random()));
    let before = numbers(&master);
    let mut given = take(&before, scope, 5).await;

    let url = master.url();
    let port = url.rsplit(':').next().unwrap();
    replica.command(&["REPLICAOF", "127.0.0.1", port]).unwrap();
    let copied = || replica.command(&["DBSIZE"]).ok() == master.command(&["DBSIZE"]).ok();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !copied() {
        assert!(std::time::Instant::now() < deadline, "the replica copies");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // From here on the replica hears nothing of what is given, in the block that it knows and beyond.
    replica.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    given.extend(take(&before, scope, 3).await);
    let after = numbers(&replica);
    for _ in 0..4 {
        given.extend(take(&after, scope, BLOCK - 3).await);
        given.extend(take(&before, scope, BLOCK - 3).await);
    }
    master.kill();
    let highest = given.iter().max().copied();
    let last = take(&after, scope, 2 * BLOCK).await;
    given.extend(&last);
    let all: BTreeSet<u64> = given.iter().copied().collect();
    assert_eq!(all.len(), given.len(), "a number was given twice");
    assert!(last.iter().max().copied() > highest);
    after.close().await.unwrap();
    store.close().await;
}
