//! Comparing the index with the store, where the index knows what the store does not.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use chat::adapters::memory_search::MemorySearch;
use chat::adapters::sql::{SqlStore, open_sqlite};
use chat::event::{Command, CreateMessage, Queue};
use chat::model::{
    AppId, ChatKey, Content, Fingerprint, KeyId, MessageKey, Millis, Name, Number, Token, Uid,
};
use chat::ops::index::Pace;
use chat::ops::{index, persist};
use chat::ports::{IndexDocument, IndexEntry, IndexWrite, KeyRecord, NewApplication};
use chat::ports::{Search, Tenants};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const NOW: Millis = Millis::new(1_700_000_000_000);

fn number(n: u64) -> Number {
    Number::new(n).unwrap()
}

fn uid(n: u8) -> Uid {
    Uid::from_digest([n; 16])
}

fn new_uid() -> Uid {
    Uid::from_digest(chat::clock::random_bytes())
}

fn application(app: AppId) -> NewApplication {
    NewApplication {
        app,
        token: Token::from_random([7; 16]),
        name: Name::parse("index").unwrap(),
        idem_salt: [0; 32],
        idem_key: None,
        key: KeyRecord {
            id: KeyId::from_random(7),
            hash: [0; 32],
            created_at: NOW,
            revoked_at: None,
        },
        now: NOW,
    }
}

fn document(key: MessageKey, uid: Uid) -> IndexWrite {
    IndexWrite::Put(IndexDocument {
        entry: IndexEntry {
            key,
            uid,
            version: 1,
        },
        words: "stale".into(),
        author: None,
        created_at: NOW,
    })
}

fn create(key: MessageKey, uid: Uid) -> Command {
    Command::CreateMessage(CreateMessage {
        key,
        uid,
        fingerprint: Fingerprint::of(&[]),
        content: Content::parse("fresh").unwrap(),
        author: None,
        metadata: None,
        reply_to: None,
        created_at: NOW,
        accepted_at: NOW,
    })
}

/// A store with messages 1 to `messages` in chat 1, and an empty index.
async fn filled_store(dir: &Path, messages: u8) -> (SqlStore, MemorySearch, ChatKey) {
    let store = open_sqlite(&dir.join("chat.db"), None).await.unwrap();
    let app = AppId::from_stored(7);
    let chat = ChatKey {
        app,
        number: number(1),
    };
    store.create(application(app)).await.unwrap();
    let creates = (1..=messages).map(|n| create(chat.message(number(u64::from(n))), uid(n)));
    persist::store(&store, Queue::Messages, &creates.collect::<Vec<_>>()).await;
    (store, MemorySearch::default(), chat)
}

async fn audited(store: &SqlStore, search: &MemorySearch) -> (u64, u64) {
    let audited = index::audit(Pace::Half, Duration::ZERO, store, search, &mut |_| {})
        .await
        .unwrap();
    assert_eq!(audited.named.len() as u64, audited.differing);
    (audited.messages, audited.rows)
}

#[tokio::test]
async fn a_comparison_removes_what_has_no_row_also_under_a_number_that_has_another_row() {
    let dir = tempfile::tempdir().unwrap();
    let (store, search, chat) = filled_store(dir.path(), 1).await;
    let stale = [
        document(chat.message(number(1)), uid(2)),
        document(chat.message(number(9)), uid(3)),
    ];
    search.write(&stale).await.unwrap();

    let first = index::compare(&store, &search).await.unwrap();
    let second = index::compare(&store, &search).await.unwrap();

    assert_eq!((first.chats, first.differing), (1, 1));
    assert_eq!((second.chats, second.differing), (1, 0));
    let left = search.entries(chat, 0, 10).await.unwrap();
    assert_eq!(
        left,
        [IndexEntry {
            key: chat.message(number(1)),
            uid: uid(1),
            version: 1
        }]
    );
}

#[tokio::test]
async fn an_audit_counts_what_is_missing_and_what_is_left_over_and_mends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, search, chat) = filled_store(dir.path(), 3).await;
    let keys = [1, 2].map(|n| chat.message(number(n)));
    index::index_rows(&store, &search, &keys).await.unwrap();
    let of_nothing = [
        document(chat.message(number(2)), uid(9)),
        document(chat.message(number(8)), uid(8)),
    ];
    search.write(&of_nothing).await.unwrap();
    // Number 3 is missing.
    assert_eq!(audited(&store, &search).await, (3, 3));
    assert_eq!(audited(&store, &search).await, (3, 3));
    index::compare(&store, &search).await.unwrap();
    assert_eq!(audited(&store, &search).await, (3, 0));
}

#[tokio::test]
async fn an_audit_waits_for_rows_on_their_way_to_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let (store, search, _) = filled_store(dir.path(), 3).await;
    let (store, search) = (Arc::new(store), Arc::new(search));
    let on_the_way = tokio::spawn({
        let (store, search) = (store.clone(), search.clone());
        async move { index::compare(&*store, &*search).await.unwrap() }
    });
    let patience = Duration::from_secs(60);
    let audited = index::audit(Pace::Full, patience, &*store, &*search, &mut |_| {})
        .await
        .unwrap();
    assert_eq!(audited.rows, 0);
    on_the_way.await.unwrap();
}

#[tokio::test]
async fn a_comparison_writes_many_chats_and_large_ones_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (store, search, chat) = filled_store(dir.path(), 1).await;
    let large = (2..=2_500).map(|n| create(chat.message(number(n)), new_uid()));
    let small = (2..=40).map(|n| {
        let chat = ChatKey {
            number: number(n),
            ..chat
        };
        create(chat.message(number(1)), new_uid())
    });
    let creates: Vec<Command> = large.chain(small).collect();
    for batch in creates.chunks(500) {
        persist::store(&store, Queue::Messages, batch).await;
    }
    let mut said = Vec::new();
    let mut say = |so_far| said.push(so_far);
    let compared = index::compare_at(Pace::Full, &store, &search, &mut say)
        .await
        .unwrap();
    assert_eq!((compared.chats, compared.messages), (40, 2_539));
    assert_eq!((compared.differing, compared.rows_written), (40, 2_539));
    assert_eq!(said.len(), 40);
    assert_eq!(audited(&store, &search).await, (2_539, 0));
    assert_eq!(index::compare(&store, &search).await.unwrap().differing, 0);
}
