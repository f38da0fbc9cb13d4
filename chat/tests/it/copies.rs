//! Copies of a SQLite database made while it is in use, and what starts from one.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::history::History;
use chat::adapters::sql::{SqlStore, backup, open_sqlite};
use chat::error::Error;
use chat::model::{AppId, ChatKey, Millis, Number, Scope};
use chat::ops::{counts, gaps};
use chat::ports::{AcrossTenants, GapLedger, Reserve, Sequences};
use std::path::Path;

async fn open(file: &Path) -> SqlStore {
    open_sqlite(file, None).await.unwrap()
}

async fn take_block(store: &SqlStore, scope: Scope) -> (u64, u64) {
    let want = Reserve {
        scope,
        size: 256,
        expected_lo: None,
    };
    let block = store.reserve(&[want]).await.unwrap()[0];
    (block.lo, block.hi)
}

fn chat(app: AppId, number: u64) -> ChatKey {
    ChatKey {
        app,
        number: Number::new(number).unwrap(),
    }
}

#[tokio::test]
async fn a_copy_never_gives_a_number_that_was_given_after_it_was_made() {
    let dir = tempfile::tempdir().unwrap();
    let (file, copy) = (dir.path().join("chat.db"), dir.path().join("copy.db"));
    let original = open(&file).await;
    let mut history = History::start(&original).await;
    history.say(&original, 5).await;
    let app = history.app;
    let bare = History::application(&original).await;
    take_block(&original, Scope::Chats(app)).await;
    take_block(&original, Scope::Messages(chat(app, 1))).await;
    backup(&file, &copy).await.unwrap();
    // Scopes that were in use, and some that were first used only now.
    let scopes = [
        Scope::Chats(app),
        Scope::Chats(bare),
        Scope::Messages(chat(app, 1)),
        Scope::Messages(chat(app, 2)),
        Scope::Revs(chat(app, 1)),
    ];
    let mut given = Vec::new();
    for scope in scopes {
        given.push(take_block(&original, scope).await.1);
    }
    original.close().await;

    let restored = open(&copy).await;
    for (scope, given) in scopes.into_iter().zip(given) {
        let high = restored.high(scope).await.unwrap();
        let (lo, _) = take_block(&restored, scope).await;
        assert!(lo > given, "{scope:?}: {lo} after {given}");
        let jumps = restored.jumps(scope, 0, lo).await.unwrap();
        assert!(jumps.contains(&high), "{scope:?}: the jump is marked");
    }
    // What was skipped is explained, and the copy is an original from now on.
    let explained = gaps::walk_at_start(&restored, Millis::new(0))
        .await
        .unwrap();
    assert!(explained > 1_000_000);
    let high = restored.high(scopes[0]).await.unwrap();
    restored.close().await;
    let reopened = open(&copy).await;
    assert_eq!(reopened.high(scopes[0]).await.unwrap(), high);
    reopened.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_while_others_write_is_one_moment_of_the_original() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("chat.db");
    let original = open(&file).await;
    let mut history = History::start(&original).await;
    let writing = tokio::spawn({
        let original = original.clone();
        async move {
            for _ in 0..60 {
                history.say(&original, 10).await;
            }
            history
        }
    });
    let mut copies = Vec::new();
    while !writing.is_finished() {
        let copy = dir.path().join(format!("copy {}.db", copies.len()));
        backup(&file, &copy).await.unwrap();
        copies.push(copy);
    }
    let history = writing.await.unwrap();
    for copy in &copies {
        let restored = open(copy).await;
        let stored = restored.messages(None, 10_000).await.unwrap().data.len();
        // Batches of ten, whole ones only.
        assert!(stored <= 600 && stored.is_multiple_of(10), "{stored}");
        let (_, drifts) = counts::audit(&restored, false).await.unwrap();
        assert_eq!(drifts, []);
        restored.close().await;
    }
    assert_eq!(history.said, 600);
    original.close().await;
}

#[tokio::test]
async fn a_copy_overwrites_nothing_and_clears_what_a_broken_one_left() {
    let dir = tempfile::tempdir().unwrap();
    let (file, copy) = (dir.path().join("chat.db"), dir.path().join("copy.db"));
    open(&file).await.close().await;
    std::fs::write(dir.path().join("copy.db.partial"), "half a copy").unwrap();
    backup(&file, &copy).await.unwrap();
    let names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("partial"))
        .collect();
    assert_eq!(names, [""; 0]);
    let before = std::fs::read(&copy).unwrap();
    let refused = backup(&file, &copy).await;
    assert!(
        matches!(refused, Err(Error::Unavailable { part: "backup", .. })),
        "{refused:?}"
    );
    assert_eq!(std::fs::read(&copy).unwrap(), before);
}

#[tokio::test]
async fn what_cannot_be_copied_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy.db");
    let missing = backup(&dir.path().join("chat.db"), &copy).await;
    assert!(
        matches!(missing, Err(Error::Unavailable { .. })),
        "{missing:?}"
    );
    let file = dir.path().join("chat.db");
    open(&file).await.close().await;
    let nowhere = backup(&file, &dir.path().join("no such directory/copy.db")).await;
    assert!(
        matches!(nowhere, Err(Error::Unavailable { .. })),
        "{nowhere:?}"
    );
    assert!(!copy.exists());
}
