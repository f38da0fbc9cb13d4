//! What every `Reader` and `AcrossTenants` promises, one function per promise.

mod across;
mod windows;

pub use across::*;
pub use windows::*;

use super::fixture::{NOW, Store, Tenant, again, delete_chat, live, new_uid, number};
use crate::model::{Fingerprint, Gap, GapCause, Message, MessageKey, Scope};
use crate::ports::{Explanation, Found, MessagePage, Stored, Window};
use futures::future::join_all;

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
    let explanations = [Explanation {
        scope,
        gaps,
        through,
    }];
    again(|| tenant.store.gaps.explain(&explanations)).await;
}

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

pub async fn reads_that_were_given_up_leave_nothing_stale_behind(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    for n in 1..=40 {
        let reading = tokio::spawn({
            let tenant = tenant.clone();
            async move { page(&tenant, 1, Window::After(0), 100).await }
        });
        for _ in 0..n % 9 {
            tokio::task::yield_now().await;
        }
        reading.abort();
        let _ = reading.await;
        tenant.say(1, [n]).await;
        // More at once than a store keeps ready to read with.
        let pages = (0..6).map(|_| page(&tenant, 1, Window::After(0), 100));
        for page in join_all(pages).await {
            assert_eq!(page.complete_through, n, "a snapshot of long ago");
        }
    }
}
