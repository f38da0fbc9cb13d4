//! What every `Upkeep` promises, one function per promise.

mod purge;

pub use purge::*;

use super::fixture::{NOW, Store, Tenant, again, delete_chat};
use crate::model::{AppId, MessageKey};
use crate::ports::{Audit, Drift, Purged};
use crate::rows::{Counted, Existing, Keys, LedgerEntry, Plan};
use futures::future::join_all;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

async fn audit(store: &Store, after: Option<Counted>, limit: u32) -> Audit {
    store.upkeep.audit(after, limit).await.expect("audit")
}

/// What a whole audit finds wrong with a tenant's counts, and what it looked at.
async fn drifts(tenant: &Tenant) -> (Vec<Drift>, u64) {
    let (mut drifts, mut checked, mut after) = (Vec::new(), 0, None);
    loop {
        let page = audit(&tenant.store, after, 50).await;
        checked += u64::from(page.checked);
        drifts.extend(page.drifts);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    drifts.retain(|drift| app_of(drift.counted) == tenant.app());
    (drifts, checked)
}

fn app_of(counted: Counted) -> AppId {
    match counted {
        Counted::ChatsOf(app) => app,
        Counted::MessagesOf(chat) => chat.app,
    }
}

/// Writes a ledger row that no row stands for.
async fn plant(tenant: &Tenant, counted: Counted, change: i64) {
    plant_all(tenant, &[LedgerEntry { counted, change }]).await;
}

async fn plant_all(tenant: &Tenant, entries: &[LedgerEntry]) {
    let lie = |_: &Existing| Plan {
        ledger: entries.to_vec(),
        ..Plan::default()
    };
    let nothing = Keys::default();
    again(|| tenant.store.writer.apply(&nothing, &lie)).await;
}

async fn purge(store: &Store, limit: u32) -> Purged {
    let messages = again(|| store.upkeep.to_purge(limit)).await;
    again(|| store.upkeep.purge(&messages, limit, NOW.plus(7))).await
}

/// Purges until none is left; the keys of the messages.
async fn purge_all(store: &Store, limit: u32) -> Vec<MessageKey> {
    let mut keys = Vec::new();
    loop {
        let purged = purge(store, limit).await;
        assert!(purged.rows <= limit, "at most {limit}: {purged:?}");
        if purged.rows == 0 {
            assert_eq!(purged, Purged::default());
            return keys;
        }
        keys.extend(purged.messages);
    }
}

pub async fn counts_are_right_before_and_after_a_fold(store: Store) {
    let tenant = Tenant::with_chats(&store, 3).await;
    tenant.say(1, 1..=20).await;
    tenant.take_back(1, 1, [2, 3]).await;
    for _ in 0..2 {
        assert_eq!(tenant.chats_count().await, 3);
        assert_eq!(tenant.messages_count(1).await, 18);
        assert_eq!(tenant.messages_count(2).await, 0);
        store.fold().await;
    }
    tenant.say(1, [21]).await;
    tenant.carry_out([delete_chat(tenant.chat(3), 1)]).await;
    assert_eq!(tenant.messages_count(1).await, 19);
    assert_eq!(tenant.chats_count().await, 2);
}

pub async fn a_fold_says_how_much_it_folded(store: Store) {
    store.fold().await;
    let tenant = Tenant::with_chats(&store, 1).await;
    for n in 1..=5 {
        tenant.say(1, [n]).await;
    }
    // One row for the chat, one for each batch of messages.
    assert_eq!(again(|| store.upkeep.fold(4)).await, 4);
    assert_eq!(again(|| store.upkeep.fold(4)).await, 2);
    assert_eq!(again(|| store.upkeep.fold(4)).await, 0);
    assert_eq!(tenant.messages_count(1).await, 5);
}

pub async fn a_count_that_falls_to_none_is_none(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    tenant.say(1, 1..=3).await;
    store.fold().await;
    tenant.take_back(1, 1, 1..=3).await;
    store.fold().await;
    assert_eq!(tenant.messages_count(1).await, 0);
    tenant.say(1, [4]).await;
    store.fold().await;
    assert_eq!(tenant.messages_count(1).await, 1);
}

pub async fn many_counts_are_folded_at_once(store: Store) {
    const CHATS: u64 = 150;
    let tenant = Tenant::with_chats(&store, CHATS).await;
    let entry = |chat, change| LedgerEntry {
        counted: Counted::MessagesOf(tenant.chat(chat)),
        change,
    };
    let change = |chat: u64| i64::try_from(chat).expect("it is small");
    let expect = async |count: fn(u64) -> u64| {
        for chat in 1..=CHATS {
            assert_eq!(tenant.messages_count(chat).await, count(chat), "of {chat}");
        }
    };
    let up: Vec<_> = (1..=CHATS).map(|chat| entry(chat, change(chat))).collect();
    plant_all(&tenant, &up).await;
    store.fold_all_at_once().await;
    expect(|chat| chat).await;

    // Up, down, and to none, whether there was something before or not.
    let both: Vec<_> = (1..=CHATS)
        .flat_map(|chat| match chat % 3 {
            0 => vec![entry(chat, 1), entry(chat, 1)],
            1 => vec![entry(chat, 5), entry(chat, -change(chat) - 5)],
            _ => vec![entry(chat, 5), entry(chat, -6)],
        })
        .collect();
    plant_all(&tenant, &both).await;
    store.fold_all_at_once().await;
    expect(|chat| match chat % 3 {
        0 => chat + 2,
        1 => 0,
        _ => chat - 1,
    })
    .await;
}

pub async fn counts_are_exact_in_every_snapshot(store: Store) {
    const WRITERS: u64 = 4;
    let tenant = Tenant::with_chats(&store, WRITERS).await;
    let done = Arc::new(AtomicBool::new(false));
    // Each writer has a chat of its own, so it knows the count after each of its batches.
    let writers = (1..=WRITERS).map(|chat| {
        let tenant = tenant.clone();
        tokio::spawn(async move {
            for round in 0..12 {
                let numbers = round * 10 + 1..=round * 10 + 10;
                tenant.say(chat, numbers.clone()).await;
                assert_eq!(tenant.messages_count(chat).await, round * 7 + 10);
                let rev = i64::try_from(round * 3 + 1).expect("it is small");
                tenant.take_back(chat, rev, numbers.take(3)).await;
                assert_eq!(tenant.messages_count(chat).await, round * 7 + 7);
            }
        })
    });
    let folders = (0..2).map(|_| {
        let (store, done) = (store.clone(), done.clone());
        tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                again(|| store.upkeep.fold(3)).await;
                tokio::task::yield_now().await;
            }
        })
    });
    let auditor = tokio::spawn({
        let (tenant, done) = (tenant.clone(), done.clone());
        async move {
            let mut audits = 0_u32;
            while !done.load(Ordering::Relaxed) {
                let (drifts, _) = drifts(&tenant).await;
                assert_eq!(drifts, [], "a count differs from its rows");
                audits += 1;
            }
            audits
        }
    });
    let folders: Vec<_> = folders.collect();
    for writer in join_all(writers).await {
        writer.expect("every count is exact");
    }
    done.store(true, Ordering::Relaxed);
    for folder in join_all(folders).await {
        folder.expect("folding works");
    }
    assert!(auditor.await.expect("every audit finds exact counts") > 0);
    for chat in 1..=WRITERS {
        assert_eq!(tenant.messages_count(chat).await, 84);
    }
}

pub async fn any_number_of_folders_fold_each_change_once(store: Store) {
    let tenant = Tenant::with_chats(&store, 3).await;
    for n in 1..=40 {
        tenant.say(n % 3 + 1, [n]).await;
    }
    let folders = (0..6).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.fold().await })
    });
    for folder in join_all(folders).await {
        folder.expect("folding works");
    }
    store.fold().await;
    assert_eq!(drifts(&tenant).await.0, []);
    let mut counts = Vec::new();
    for chat in 1..=3 {
        counts.push(tenant.messages_count(chat).await);
    }
    assert_eq!(counts, [13, 14, 13]);
}

pub async fn a_fold_that_is_cut_off_folds_all_or_nothing(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    for n in 1..=20 {
        tenant.say(1, [n]).await;
        let folding = tokio::spawn({
            let store = store.clone();
            async move { store.upkeep.fold(100).await }
        });
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
        folding.abort();
        let _ = folding.await;
        assert_eq!(tenant.messages_count(1).await, n);
    }
    store.fold().await;
    assert_eq!(tenant.messages_count(1).await, 20);
    assert_eq!(drifts(&tenant).await.0, []);
}

pub async fn an_audit_finds_a_wrong_count_and_repair_mends_it(store: Store) {
    let tenant = Tenant::with_chats(&store, 2).await;
    tenant.say(1, 1..=5).await;
    store.fold().await;
    let messages = Counted::MessagesOf(tenant.chat(1));
    let chats = Counted::ChatsOf(tenant.app());
    plant(&tenant, messages, 3).await;
    plant(&tenant, chats, -1).await;
    let (mut found, checked) = drifts(&tenant).await;
    found.sort_by_key(|drift| drift.counted);
    let expected = [
        Drift {
            counted: chats,
            said: 1,
            rows: 2,
        },
        Drift {
            counted: messages,
            said: 8,
            rows: 5,
        },
    ];
    assert_eq!(found, expected);
    assert!(checked >= 3, "two chats and their application");
    // Two who found the same mend it once.
    for drift in found.iter().chain(&found) {
        again(|| store.upkeep.repair(drift)).await;
    }
    assert_eq!(drifts(&tenant).await.0, []);
    assert_eq!(tenant.messages_count(1).await, 5);
    store.fold().await;
    assert_eq!(drifts(&tenant).await.0, []);
}

pub async fn an_audit_in_pages_checks_everything_once(store: Store) {
    let tenant = Tenant::with_chats(&store, 3).await;
    tenant.say(1, [1]).await;
    tenant.say(9, [1]).await; // Under a stub of a chat.
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = audit(&store, after, 1).await;
        assert!(page.checked <= 1);
        let Some(next) = page.next else { break };
        assert!(after < Some(next), "a position that goes on");
        after = Some(next);
        seen.push(next);
    }
    let own: BTreeSet<Counted> = seen
        .into_iter()
        .filter(|counted| app_of(*counted) == tenant.app())
        .collect();
    let mut expected: BTreeSet<Counted> = [1, 2, 3, 9]
        .map(|n| Counted::MessagesOf(tenant.chat(n)))
        .into();
    expected.insert(Counted::ChatsOf(tenant.app()));
    assert_eq!(own, expected);
}
