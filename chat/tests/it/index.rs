//! Comparing the index with the store, where the index knows what the store does not.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use chat::adapters::memory_search::MemorySearch;
use chat::adapters::sql::open_sqlite;
use chat::event::{Command, CreateMessage, Queue};
use chat::model::{
    AppId, ChatKey, Content, Fingerprint, KeyId, MessageKey, Millis, Name, Number, Token, Uid,
};
use chat::ops::{index, persist};
use chat::ports::{IndexDocument, IndexEntry, IndexWrite, KeyRecord, NewApplication};
use chat::ports::{Search, Tenants};

const NOW: Millis = Millis::new(1_700_000_000_000);

fn number(n: u64) -> Number {
    Number::new(n).unwrap()
}

fn uid(n: u8) -> Uid {
    Uid::from_digest([n; 16])
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

#[tokio::test]
async fn a_comparison_removes_what_has_no_row_also_under_a_number_that_has_another_row() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_sqlite(&dir.path().join("chat.db"), None)
        .await
        .unwrap();
    let search = MemorySearch::default();
    let app = AppId::from_stored(7);
    let chat = ChatKey {
        app,
        number: number(1),
    };
    store.create(application(app)).await.unwrap();
    let create = Command::CreateMessage(CreateMessage {
        key: chat.message(number(1)),
        uid: uid(1),
        fingerprint: Fingerprint::of(&[]),
        content: Content::parse("fresh").unwrap(),
        author: None,
        metadata: None,
        reply_to: None,
        created_at: NOW,
        accepted_at: NOW,
    });
    persist::store(&store, Queue::Messages, &[create]).await;
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
