//! What every `Reader` and `AcrossTenants` promises, one function per promise.

use super::fixture::{
    NOW, Store, Tenant, again, create_chat, create_message, delete_chat, edit_message, live,
    new_uid, number,
};
use crate::event::{Command, CreateMessage};
use crate::model::{
    Chat, ChatKey, Fingerprint, Gap, GapCause, Message, MessageKey, Number, Scope, Token,
};
use crate::ops::search::words;
use crate::ports::{Digest, Found, IndexWrite, MessagePage, Stored, Window};
use std::collections::BTreeMap;

async fn page(tenant: &Tenant, chat: u64, window: Window, limit: u32) -> MessagePage {
    let reader = &tenant.store.reader;
    let found = reader.messages(tenant.id, number(chat), window, limit);
    live(found.await.expect("messages"))
}

fn numbers(messages: &[Message]) -> Vec<u64> {
    messages
        .iter()
        .map(|message| message.number.get())
        .collect()
}

async fn explain(tenant: &Tenant, chat: u64, gaps: &[(u64, u64)], through: u64) {
    let gaps: Vec<Gap> = gaps
        .iter()
        .map(|&(from, to)| Gap {
            from: number(from),
            to: number(to),
            cause: GapCause::Voided,
            noted_at: NOW,
        })
        .collect();
    let scope = Scope::Messages(tenant.chat(chat));
    again(|| tenant.store.gaps.explain(scope, &gaps, through)).await;
}

// ------------------------------------------------------------------------------------- what can be seen

pub async fn what_was_never_there_is_absent(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    assert_eq!(tenant.read(1, 1).await, Found::Absent);
    assert_eq!(tenant.read(2, 1).await, Found::Absent);
    let reader = &store.reader;
    let chat = reader.chat(tenant.id, number(2)).await.expect("chat");
    assert_eq!(chat, Found::Absent);
    let messages = reader
        .messages(tenant.id, number(2), Window::After(0), 10)
        .await;
    assert_eq!(messages.expect("messages"), Found::Absent);
    let gaps = reader
        .gaps(tenant.id, number(2), 0, 10)
        .await
        .expect("gaps");
    assert_eq!(gaps, Found::Absent);
    let by_uid = reader.message_by_uid(tenant.id, new_uid()).await;
    assert_eq!(by_uid.expect("message_by_uid"), None);
    let by_uid = reader.chat_by_uid(tenant.id, new_uid()).await;
    assert_eq!(by_uid.expect("chat_by_uid"), None);
}

pub async fn a_message_is_seen_only_while_it_its_chat_and_its_application_are_live(store: Store) {
    let tenant = Tenant::with_chats(&store, 3).await;
    for chat in 1..=3 {
        tenant.say(chat, [1, 2]).await;
    }
    tenant.take_back(1, 1, [1]).await;
    assert_eq!(tenant.read(1, 1).await, Found::Deleted);
    live(tenant.read(1, 2).await);
    tenant.carry_out([delete_chat(tenant.chat(2), 1)]).await;
    expect_deleted(&tenant, 2).await;
    let keys: Vec<MessageKey> = (1..=3).map(|chat| tenant.message(chat, 2)).collect();
    let seen = store.reader.messages_by_key(tenant.id, &keys).await;
    let mut seen: Vec<u64> = seen
        .expect("messages_by_key")
        .iter()
        .map(|message| message.chat.get())
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [1, 3]);
    tenant.delete().await;
    expect_deleted(&tenant, 1).await;
    expect_deleted(&tenant, 3).await;
    let seen = store.reader.messages_by_key(tenant.id, &keys).await;
    assert_eq!(seen.expect("messages_by_key"), []);
    let chats = store.reader.chats(tenant.id, 0, 10).await.expect("chats");
    assert_eq!(chats.data, []);
}

async fn expect_deleted(tenant: &Tenant, chat: u64) {
    let (reader, chat) = (&tenant.store.reader, number(chat));
    let message = reader.message(tenant.id, chat, number(2)).await;
    assert_eq!(message.expect("message"), Found::Deleted);
    let unknown = reader.message(tenant.id, chat, number(99)).await;
    assert_eq!(unknown.expect("message"), Found::Deleted);
    let found = reader.chat(tenant.id, chat).await.expect("chat");
    assert_eq!(found, Found::Deleted);
    let messages = reader.messages(tenant.id, chat, Window::After(0), 10).await;
    assert_eq!(messages.expect("messages"), Found::Deleted);
    let gaps = reader.gaps(tenant.id, chat, 0, 10).await.expect("gaps");
    assert_eq!(gaps, Found::Deleted);
}

pub async fn no_tenant_reads_what_is_anothers(store: Store) {
    let own = Tenant::with_chats(&store, 2).await;
    let said = own.say(1, [1, 2]).await;
    explain(&own, 1, &[(3, 4)], 4).await;
    let chat_uid = new_uid();
    let fingerprint = Fingerprint::of(&[b"chat"]);
    again(|| {
        store
            .sequences
            .bind_chat(own.id, chat_uid, number(1), fingerprint)
    })
    .await;
    let other = Tenant::with_chats(&store, 1).await;
    let reader = &store.reader;
    for n in 1..=4 {
        assert_eq!(other.read(1, n).await, Found::Absent);
    }
    let chat = reader.chat(other.id, number(2)).await.expect("chat");
    assert_eq!(chat, Found::Absent);
    let chats = reader.chats(other.id, 0, 10).await.expect("chats").data;
    assert_eq!(chats.len(), 1);
    assert_eq!(chats[0].messages_count, 0);
    assert_eq!(page(&other, 1, Window::After(0), 10).await.data, []);
    assert_eq!(
        page(&other, 1, Window::Before(number(10)), 10).await.data,
        []
    );
    let keys: Vec<MessageKey> = said.iter().map(|create| create.key).collect();
    let by_key = reader.messages_by_key(other.id, &keys).await;
    assert_eq!(by_key.expect("messages_by_key"), []);
    let by_uid = reader.message_by_uid(other.id, said[0].uid).await;
    assert_eq!(by_uid.expect("message_by_uid"), None);
    let by_uid = reader.chat_by_uid(other.id, chat_uid).await;
    assert_eq!(by_uid.expect("chat_by_uid"), None);
    let gaps = live(reader.gaps(other.id, number(1), 0, 10).await.expect("gaps"));
    assert_eq!(gaps.data, []);
}

pub async fn a_uid_names_its_row_for_ever(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let create = tenant.say(1, [4]).await.remove(0);
    let stored = Stored {
        chat: number(1),
        number: number(4),
        fingerprint: create.fingerprint,
    };
    let read = || async {
        let read = store.reader.message_by_uid(tenant.id, create.uid).await;
        read.expect("message_by_uid")
    };
    assert_eq!(read().await, Some(stored));
    tenant.take_back(1, 1, [4]).await;
    assert_eq!(read().await, Some(stored));
}

pub async fn chats_are_listed_ascending_page_by_page(store: Store) {
    let tenant = Tenant::with_chats(&store, 7).await;
    tenant.say(9, [1]).await; // A stub of a chat.
    tenant.say(3, [1, 2]).await;
    tenant.carry_out([delete_chat(tenant.chat(4), 1)]).await;
    let mut listed = Vec::new();
    let mut after = 0;
    loop {
        let page = store
            .reader
            .chats(tenant.id, after, 2)
            .await
            .expect("chats");
        assert!(page.data.len() <= 2);
        listed.extend(
            page.data
                .iter()
                .map(|chat| (chat.number.get(), chat.messages_count)),
        );
        match page.next {
            Some(next) => after = next.get(),
            None => break,
        }
    }
    assert_eq!(listed, [(1, 0), (2, 0), (3, 2), (5, 0), (6, 0), (7, 0)]);
}

// -------------------------------------------------------------------------------------------- windows

/// A chat in which a page of two often finds nothing live: 1 to 60 without every seventh, of which only
/// every eighth is left.
async fn fill_a_chat_with_few_left(tenant: &Tenant) -> Vec<u64> {
    let stored: Vec<u64> = (1..=60).filter(|n| n % 7 != 0).collect();
    tenant.say(1, stored.iter().copied()).await;
    let (left, gone): (Vec<u64>, Vec<u64>) = stored.iter().partition(|n| **n % 8 == 1);
    tenant.take_back(1, 1, gone).await;
    // Stubs in the holes, and many after the end.
    for n in [7, 14, 21, 28].into_iter().chain(61..=90) {
        tenant
            .carry_out([edit_message(tenant.message(1, n), 1_000, "stub")])
            .await;
    }
    tenant.say(1, [91]).await;
    [left, vec![91]].concat()
}

pub async fn windows_forward_show_each_live_message_once(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let left = fill_a_chat_with_few_left(&tenant).await;
    for limit in [1, 2, 3, 100] {
        let (mut walked, mut after) = (Vec::new(), 0);
        loop {
            let page = page(&tenant, 1, Window::After(after), limit).await;
            assert!(page.data.len() <= limit as usize);
            walked.extend(numbers(&page.data));
            let Some(next) = page.next else { break };
            assert!(next.get() > after, "a cursor that goes on");
            after = next.get();
        }
        assert_eq!(walked, left, "in pages of {limit}");
    }
}

pub async fn windows_backward_show_each_live_message_once(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let left = fill_a_chat_with_few_left(&tenant).await;
    for limit in [1, 2, 3, 100] {
        let (mut walked, mut before) = (Vec::new(), Number::MAX);
        loop {
            let page = page(&tenant, 1, Window::Before(before), limit).await;
            assert!(page.data.len() <= limit as usize);
            assert!(numbers(&page.data).is_sorted(), "a window is ascending");
            walked = [numbers(&page.data), walked].concat();
            let Some(next) = page.next else { break };
            assert!(next < before, "a cursor that goes on");
            before = next;
        }
        assert_eq!(walked, left, "in pages of {limit}");
    }
}

pub async fn a_window_before_ends_just_before_it(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    tenant.say(1, 1..=9).await;
    let page = page(&tenant, 1, Window::Before(number(7)), 3).await;
    assert_eq!(numbers(&page.data), [4, 5, 6]);
    assert_eq!(page.next, Some(number(4)));
}

pub async fn an_empty_chat_has_an_empty_window(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    for window in [Window::After(0), Window::Before(number(5))] {
        let expected = MessagePage {
            data: Vec::new(),
            next: None,
            complete_through: 0,
        };
        assert_eq!(page(&tenant, 1, window, 10).await, expected);
    }
    assert_eq!(
        page(&tenant, 1, Window::After(17), 10)
            .await
            .complete_through,
        17
    );
}

pub async fn complete_through_ends_before_the_first_number_that_may_still_come(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let complete = |after: u64, limit| {
        let tenant = tenant.clone();
        async move {
            page(&tenant, 1, Window::After(after), limit)
                .await
                .complete_through
        }
    };
    let said = tenant.say(1, [1, 2, 4]).await;
    assert_eq!(complete(0, 10).await, 2);
    assert_eq!(complete(2, 10).await, 2);
    // Deleted ones and aliases are there; a stub is not.
    tenant.take_back(1, 1, [2]).await;
    tenant
        .carry_out([edit_message(tenant.message(1, 3), 2, "stub")])
        .await;
    assert_eq!(complete(0, 10).await, 2);
    tenant.say(1, [3]).await;
    assert_eq!(complete(0, 10).await, 4);
    let alias = CreateMessage {
        key: tenant.message(1, 5),
        ..said[0].clone()
    };
    tenant.carry_out([Command::CreateMessage(alias)]).await;
    assert_eq!(complete(0, 10).await, 5);
    // Explained gaps count, also beyond the last row, and next to other explained ones.
    explain(&tenant, 1, &[(6, 8)], 8).await;
    assert_eq!(complete(0, 10).await, 8);
    assert_eq!(complete(7, 10).await, 8);
    tenant.say(1, [9, 10, 12]).await;
    assert_eq!(complete(0, 10).await, 10);
    assert_eq!(complete(10, 10).await, 10);
    assert_eq!(complete(11, 10).await, 12);
    // Never beyond what the page looked at, when there is more.
    let first = page(&tenant, 1, Window::After(0), 2).await;
    let next = first.next.map(Number::get);
    assert!(
        first.complete_through <= next.expect("there is more"),
        "{first:?}"
    );
}

pub async fn complete_through_never_falls_behind_the_pages_of_a_walk(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    tenant.say(1, 1..=40).await;
    tenant.take_back(1, 1, 10..=35).await;
    // As `tail` does it: always on from what is complete.
    for limit in [1, 2, 7] {
        let (mut seen, mut after) = (Vec::new(), 0);
        loop {
            let page = page(&tenant, 1, Window::After(after), limit).await;
            seen.extend(
                numbers(&page.data)
                    .into_iter()
                    .filter(|n| *n <= page.complete_through),
            );
            if page.complete_through == after {
                break;
            }
            after = page.complete_through;
        }
        let left: Vec<u64> = (1..=9).chain(36..=40).collect();
        assert_eq!((after, seen), (40, left), "in pages of {limit}");
    }
}

// ------------------------------------------------------------------------------------------------ gaps

pub async fn a_number_in_the_gap_ledger_was_never_stored(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    tenant.say(1, [1, 5]).await;
    explain(&tenant, 1, &[(2, 4)], 5).await;
    for n in 2..=4 {
        assert_eq!(
            tenant.read(1, n).await,
            Found::NeverStored(GapCause::Voided)
        );
    }
    live(tenant.read(1, 1).await);
    live(tenant.read(1, 5).await);
    assert_eq!(tenant.read(1, 6).await, Found::Absent);
}

pub async fn gaps_are_listed_ascending_page_by_page(store: Store) {
    let tenant = Tenant::with_chats(&store, 2).await;
    let gaps = [(2, 4), (6, 6), (9, 20)];
    explain(&tenant, 1, &gaps, 20).await;
    explain(&tenant, 2, &[(1, 3)], 3).await;
    let list = |after, limit| {
        let reader = store.reader.clone();
        async move {
            live(
                reader
                    .gaps(tenant.id, number(1), after, limit)
                    .await
                    .expect("gaps"),
            )
        }
    };
    let ends = |gaps: &[Gap]| -> Vec<(u64, u64)> {
        gaps.iter()
            .map(|gap| (gap.from.get(), gap.to.get()))
            .collect()
    };
    let (mut listed, mut after) = (Vec::new(), 0);
    loop {
        let page = list(after, 1).await;
        listed.extend(ends(&page.data));
        let Some(next) = page.next else { break };
        after = next.get();
    }
    assert_eq!(listed, gaps);
    assert_eq!(ends(&list(3, 10).await.data), gaps);
    assert_eq!(ends(&list(4, 10).await.data), gaps[1..]);
    assert_eq!(ends(&list(20, 10).await.data), []);
}

// -------------------------------------------------------------------------------------- across tenants

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
