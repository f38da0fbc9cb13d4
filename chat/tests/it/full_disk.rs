//! A full disk: what does not fit is refused whole, what is there stays readable, and writing goes on
//! by itself once there is room.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::history::History;
use chat::adapters::sql::{SqlStore, open_sqlite};
use chat::error::Error;
use chat::model::{ChatKey, Number, Scope};
use chat::ops::counts;
use chat::ops::persist::Fate;
use chat::ports::{AcrossTenants, Reserve, Sequences};

const SMALL: u32 = 120;
const ROOMY: u32 = 100_000;
const BATCH: u64 = 20;

fn is_full(fate: &Fate) -> bool {
    match fate {
        Fate::NotDone(error @ Error::Unavailable { .. }) => {
            error.to_string().contains("the disk is full")
        }
        _ => false,
    }
}

/// Says something until nothing fits any more.
async fn fill(history: &mut History, store: &SqlStore) {
    let text = "words ".repeat(200);
    loop {
        let fates = history.try_to_say(store, BATCH, &text).await;
        if fates.iter().any(is_full) {
            assert!(
                fates.iter().all(is_full),
                "all of a batch or nothing: {fates:?}"
            );
            return;
        }
        assert!(history.said < 10_000, "it is never full");
    }
}

async fn expect_exact(history: &History, store: &SqlStore) {
    let messages = store.messages(None, 10_000).await.unwrap().data;
    assert_eq!(messages.len() as u64, history.said);
    let chats = store.chats(None, 10).await.unwrap().data;
    assert_eq!(chats[0].1.messages_count, history.said);
    let (checked, drifts) = counts::audit(store, false).await.unwrap();
    assert!(checked >= 3);
    assert_eq!(drifts, []);
}

#[tokio::test]
async fn a_full_disk_refuses_whole_batches_and_recovers_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_sqlite(&dir.path().join("chat.db"), Some(SMALL))
        .await
        .unwrap();
    let mut history = History::start(&store).await;
    for round in 1..=3 {
        fill(&mut history, &store).await;
        assert!(history.said > 0);
        expect_exact(&history, &store).await;
        // Full stays full, and reading goes on.
        let text = "words ".repeat(200);
        for _ in 0..3 {
            let fates = history.try_to_say(&store, BATCH, &text).await;
            assert!(fates.iter().all(is_full), "{fates:?}");
        }
        expect_exact(&history, &store).await;
        store.set_max_pages(SMALL + round * 60).await.unwrap();
        history.say(&store, BATCH).await;
        expect_exact(&history, &store).await;
    }
    store.set_max_pages(ROOMY).await.unwrap();
    counts::fold(&store).await.unwrap();
    expect_exact(&history, &store).await;
    store.close().await;
}

#[tokio::test]
async fn numbers_reserved_before_the_disk_was_full_are_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_sqlite(&dir.path().join("chat.db"), Some(SMALL))
        .await
        .unwrap();
    let mut history = History::start(&store).await;
    let scope = |n| {
        Scope::Messages(ChatKey {
            app: history.app,
            number: Number::new(n).unwrap(),
        })
    };
    let want = |scope| Reserve {
        scope,
        size: 256,
        expected_lo: None,
    };
    let (used, scopes) = (scope(1), (100..2_000).map(scope).collect::<Vec<_>>());
    let before = store.reserve(&[want(used)]).await.unwrap()[0];
    fill(&mut history, &store).await;
    let mut last = before.hi;
    let mut refused = false;
    for scope in scopes {
        // New scopes need room; sooner or later there is none.
        match store.reserve(&[want(used), want(scope)]).await {
            Ok(blocks) => last = blocks[0].hi,
            Err(error) => {
                assert!(matches!(error, Error::Unavailable { .. }), "{error}");
                refused = true;
                break;
            }
        }
    }
    assert!(refused, "it is never full");
    assert_eq!(store.high(used).await.unwrap(), last, "both or neither");
    store.set_max_pages(ROOMY).await.unwrap();
    let after = store.reserve(&[want(used)]).await.unwrap()[0];
    assert_eq!(after.lo, last);
    store.close().await;
}
