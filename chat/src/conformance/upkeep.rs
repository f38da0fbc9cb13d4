//! What every `Upkeep` promises, one function per promise.

use super::fixture::{
    NOW, Store, Tenant, again, create_chat, create_message, delete_chat, delete_message, live,
    number,
};
use crate::event::Command;
use crate::model::{MessageKey, Millis};
use crate::ports::{Audit, Drift, Found, Purged};
use crate::rows::{Counted, Existing, Keys, LedgerEntry, Outcome, Plan};
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

fn app_of(counted: Counted) -> crate::model::AppId {
    match counted {
        Counted::ChatsOf(app) => app,
        Counted::MessagesOf(chat) => chat.app,
    }
}

/// Writes a ledger row that no row stands for.
async fn plant(tenant: &Tenant, counted: Counted, change: i64) {
    let lie = move |_: &Existing| Plan {
        ledger: vec![LedgerEntry { counted, change }],
        ..Plan::default()
    };
    let nothing = Keys::default();
    again(|| tenant.store.writer.apply(&nothing, &lie)).await;
}

async fn purge(store: &Store, limit: u32) -> Purged {
    again(|| store.upkeep.purge(limit, NOW.plus(7))).await
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

// ---------------------------------------------------------------------------------------------- counts

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

// ----------------------------------------------------------------------------------------------- purge

pub async fn a_purge_blanks_what_is_left_under_a_deleted_chat(store: Store) {
    let tenant = Tenant::with_chats(&store, 2).await;
    tenant.say(1, 1..=25).await;
    tenant.say(2, 1..=3).await;
    tenant.take_back(1, 1, [4]).await;
    store.fold().await;
    tenant.carry_out([delete_chat(tenant.chat(1), 2)]).await;
    let mut purged = purge_all(&store, 10).await;
    purged.retain(|key| key.chat.app == tenant.app());
    purged.sort_unstable();
    let expected: Vec<MessageKey> = (1..=25)
        .filter(|n| *n != 4)
        .map(|n| tenant.message(1, n))
        .collect();
    assert_eq!(purged, expected, "each live message once, and no other");
    assert_eq!(drifts(&tenant).await.0, []);
    assert_eq!(tenant.messages_count(2).await, 3);
    live(tenant.read(2, 1).await);
    // The index is told a version above the one it has.
    let writes = store
        .across
        .index_writes(&expected)
        .await
        .expect("index_writes");
    assert!(
        writes.iter().all(|write| write.order() == (2, true)),
        "{writes:?}"
    );
}

pub async fn a_purge_finds_every_deleted_chat_however_few_it_may_do_at_once(store: Store) {
    let tenant = Tenant::with_chats(&store, 9).await;
    for chat in 1..=9 {
        tenant.say(chat, [1, 2]).await;
    }
    tenant
        .carry_out((1..=8).map(|chat| delete_chat(tenant.chat(chat), 1)))
        .await;
    let purged = purge_all(&store, 3).await;
    let own = purged.iter().filter(|key| key.chat.app == tenant.app());
    assert_eq!(own.count(), 16, "two in each of eight chats");
    assert_eq!(tenant.messages_count(9).await, 2);
}

pub async fn a_message_that_comes_after_the_purge_is_found_by_the_next(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    tenant.say(1, [1]).await;
    tenant.carry_out([delete_chat(tenant.chat(1), 1)]).await;
    purge_all(&store, 10).await;
    tenant.say(1, [2]).await;
    assert_eq!(tenant.read(1, 2).await, Found::Deleted);
    assert!(purge_all(&store, 10).await.contains(&tenant.message(1, 2)));
    store.fold().await;
    assert!(!purge_all(&store, 10).await.contains(&tenant.message(1, 2)));
    assert_eq!(drifts(&tenant).await.0, []);
}

pub async fn a_purge_goes_down_from_a_deleted_application(store: Store) {
    let tenant = Tenant::with_chats(&store, 4).await;
    let neighbour = Tenant::with_chats(&store, 1).await;
    for chat in 1..=4 {
        tenant.say(chat, 1..=3).await;
    }
    neighbour.say(1, [1]).await;
    tenant.delete().await;
    let purged = purge_all(&store, 5).await;
    let own = purged.iter().filter(|key| key.chat.app == tenant.app());
    assert_eq!(own.count(), 12);
    assert!(purged.iter().all(|key| key.chat.app != neighbour.app()));
    assert_eq!(drifts(&tenant).await.0, []);
    assert_eq!(neighbour.messages_count(1).await, 1);
}

pub async fn purges_at_once_purge_each_message_once(store: Store) {
    let tenant = Tenant::with_chats(&store, 3).await;
    for chat in 1..=3 {
        tenant.say(chat, 1..=20).await;
    }
    tenant
        .carry_out((1..=3).map(|chat| delete_chat(tenant.chat(chat), 1)))
        .await;
    let purges = (0..4).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { purge_all(&store, 4).await })
    });
    let mut keys: Vec<MessageKey> = Vec::new();
    for purge in join_all(purges).await {
        keys.extend(purge.expect("purging works"));
    }
    keys.extend(purge_all(&store, 4).await);
    let unique: BTreeSet<MessageKey> = keys.iter().copied().collect();
    assert_eq!((keys.len(), unique.len()), (60, 60));
    assert_eq!(drifts(&tenant).await.0, []);
}

// ---------------------------------------------------------------------------------------------- remove

/// Removes until nothing is left of applications deleted before `before`.
async fn remove_all(store: &Store, before: Millis) -> u32 {
    let mut all = 0;
    loop {
        match again(|| store.upkeep.remove(4, before)).await {
            0 => return all,
            removed => all += removed,
        }
    }
}

pub async fn a_removed_application_leaves_only_its_tombstone(store: Store) {
    let (tenant, neighbour) = (
        Tenant::with_chats(&store, 3).await,
        Tenant::with_chats(&store, 1).await,
    );
    for chat in 1..=3 {
        tenant.say(chat, 1..=4).await;
    }
    neighbour.say(1, [1]).await;
    tenant.delete().await;
    purge_all(&store, 100).await;
    store.fold().await;
    assert!(remove_all(&store, NOW.plus(1)).await > 12);
    let keys = store.across.message_keys(tenant.chat(1), 0, 10).await;
    assert_eq!(keys.expect("message_keys"), []);
    let chat = store.reader.chat(tenant.id, number(1)).await.expect("chat");
    assert_eq!(chat, Found::Absent);
    assert_eq!(drifts(&tenant).await.0, []);
    // What comes late finds the tombstone.
    let late = [
        Command::CreateChat(create_chat(tenant.chat(9))),
        Command::CreateMessage(create_message(tenant.message(1, 9), "late")),
    ];
    assert_eq!(
        tenant.carry_out(late).await,
        [Outcome::ApplicationDeleted; 2]
    );
    assert_eq!(neighbour.messages_count(1).await, 1);
    assert_eq!(neighbour.chats_count().await, 1);
}

pub async fn nothing_is_removed_before_its_time_or_while_anything_is_live(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    tenant.say(1, [1]).await;
    tenant.delete().await;
    let keys = || async {
        let keys = store.across.message_keys(tenant.chat(1), 0, 10).await;
        keys.expect("message_keys").len()
    };
    remove_all(&store, NOW.plus(1)).await;
    assert_eq!(keys().await, 1, "still live");
    purge_all(&store, 100).await;
    store.fold().await;
    remove_all(&store, NOW).await;
    assert_eq!(keys().await, 1, "deleted a moment ago");
    remove_all(&store, NOW.plus(1)).await;
    assert_eq!(keys().await, 0);
}

pub async fn deletes_purges_and_folds_at_once_end_exact(store: Store) {
    let tenant = Tenant::with_chats(&store, 4).await;
    let writers = (1..=4).map(|chat| {
        let tenant = tenant.clone();
        tokio::spawn(async move {
            for round in 0..8 {
                tenant.say(chat, round * 5 + 1..=round * 5 + 5).await;
                let rev = i64::try_from(round + 1).expect("it is small");
                tenant
                    .carry_out([delete_message(tenant.message(chat, round * 5 + 2), rev)])
                    .await;
                if chat <= 2 && round == 4 {
                    tenant
                        .carry_out([delete_chat(tenant.chat(chat), 100)])
                        .await;
                }
            }
        })
    });
    let keepers = (0..2).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..20 {
                again(|| store.upkeep.fold(5)).await;
                purge(&store, 3).await;
            }
        })
    });
    let (writers, keepers): (Vec<_>, Vec<_>) = (writers.collect(), keepers.collect());
    for task in join_all(writers.into_iter().chain(keepers)).await {
        task.expect("everything works at once");
    }
    purge_all(&store, 100).await;
    assert_eq!(drifts(&tenant).await.0, []);
    assert_eq!(tenant.chats_count().await, 2);
    assert_eq!(tenant.messages_count(3).await, 32);
    for n in 1..=40 {
        assert_eq!(tenant.read(1, n).await, Found::Deleted);
    }
}
