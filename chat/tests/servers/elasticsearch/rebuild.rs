//! Building the index anew and filling a lost one, from a store that is being written to.

use super::LOOK_EVERY;
use super::index::TestIndex;
use super::proxy::{Fault, Proxy};
use chat::adapters::elasticsearch::ElasticIndex;
use chat::adapters::sql::{SqlStore, open_sqlite};
use chat::clock;
use chat::error::{Error, Result};
use chat::event::{Command, CreateMessage, DeleteMessage, Queue};
use chat::model::{
    AppId, ChatKey, Content, Fingerprint, KeyId, MessageKey, Millis, Name, Number, Rev, Token, Uid,
};
use chat::ops::index::{self, AUDIT_PATIENCE, Audited, Pace};
use chat::ops::persist;
use chat::ops::reindex::{self, Progress, Rebuilt, Step};
use chat::ports::{KeyRecord, NewApplication, Rebuild, Search, Tenants};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const NOW: Millis = Millis::new(1_700_000_000_000);
const APP: i64 = 7;

/// A store with chats of messages, and nothing of it in any index.
struct Store {
    rows: SqlStore,
    _dir: TempDir,
}

impl Store {
    async fn with(chats: u64, messages: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let rows = open_sqlite(&dir.path().join("chat.db"), None)
            .await
            .unwrap();
        let application = NewApplication {
            app: AppId::from_stored(APP),
            token: Token::from_random([7; 16]),
            name: Name::parse("rebuild").unwrap(),
            idem_salt: [0; 32],
            idem_key: None,
            key: KeyRecord {
                id: KeyId::from_random(7),
                hash: [0; 32],
                created_at: NOW,
                revoked_at: None,
            },
            now: NOW,
        };
        rows.create(application).await.unwrap();
        let store = Self { rows, _dir: dir };
        for chat in 1..=chats {
            let creates = (1..=messages).map(|number| create(key(chat, number)));
            store.carry_out(creates.collect()).await;
        }
        store
    }

    /// As a worker does it; the index is told separately.
    async fn carry_out(&self, commands: Vec<Command>) {
        persist::store(&self.rows, Queue::Messages, &commands).await;
    }

    async fn audit(&self, index: &dyn Search) -> Audited {
        index::audit(Pace::Full, AUDIT_PATIENCE, &self.rows, index, &mut |_| {})
            .await
            .unwrap()
    }

    async fn rebuild(&self, index: &ElasticIndex, steps: &mut Vec<Step>) -> Result<Rebuilt> {
        self.rebuild_within(AUDIT_PATIENCE, index, steps).await
    }

    async fn rebuild_within(
        &self,
        patience: Duration,
        index: &ElasticIndex,
        steps: &mut Vec<Step>,
    ) -> Result<Rebuilt> {
        let mut progress = |progress: Progress| {
            if steps.last() != Some(&progress.step) {
                steps.push(progress.step);
            }
        };
        reindex::rebuild(&self.rows, index, patience, clock::now(), &mut progress).await
    }
}

fn key(chat: u64, number: u64) -> MessageKey {
    let chat = ChatKey {
        app: AppId::from_stored(APP),
        number: Number::new(chat).unwrap(),
    };
    chat.message(Number::new(number).unwrap())
}

fn create(key: MessageKey) -> Command {
    Command::CreateMessage(CreateMessage {
        key,
        uid: Uid::from_digest(clock::random_bytes()),
        fingerprint: Fingerprint::of(&[]),
        content: Content::parse("a word").unwrap(),
        author: None,
        metadata: None,
        reply_to: None,
        created_at: NOW,
        accepted_at: NOW,
    })
}

fn delete(key: MessageKey, rev: i64) -> Command {
    Command::DeleteMessage(DeleteMessage {
        key,
        rev: Rev::from_stored(rev),
        accepted_at: NOW,
    })
}

async fn opened(test: &TestIndex) -> ElasticIndex {
    test.open().await.looking_every(LOOK_EVERY)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuilt_index_lacks_nothing_that_was_written_meanwhile() {
    let Some(test) = TestIndex::new().await else {
        return;
    };
    let index = opened(&test).await;
    let store = Arc::new(Store::with(30, 20).await);
    index::compare(&store.rows, &index).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (store, stop, index) = (store.clone(), stop.clone(), opened(&test).await);
        async move {
            let mut numbers = 21..;
            while !stop.load(Ordering::Relaxed) {
                let number = numbers.next().unwrap();
                let new = key(1 + number % 3, number);
                let old = key(4, number);
                let rev = i64::try_from(number).unwrap();
                store.carry_out(vec![create(new), create(old)]).await;
                let told = index::index_rows(&store.rows, &index, &[new, old]).await;
                assert_eq!(told.unwrap(), []);
                store.carry_out(vec![delete(old, rev)]).await;
                let told = index::index_rows(&store.rows, &index, &[old]).await;
                assert_eq!(told.unwrap(), []);
            }
        }
    });
    let mut steps = Vec::new();
    let rebuilt = store.rebuild(&index, &mut steps).await;
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();
    let rebuilt = rebuilt.unwrap();
    assert!(rebuilt.name.ends_with("-messages-v2"), "{rebuilt:?}");
    assert!(
        rebuilt.messages >= 600 && rebuilt.rows_written >= 600,
        "{rebuilt:?}"
    );
    assert_eq!(
        steps[..3],
        [Step::Waiting(index.lead()), Step::Copying, Step::Proving]
    );
    let audited = store.audit(&index).await;
    assert_eq!((audited.differing, audited.rows), (0, 0), "{audited:?}");
    assert_eq!(index.unfilled().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_was_cut_off_goes_on_where_it_was() {
    let Some(test) = TestIndex::new().await else {
        return;
    };
    let index = opened(&test).await;
    let store = Store::with(5, 10).await;
    let begun = index.begin().await.unwrap();
    let copied = index::compare(&store.rows, &*begun.search).await.unwrap();
    assert_eq!(copied.rows_written, 50);
    assert_eq!(store.audit(&*begun.search).await.rows, 0);
    let rebuilt = store.rebuild(&index, &mut Vec::new()).await.unwrap();
    assert_eq!((rebuilt.name, rebuilt.rows_written), (begun.name, 0));
    assert_eq!(store.audit(&index).await.rows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_does_not_become_equal_is_not_put_into_use() {
    let Some(test) = TestIndex::new().await else {
        return;
    };
    opened(&test).await;
    let store = Store::with(2, 5).await;
    let proxy = Proxy::before(&test.server.url, None).await;
    let index = test.open_at(&proxy.url()).looking_every(LOOK_EVERY);
    let refused = index_id(&store, key(2, 3)).await;
    proxy.always(Some(Fault::Documents(vec![refused], 400)));
    let error = store
        .rebuild_within(Duration::from_secs(3), &index, &mut Vec::new())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Busy(_)), "{error}");
    assert!(error.to_string().contains("in 1 chats"), "{error}");
    assert_eq!(index.size().await.unwrap(), 0, "the old index is in use");
    proxy.always(None);
    let rebuilt = store.rebuild(&index, &mut Vec::new()).await.unwrap();
    assert_eq!((rebuilt.chats, rebuilt.messages), (2, 10));
    assert_eq!(store.audit(&index).await.rows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_deleted_is_filled_again() {
    let Some(test) = TestIndex::new().await else {
        return;
    };
    let index = opened(&test).await;
    let store = Store::with(20, 10).await;
    let filled = reindex::fill(&store.rows, &index, &index).await.unwrap();
    assert_eq!(filled.unwrap().rows_written, 200);
    assert_eq!(
        reindex::fill(&store.rows, &index, &index).await.unwrap(),
        None
    );
    for name in test.server.indices(&test.prefix).await {
        test.server.remove(&name).await;
    }
    let audited = index::audit(Pace::Full, Duration::ZERO, &store.rows, &index, &mut |_| {}).await;
    assert!(
        matches!(audited, Err(Error::Unavailable { .. })),
        "{audited:?}"
    );
    // Whoever writes next makes it again.
    index::index_rows(&store.rows, &index, &[key(1, 1)])
        .await
        .unwrap();
    let filled = reindex::fill(&store.rows, &index, &index).await.unwrap();
    assert!(
        filled.is_some_and(|filled| filled.rows_written >= 199),
        "{filled:?}"
    );
    assert_eq!(store.audit(&index).await.rows, 0);
}

async fn index_id(store: &Store, key: MessageKey) -> String {
    use chat::ports::AcrossTenants;
    let writes = store.rows.index_writes(&[key]).await.unwrap();
    writes[0].entry().uid.to_string()
}
