//! Purging under deleted parents, and removing what is left of deleted applications.

use super::{drifts, purge, purge_all};
use crate::conformance::fixture::{
    NOW, Store, Tenant, again, create_chat, create_message, delete_chat, delete_message, live,
    number,
};
use crate::event::Command;
use crate::model::{MessageKey, Millis};
use crate::ports::Found;
use crate::rows::Outcome;
use futures::future::join_all;
use std::collections::BTreeSet;

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

pub async fn the_index_is_told_the_same_before_a_purge_as_after_it(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    tenant.say(1, 1..=3).await;
    tenant.carry_out([delete_chat(tenant.chat(1), 2)]).await;
    let keys: Vec<MessageKey> = (1..=3).map(|n| tenant.message(1, n)).collect();
    let told = async || {
        let writes = store.across.index_writes(&keys).await.expect("writes");
        let mut told: Vec<_> = writes
            .iter()
            .map(|write| (*write.entry(), write.order()))
            .collect();
        told.sort_unstable_by_key(|(entry, _)| entry.key);
        told
    };
    let before = told().await;
    assert!(before.iter().all(|(_, order)| *order == (2, true)));
    purge_all(&store, 10).await;
    assert_eq!(told().await, before);
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
