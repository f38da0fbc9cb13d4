//! Ends and starts: clean ones leave no trace, and what a kill leaves behind is explained or made good.
//!
//! A kill is a runtime that is dropped in the middle: no task of it takes another step, and nothing of
//! what was in memory is left.

use crate::world::{Chat, World, eventually};
use chat::error::Error;
use chat::model::GapCause;
use chat::ops::counts;
use std::path::Path;

/// One run of the program: `task` in a runtime of its own, which is gone afterwards.
fn run<T>(task: impl AsyncFnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(task())
}

fn with_chat(dir: &Path) -> Chat {
    run(async || {
        let world = World::start(dir).await;
        let chat = world.chat().await;
        world.stop().await;
        chat
    })
}

#[test]
fn ten_clean_restarts_leave_numbers_dense() {
    let dir = tempfile::tempdir().unwrap();
    let chat = with_chat(dir.path());
    for restart in 0..10 {
        run(async || {
            let world = World::start(dir.path()).await;
            let chat = chat.again(&world);
            let said = chat.say_many("still here", 3).await;
            assert_eq!(
                said,
                (restart * 3 + 1..=restart * 3 + 3).collect::<Vec<_>>()
            );
            assert_eq!(chat.rename("a name").await.unwrap().rev.get(), restart + 1);
            let next = Chat::create(world.ops(), chat.tenant).await.unwrap();
            assert_eq!(next.number.get(), restart + 2);
            world.stop().await;
        });
    }
    run(async || {
        let world = World::start(dir.path()).await;
        let chat = chat.again(&world);
        assert_eq!(chat.count().await, 30);
        assert_eq!(chat.page(0).await.complete_through, 30);
        let gaps = chat
            .ops
            .gaps(chat.tenant, chat.number, 0, 10)
            .await
            .unwrap();
        assert_eq!(gaps.data, []);
        world.stop().await;
    });
}

#[test]
fn a_kill_costs_explained_numbers_and_nothing_that_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let chat = with_chat(dir.path());
    for kill in 0..3 {
        run(async || {
            let world = World::start(dir.path()).await;
            let chat = chat.again(&world);
            let first = kill * 256 + 1;
            assert_eq!(
                chat.say_many("before the kill", 5).await,
                (first..first + 5).collect::<Vec<_>>()
            );
        });
    }
    run(async || {
        let world = World::start(dir.path()).await;
        let chat = chat.again(&world);
        assert_eq!(chat.count().await, 15);
        let gaps = chat
            .ops
            .gaps(chat.tenant, chat.number, 0, 10)
            .await
            .unwrap();
        let gaps: Vec<_> = gaps
            .data
            .iter()
            .map(|gap| (gap.from.get(), gap.to.get(), gap.cause))
            .collect();
        let lost = |from, to| (from, to, GapCause::BlockLost);
        assert_eq!(gaps, [lost(6, 256), lost(262, 512), lost(518, 768)]);
        assert_eq!(chat.page(0).await.complete_through, 768);
        let lost = chat.read(100).await;
        let expected = GapCause::BlockLost;
        assert!(
            matches!(lost, Err(Error::NeverStored { cause }) if cause == expected),
            "{lost:?}"
        );
        assert_eq!(chat.say("after").await.unwrap().number.get(), 769);
        let (_, drifts) = counts::audit(&*world.embedded.work.upkeep, false)
            .await
            .unwrap();
        assert_eq!(drifts, []);
        world.stop().await;
    });
}

#[test]
fn a_kill_under_load_loses_nothing_that_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let chat = with_chat(dir.path());
    let (tell, told) = std::sync::mpsc::channel();
    run(async || {
        let world = World::start(dir.path()).await;
        let chat = chat.again(&world);
        for speaker in 0..20 {
            let (chat, tell) = (chat.clone(), tell.clone());
            tokio::spawn(async move {
                loop {
                    let accepted = chat.say(&format!("speaker {speaker}")).await.unwrap();
                    tell.send((accepted.number.get(), accepted.uid)).unwrap();
                }
            });
        }
        eventually("enough is stored", || async { chat.count().await > 200 }).await;
    });
    drop(tell);
    let told: Vec<_> = told.iter().collect();
    assert!(told.len() >= 200 - 20);
    run(async || {
        let world = World::start(dir.path()).await;
        let chat = chat.again(&world);
        for (number, uid) in &told {
            assert_eq!(chat.read(*number).await.unwrap().uid, *uid);
        }
        // A kill may come between a commit and its answer.
        let count = chat.count().await;
        assert!(
            (told.len() as u64..=told.len() as u64 + 20).contains(&count),
            "{count}"
        );
        let (_, drifts) = counts::audit(&*world.embedded.work.upkeep, false)
            .await
            .unwrap();
        assert_eq!(drifts, []);
        let last = chat.say("after").await.unwrap().number.get();
        let page = chat.page(last - 1).await;
        assert_eq!(page.complete_through, last);
        let mut after = 0;
        while after < last {
            let complete = chat.page(after).await.complete_through;
            assert!(
                complete > after,
                "every number up to {last} is explained, {after} is not"
            );
            after = complete;
        }
        world.stop().await;
    });
}

#[test]
fn a_deleted_index_is_built_again_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let chat = with_chat(dir.path());
    run(async || {
        let world = World::start(dir.path()).await;
        let chat = chat.again(&world);
        chat.say_many("words to find", 40).await;
        chat.expect_to_find("find", &(1..=40).collect::<Vec<_>>())
            .await;
        world.stop().await;
    });
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    run(async || {
        let world = World::start(dir.path()).await;
        let chat = chat.again(&world);
        chat.expect_to_find("find", &(1..=40).collect::<Vec<_>>())
            .await;
        let work = &world.embedded.work;
        let (store, index) = (work.across.digests(None, 10), work.search.digests(None, 10));
        assert_eq!(store.await.unwrap(), index.await.unwrap());
        world.stop().await;
    });
}

#[test]
fn rows_the_index_was_not_told_of_before_a_kill_are_found_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let chat = with_chat(dir.path());
    run(async || {
        let world = World::start(dir.path()).await;
        // Killed with the answer to the last one hardly out.
        chat.again(&world).say_many("hardly out", 30).await;
    });
    run(async || {
        let world = World::start(dir.path()).await;
        let chat = chat.again(&world);
        chat.expect_to_find("hardly", &(1..=30).collect::<Vec<_>>())
            .await;
        world.stop().await;
    });
}

#[test]
fn a_purge_that_was_cut_off_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let chat = with_chat(dir.path());
    run(async || {
        let world = World::start(dir.path()).await;
        let chat = chat.again(&world);
        chat.say_many("words to forget", 50).await;
        chat.expect_to_find("forget", &(1..=50).collect::<Vec<_>>())
            .await;
        chat.delete().await;
    });
    run(async || {
        let world = World::start(dir.path()).await;
        let work = &world.embedded.work;
        eventually("store and index have forgotten", || async {
            let stored = work.across.digests(None, 10).await.unwrap();
            let indexed = work.search.digests(None, 10).await.unwrap();
            stored.is_empty() && indexed.is_empty()
        })
        .await;
        assert!(matches!(chat.again(&world).read(1).await, Err(Error::Gone)));
        world.stop().await;
    });
}

#[test]
fn a_key_used_before_a_restart_is_replayed_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let chat = with_chat(dir.path());
    run(async || {
        let world = World::start(dir.path()).await;
        let said = chat
            .again(&world)
            .say_once("once", Some("key"))
            .await
            .unwrap();
        assert_eq!((said.number.get(), said.replayed), (1, false));
    });
    run(async || {
        let world = World::start(dir.path()).await;
        let chat = chat.again(&world);
        let said = chat.say_once("once", Some("key")).await.unwrap();
        assert_eq!((said.number.get(), said.replayed), (1, true));
        let other = chat.say_once("another", Some("key")).await;
        assert!(
            matches!(other, Err(Error::IdempotencyMismatch)),
            "{other:?}"
        );
        assert_eq!(chat.count().await, 1);
        world.stop().await;
    });
}
