//! The promises of `Numbers`, over blocks of SQLite in several sizes, and over those of MySQL.

use super::Shared;
use async_trait::async_trait;
use chat::adapters::redis::RedisNumbers;
use chat::adapters::sql::{SqlStore, open_sqlite};
use chat::conformance;
use chat::error::{Error, Result};
use chat::model::{AppId, Fingerprint, Number, Scope, TenantId, Uid};
use chat::ports::{Block, Numbers, Remainder, Reserve, Sequences, Stored, Taken};
use futures::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Long enough for a slow machine to ask again meanwhile.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(3);

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
                let Some(shared) = Shared::new() else { return };
                let dir = tempfile::tempdir().unwrap();
                let store = open_sqlite(&dir.path().join("chat.db"), None).await.unwrap();
                let sequences = Arc::new(store.clone());
                let server = shared.open();
                let open = move || -> Arc<dyn Numbers> {
                    let (server, sequences) = (server.clone(), sequences.clone());
                    Arc::new(RedisNumbers::new(server, sequences, $size, PUBLISH_DEADLINE))
                };
                conformance::numbers::$promise(Box::new(open)).await;
                store.close().await;
            })*
        }
    };
}

chat::promises_of_numbers!(promises);

mod blocks_of_mysql {
    use super::*;
    use crate::mysql::database::Database;
    use chat::conformance::servers;

    macro_rules! promises {
        ($($promise:ident),* $(,)?) => {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let Some(shared) = Shared::new() else { return };
                let Some(database) = Database::new(servers::MYSQL).await else { return };
                let store = database.store();
                let sequences = Arc::new(store.clone());
                let server = shared.open();
                let open = move || -> Arc<dyn Numbers> {
                    let (server, sequences) = (server.clone(), sequences.clone());
                    Arc::new(RedisNumbers::new(server, sequences, 7, PUBLISH_DEADLINE))
                };
                conformance::numbers::$promise(Box::new(open)).await;
                store.close().await;
            })*
        };
    }

    chat::promises_of_numbers!(promises);
}

/// Blocks of SQLite, counted; the first reservation never ends if told so, and none is made while SQL is
/// away.
struct Counted {
    inner: SqlStore,
    reservations: AtomicUsize,
    first_hangs: bool,
    away: AtomicBool,
}

impl Counted {
    fn new(inner: SqlStore, first_hangs: bool) -> Arc<Self> {
        Arc::new(Self {
            inner,
            reservations: AtomicUsize::new(0),
            first_hangs,
            away: AtomicBool::new(false),
        })
    }
}

#[async_trait]
impl Sequences for Counted {
    async fn reserve(&self, wants: &[Reserve]) -> Result<Vec<Block>> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::unavailable("database", "it is away"));
        }
        let earlier = self.reservations.fetch_add(wants.len(), Ordering::SeqCst);
        if earlier == 0 && self.first_hangs {
            self.inner.reserve(wants).await?;
            std::future::pending::<()>().await;
        }
        self.inner.reserve(wants).await
    }

    async fn high(&self, scope: Scope) -> Result<u64> {
        self.inner.high(scope).await
    }

    async fn give_back(&self, _: &[Remainder]) -> Result<()> {
        panic!("processes that share blocks give nothing back")
    }

    async fn bind_chat(&self, _: TenantId, _: Uid, _: Number, _: Fingerprint) -> Result<Stored> {
        panic!("numbers bind no chats")
    }
}

async fn take(numbers: &RedisNumbers, scope: Scope) -> u64 {
    match numbers.take(scope, None).await {
        Ok(Taken::Given(number)) => number.get(),
        other => panic!("a number is given: {other:?}"),
    }
}

/// What `processes` of 16 tasks each take, `each` numbers a task.
async fn take_together(processes: [Arc<RedisNumbers>; 2], scope: Scope, each: usize) -> Vec<u64> {
    let tasks = processes.iter().cycle().take(32).map(|numbers| {
        let numbers = numbers.clone();
        tokio::spawn(async move {
            let mut taken = Vec::new();
            for _ in 0..each {
                let number = take(&numbers, scope).await;
                assert!(
                    taken.last().is_none_or(|last| *last < number),
                    "{number} after {taken:?}"
                );
                taken.push(number);
            }
            taken
        })
    });
    let taken = join_all(tasks).await;
    let mut all: Vec<u64> = taken
        .into_iter()
        .flat_map(|taken| taken.expect("numbers rise"))
        .collect();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_at_once_leave_no_number_out_and_reserve_no_block_too_many() {
    let Some(shared) = Shared::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let store = open_sqlite(&dir.path().join("chat.db"), None)
        .await
        .unwrap();
    let sequences = Counted::new(store.clone(), false);
    let process = || {
        let numbers = RedisNumbers::new(shared.open(), sequences.clone(), 64, PUBLISH_DEADLINE);
        Arc::new(numbers)
    };
    let (one, other) = (process(), process());
    let scope = Scope::Chats(AppId::from_random(rand::random()));
    let all = take_together([one.clone(), other.clone()], scope, 1).await;
    assert_eq!(all, (1..=32).collect::<Vec<_>>());
    one.close().await.unwrap();
    other.close().await.unwrap();
    // With the 32nd number half of the block is used, and one of all reserved the next.
    assert_eq!(sequences.reservations.load(Ordering::SeqCst), 2);
    let all = take_together([one.clone(), other.clone()], scope, 40).await;
    assert_eq!(all, (33..=32 * 41).collect::<Vec<_>>());
    one.close().await.unwrap();
    other.close().await.unwrap();
    assert!(sequences.high(scope).await.unwrap() <= 32 * 41 + 2 * 64);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_hangs_while_it_reserves_holds_others_up_for_a_second() {
    let Some(shared) = Shared::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let store = open_sqlite(&dir.path().join("chat.db"), None)
        .await
        .unwrap();
    let sequences = Counted::new(store.clone(), true);
    let hanging = RedisNumbers::new(shared.open(), sequences.clone(), 8, PUBLISH_DEADLINE);
    let scope = Scope::Chats(AppId::from_random(rand::random()));
    let refused = hanging.take(scope, None).await;
    assert!(matches!(refused, Err(Error::Busy(_))), "{refused:?}");
    // Its block is lost, and its lease has run out meanwhile.
    let other = RedisNumbers::new(shared.open(), Arc::new(store.clone()), 8, PUBLISH_DEADLINE);
    assert_eq!(take(&other, scope).await, 9);
    other.close().await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_sql_is_away_numbers_are_given_as_long_as_the_block_lasts() {
    let Some(shared) = Shared::new() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let store = open_sqlite(&dir.path().join("chat.db"), None)
        .await
        .unwrap();
    let sequences = Counted::new(store.clone(), false);
    let numbers = RedisNumbers::new(shared.open(), sequences.clone(), 8, PUBLISH_DEADLINE);
    let scope = Scope::Chats(AppId::from_random(rand::random()));
    assert_eq!(take(&numbers, scope).await, 1);
    sequences.away.store(true, Ordering::SeqCst);
    for expected in 2..=8 {
        assert_eq!(take(&numbers, scope).await, expected);
    }
    let refused = numbers.take(scope, None).await;
    let away = matches!(refused, Err(Error::Unavailable { .. } | Error::Busy(_)));
    assert!(away, "{refused:?}");
    sequences.away.store(false, Ordering::SeqCst);
    // Whoever failed to reserve holds the lease for the rest of its second.
    assert_eq!(take(&numbers, scope).await, 9);
    numbers.close().await.unwrap();
    store.close().await;
}
