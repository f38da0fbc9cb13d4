//! What administrators and the indexer read: lists, index writes and digests over all tenants.

use super::numbers;
use crate::conformance::fixture::{
    Store, Tenant, create_chat, create_message, delete_chat, edit_message,
};
use crate::event::Command;
use crate::model::{Chat, ChatKey, Message, MessageKey, Token};
use crate::ops::search::words;
use crate::ports::{Digest, IndexWrite};
use std::collections::BTreeMap;

pub async fn a_walk_across_tenants_shows_every_live_chat_and_message_once(store: Store) {
    let mut tenants = [Tenant::new(&store).await, Tenant::new(&store).await];
    tenants.sort_by_key(Tenant::app);
    let [first, second] = tenants;
    first.say(1, [1, 2, 3]).await;
    first.say(2, [1]).await;
    second.say(1, [1, 2]).await;
    let chats = [first.chat(1), first.chat(2), first.chat(3), second.chat(1)];
    first
        .carry_out(chats.map(|chat| Command::CreateChat(create_chat(chat))))
        .await;
    first.take_back(1, 1, [2]).await;
    first.carry_out([delete_chat(first.chat(2), 1)]).await;
    let gone = Tenant::with_chats(&store, 1).await;
    gone.say(1, [1]).await;
    gone.delete().await;
    let own = [first.token, second.token, gone.token];
    for limit in [1, 2, 100] {
        let (mut chats, mut after) = (Vec::new(), None);
        loop {
            let page = store.across.chats(after, limit).await.expect("chats");
            assert!(page.data.len() <= limit as usize);
            let shown =
                |(token, chat): &(Token, Chat)| (*token, chat.number.get(), chat.messages_count);
            chats.extend(page.data.iter().map(shown));
            let Some(next) = page.next else { break };
            after = Some(next);
        }
        chats.retain(|(token, ..)| own.contains(token));
        let expected = [
            (first.token, 1, 2),
            (first.token, 3, 0),
            (second.token, 1, 2),
        ];
        assert_eq!(chats, expected, "in pages of {limit}");
        let (mut messages, mut after) = (Vec::new(), None);
        loop {
            let page = store.across.messages(after, limit).await.expect("messages");
            assert!(page.data.len() <= limit as usize);
            let shown = |(token, message): &(Token, Message)| (*token, message.number.get());
            messages.extend(page.data.iter().map(shown));
            let Some(next) = page.next else { break };
            after = Some(next);
        }
        messages.retain(|(token, _)| own.contains(token));
        let expected = [
            (first.token, 1),
            (first.token, 3),
            (second.token, 1),
            (second.token, 2),
        ];
        assert_eq!(messages, expected, "in pages of {limit}");
    }
}

async fn index_writes(store: &Store, keys: &[MessageKey]) -> BTreeMap<MessageKey, IndexWrite> {
    let writes = store.across.index_writes(keys).await.expect("index_writes");
    let count = writes.len();
    let by_key: BTreeMap<_, _> = writes
        .into_iter()
        .map(|write| (write.entry().key, write))
        .collect();
    assert_eq!(by_key.len(), count, "one write per row");
    by_key
}

pub async fn the_index_is_told_the_state_of_now(store: Store) {
    let tenant = Tenant::with_chats(&store, 2).await;
    let said = tenant.say(1, [1, 2, 3]).await;
    let hidden = tenant.say(2, [1]).await;
    tenant
        .carry_out([edit_message(tenant.message(1, 2), 5, "Changed words")])
        .await;
    tenant.take_back(1, 6, [3]).await;
    tenant
        .carry_out([edit_message(tenant.message(1, 9), 7, "stub")])
        .await;
    tenant.carry_out([delete_chat(tenant.chat(2), 8)]).await;
    let keys = [(1, 1), (1, 2), (1, 3), (1, 9), (1, 10), (2, 1)].map(|(c, n)| tenant.message(c, n));
    let writes = index_writes(&store, &keys).await;
    let version = |c, n| writes[&tenant.message(c, n)].entry().version;
    assert_eq!(
        writes.len(),
        4,
        "nothing for a stub or an unknown number: {writes:?}"
    );
    let IndexWrite::Put(first) = &writes[&tenant.message(1, 1)] else {
        panic!("a live message is put");
    };
    assert_eq!((first.entry.uid, first.entry.version), (said[0].uid, 1));
    assert_eq!(first.words, words("message 1"));
    let IndexWrite::Put(changed) = &writes[&tenant.message(1, 2)] else {
        panic!("an edited message is put");
    };
    assert_eq!(
        (changed.entry.version, &changed.words),
        (6, &words("Changed words"))
    );
    assert!(
        matches!(&writes[&tenant.message(1, 3)], IndexWrite::Remove(entry) if entry.uid == said[2].uid)
    );
    assert_eq!(version(1, 3), 7);
    // Live under a deleted parent: above the version the index has.
    assert!(
        matches!(&writes[&tenant.message(2, 1)], IndexWrite::Remove(entry) if entry.uid == hidden[0].uid)
    );
    assert!(version(2, 1) > 1);
}

pub async fn digests_tell_what_the_index_should_hold(store: Store) {
    let tenant = Tenant::with_chats(&store, 4).await;
    for chat in 1..=3 {
        tenant.say(chat, 1..=5).await;
    }
    tenant
        .carry_out([edit_message(tenant.message(1, 2), 5, "edited")])
        .await;
    tenant.take_back(1, 6, [3]).await;
    tenant.take_back(2, 1, 1..=5).await;
    tenant.carry_out([delete_chat(tenant.chat(3), 1)]).await;
    let mut expected = Digest::default();
    let keys: Vec<MessageKey> = (1..=5).map(|n| tenant.message(1, n)).collect();
    for write in index_writes(&store, &keys).await.values() {
        if let IndexWrite::Put(document) = write {
            expected.add(document.entry.uid, document.entry.version);
        }
    }
    assert_eq!(expected.count, 4);
    for limit in [1, 2, 100] {
        let (mut digests, mut after) = (Vec::new(), None);
        loop {
            let page = store.across.digests(after, limit).await.expect("digests");
            assert!(page.is_sorted_by_key(|(chat, _)| *chat) && page.len() <= limit as usize);
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            digests.extend(page);
        }
        digests.retain(|(chat, _)| chat.app == tenant.app());
        assert_eq!(digests, [(tenant.chat(1), expected)], "in pages of {limit}");
    }
}

pub async fn message_keys_are_listed_above_a_number(store: Store) {
    let tenant = Tenant::with_chats(&store, 2).await;
    tenant.say(1, [1, 2, 4, 5]).await;
    tenant.say(2, [1, 3]).await;
    tenant.take_back(1, 1, [2]).await;
    let keys = |chat: ChatKey, after, limit| {
        let across = store.across.clone();
        async move {
            let keys = across.message_keys(chat, after, limit).await;
            keys.expect("message_keys")
                .iter()
                .map(|key| key.number.get())
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(keys(tenant.chat(1), 0, 3).await, [1, 2, 4]);
    assert_eq!(keys(tenant.chat(1), 4, 3).await, [5]);
    assert_eq!(keys(tenant.chat(1), 5, 3).await, [0_u64; 0]);
}

pub async fn a_stored_message_is_read_by_key_whatever_the_order_of_the_keys(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let texts = (1..=150).map(|n| create_message(tenant.message(1, n), &format!("text {n}")));
    tenant.carry_out(texts.map(Command::CreateMessage)).await;
    let mut keys: Vec<MessageKey> = (1..=160).map(|n| tenant.message(1, n)).collect();
    keys.reverse();
    let read = store.reader.messages_by_key(tenant.id, &keys).await;
    let mut numbers = numbers(&read.expect("messages_by_key"));
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=150).collect::<Vec<_>>());
}
