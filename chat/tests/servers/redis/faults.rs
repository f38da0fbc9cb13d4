//! Whatever becomes of Redis, no number is given twice, and they rise.

use super::own::OwnRedis;
use chat::adapters::redis::{RedisLimiter, RedisNumbers};
use chat::adapters::sql::{SqlStore, open_sqlite};
use chat::error::Error;
use chat::model::{AppId, ChatKey, Millis, Number, Scope, State};
use chat::ops::limits::Rate;
use chat::ports::{Limiter, Numbers, Sequences, Taken};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);
const BLOCK: u32 = 16;

struct World {
    redis: OwnRedis,
    store: SqlStore,
    numbers: RedisNumbers,
    scope: Scope,
    last: u64,
    _dir: TempDir,
}

impl World {
    async fn new() -> Option<Self> {
        let redis = OwnRedis::start().await?;
        let dir = tempfile::tempdir().expect("a directory");
        let store = open_sqlite(&dir.path().join("chat.db"), None)
            .await
            .expect("a new store");
        let deadline = Duration::from_secs(3);
        let numbers = RedisNumbers::new(redis.open(), Arc::new(store.clone()), BLOCK, deadline);
        Some(Self {
            redis,
            store,
            numbers,
            scope: Scope::Chats(AppId::from_random(rand::random())),
            last: 0,
            _dir: dir,
        })
    }

    async fn take(&mut self, count: u32) {
        for _ in 0..count {
            let taken = self.numbers.take(self.scope, None).await;
            self.rises(taken.expect("a number is given"));
        }
    }

    /// As one who tries again for as long as it takes.
    async fn take_when_back(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.numbers.take(self.scope, None).await {
                Ok(taken) => return self.rises(taken),
                Err(Error::Unavailable { .. } | Error::Busy(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => panic!("numbers come back when Redis does: {error}"),
            }
        }
    }

    fn rises(&mut self, taken: Taken) {
        let Taken::Given(number) = taken else {
            panic!("a number is given: {taken:?}");
        };
        assert!(number.get() > self.last, "{number} after {}", self.last);
        self.last = number.get();
    }

    async fn high(&self) -> u64 {
        self.store.high(self.scope).await.expect("high")
    }

    async fn last_given(&self) -> u64 {
        let last = self.numbers.last_given(self.scope).await;
        last.expect("reads go on")
    }

    /// What Redis does not know, or must not be believed about, is answered by SQL.
    async fn is_bounded_by_what_was_reserved(&self) {
        let bound = self.last_given().await;
        assert!(self.last <= bound, "{bound} bounds {}", self.last);
        assert!(bound <= self.high().await);
    }

    /// Every number that was given is below the blocks of later processes of Redis.
    async fn end(self) {
        assert!(self.last <= self.high().await);
        self.numbers.close().await.expect("close");
        self.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_was_wiped_gives_nothing_twice() {
    let Some(mut world) = World::new().await else {
        return;
    };
    for round in 0..5 {
        world.take(BLOCK / 2 + round).await;
        world.redis.command(&["FLUSHALL"]).unwrap();
        world.is_bounded_by_what_was_reserved().await;
    }
    world.take(1).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_back_with_an_older_copy_gives_nothing_twice() {
    let Some(mut world) = World::new().await else {
        return;
    };
    // Within the block that the copy knows, and beyond it.
    for further in [3, 5 * BLOCK] {
        world.take(2).await;
        world.redis.command(&["SAVE"]).unwrap();
        world.take(further).await;
        world.redis.kill();
        world.redis.start_again().await;
        world.is_bounded_by_what_was_reserved().await;
        world.take_when_back().await;
        world.take(BLOCK).await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_redis_in_its_place_gives_nothing_twice() {
    let Some(mut world) = World::new().await else {
        return;
    };
    for _ in 0..3 {
        world.take(BLOCK + 3).await;
        world.redis.kill();
        world.redis.delete_data();
        world.redis.start_again().await;
        world.take_when_back().await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_is_marked_again_after_a_wipe_and_its_numbers_go_on() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let chat = ChatKey {
        app: AppId::from_random(rand::random()),
        number: Number::new(1).unwrap(),
    };
    world.scope = Scope::Messages(chat);
    world.numbers.mark(chat, State::Live).await;
    world.take(3).await;
    world.redis.command(&["FLUSHALL"]).unwrap();
    let taken = world.numbers.take(world.scope, None).await.unwrap();
    assert_eq!(taken, Taken::UnknownChat);
    world.numbers.mark(chat, State::Live).await;
    world.take(3).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_does_not_answer_nothing_is_given_and_reads_go_on() {
    let Some(mut world) = World::new().await else {
        return;
    };
    world.take(3).await;
    for faults in 0..2 {
        if faults == 0 {
            world.redis.stop();
        } else {
            world.redis.kill();
        }
        for _ in 0..3 {
            let refused = world.numbers.take(world.scope, None).await;
            let Err(Error::Unavailable {
                part: "redis",
                source,
            }) = refused
            else {
                panic!("Redis is away: {refused:?}");
            };
            assert!(source.to_string().contains(&world.redis.url()), "{source}");
            assert!(world.last_given().await >= world.last);
        }
        if faults == 0 {
            world.redis.go_on();
        } else {
            world.redis.start_again().await;
        }
        world.take_when_back().await;
        world.take(BLOCK).await;
        assert_eq!(world.last_given().await, world.last);
    }
    world.end().await;
}

/// Takes until `stopped`, and holds every answer against what anybody was answered before it was asked for.
async fn take_until(
    stopped: Arc<AtomicBool>,
    numbers: Arc<RedisNumbers>,
    scope: Scope,
    highest: Arc<AtomicU64>,
) -> Vec<u64> {
    let mut all = Vec::new();
    while !stopped.load(Ordering::SeqCst) {
        let before = highest.load(Ordering::SeqCst);
        match numbers.take(scope, None).await {
            Ok(Taken::Given(number)) => {
                assert!(number.get() > before, "{number} after {before}");
                highest.fetch_max(number.get(), Ordering::SeqCst);
                all.push(number.get());
            }
            Ok(other) => panic!("a number is given: {other:?}"),
            Err(Error::Unavailable { .. } | Error::Busy(_)) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => panic!("Redis is away at most: {error}"),
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_taken_by_many_rise_through_every_restart() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let process = || {
        let sequences = Arc::new(world.store.clone());
        let deadline = Duration::from_secs(3);
        Arc::new(RedisNumbers::new(
            world.redis.open(),
            sequences,
            BLOCK,
            deadline,
        ))
    };
    let processes = [process(), process()];
    let (stopped, highest) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let takers: Vec<_> = (0..8)
        .map(|taker| {
            let numbers = processes[taker % 2].clone();
            let taking = take_until(stopped.clone(), numbers, world.scope, highest.clone());
            tokio::spawn(taking)
        })
        .collect();
    for round in 0..6 {
        // So many that every round has given some.
        let enough = highest.load(Ordering::SeqCst) + 3 * u64::from(BLOCK);
        let deadline = Instant::now() + PATIENCE;
        while highest.load(Ordering::SeqCst) < enough
            && !takers.iter().any(|taker| taker.is_finished())
        {
            assert!(Instant::now() < deadline, "numbers come back");
            tokio::time::sleep(Duration::from_millis(2)).await;
            if round % 3 == 0 {
                world.redis.command(&["SAVE"]).unwrap();
            }
        }
        world.redis.kill();
        if round % 3 == 2 {
            world.redis.delete_data();
        }
        world.redis.start_again().await;
    }
    stopped.store(true, Ordering::SeqCst);
    let mut all = Vec::new();
    for taker in takers {
        all.extend(taker.await.unwrap());
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count, "a number was given twice");
    world.last = *all.last().unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_process_lets_its_share_through() {
    let Some(mut redis) = OwnRedis::start().await else {
        return;
    };
    let limiter = RedisLimiter::new(redis.open(), 4).by_callers_clock();
    let (rate, now) = (
        Rate::per_second(20).unwrap(),
        Millis::new(1_700_000_000_000),
    );
    let allowed = async |bucket: &str| {
        let mut allowed = 0;
        while limiter.take(bucket, rate, now).await.allowed {
            allowed += 1;
        }
        allowed
    };
    assert_eq!(allowed("with redis").await, 40);
    redis.kill();
    assert_eq!(allowed("without").await, 10);
    redis.start_again().await;
    let deadline = Instant::now() + PATIENCE;
    // Whether it is back is asked once in a while.
    while limiter.take("back", rate, now).await.limit != 40 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
