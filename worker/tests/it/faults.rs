//! Backends that fail: nobody is told a lie, nothing is half done, and it goes on by itself.

use crate::world::{World, eventually, is_unknown};
use async_trait::async_trait;
use chat::backends::Embedded;
use chat::error::{Error, Result};
use chat::model::{ChatKey, MessageKey, Number, Problem, Uid};
use chat::ops::counts;
use chat::ports::{Digest, Hits, IndexEntry, IndexWrite, Planner, Search, SearchRequest, Writer};
use chat::rows::{Existing, Keys, Plan};
use futures::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A writer with a bug: it panics over messages that say so, and refuses others.
struct Fussy {
    writer: Arc<dyn Writer>,
    away: Arc<AtomicBool>,
}

fn any_says(plan: &Plan, text: &str) -> bool {
    let mut contents = plan
        .new_messages
        .iter()
        .filter_map(|row| row.content.as_ref());
    contents.any(|content| content.as_str() == text)
}

#[async_trait]
impl Writer for Fussy {
    async fn apply(&self, keys: &Keys, plan: &Planner<'_>) -> Result<Plan> {
        if self.away.load(Ordering::Relaxed) {
            return Err(Error::unavailable("database", "away"));
        }
        let refused = AtomicBool::new(false);
        let look = |existing: &Existing| {
            let plan = plan(existing);
            assert!(!any_says(&plan, "panic"), "a bug");
            if any_says(&plan, "refuse") {
                refused.store(true, Ordering::Relaxed);
                return Plan::default();
            }
            plan
        };
        let applied = self.writer.apply(keys, &look).await?;
        match refused.load(Ordering::Relaxed) {
            true => Err(Error::invalid(
                "content",
                Problem::new("is refused", "say something else"),
            )),
            false => Ok(applied),
        }
    }
}

/// An index that can be away.
struct Index {
    search: Arc<dyn Search>,
    away: Arc<AtomicBool>,
}

#[async_trait]
impl Search for Index {
    async fn write(&self, writes: &[IndexWrite]) -> Result<Vec<Result<()>>> {
        match self.away.load(Ordering::Relaxed) {
            true => Err(Error::unavailable("index", "away")),
            false => self.search.write(writes).await,
        }
    }
    async fn query(&self, request: &SearchRequest) -> Result<Hits> {
        self.search.query(request).await
    }
    async fn version(&self, key: MessageKey, uid: Uid) -> Result<Option<u64>> {
        self.search.version(key, uid).await
    }
    async fn digests(&self, after: Option<ChatKey>, limit: u32) -> Result<Vec<(ChatKey, Digest)>> {
        self.search.digests(after, limit).await
    }
    async fn entries(&self, chat: ChatKey, after: u64, limit: u32) -> Result<Vec<IndexEntry>> {
        self.search.entries(chat, after, limit).await
    }
    async fn ready(&self) -> Result<()> {
        self.search.ready().await
    }
}

fn with_fussy_writer(away: &Arc<AtomicBool>) -> impl FnOnce(&mut Embedded) + use<> {
    let away = away.clone();
    move |embedded| {
        let writer = embedded.work.writer.clone();
        embedded.work.writer = Arc::new(Fussy { writer, away });
    }
}

fn with_index(away: &Arc<AtomicBool>) -> impl FnOnce(&mut Embedded) + use<> {
    let away = away.clone();
    move |embedded| {
        let search = embedded.work.search.clone();
        embedded.work.search = Arc::new(Index { search, away });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_tells_its_publisher_at_once_and_ends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let never = Arc::default();
    let world = World::start_with(dir.path(), None, with_fussy_writer(&never)).await;
    let chat = world.chat().await;
    for round in 0..3 {
        let started = std::time::Instant::now();
        let error = chat.say("panic").await.unwrap_err();
        let Error::OutcomeUnknown {
            number: Some(number),
            uid: Some(_),
        } = error
        else {
            panic!("not this error: {error:?}");
        };
        assert_eq!(number.get(), round * 2 + 1);
        assert!(
            started.elapsed().as_secs() < 4,
            "not only when the deadline was up"
        );
        let stored = chat.say("something else").await.unwrap();
        assert_eq!(stored.number.get(), round * 2 + 2);
    }
    assert_eq!(chat.count().await, 3);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_message_is_told_so_and_holds_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let never = Arc::default();
    let world = World::start_with(dir.path(), None, with_fussy_writer(&never)).await;
    let chat = world.chat().await;
    let said = join_all((0..60).map(|n| {
        let text = if n % 20 == 7 { "refuse" } else { "fine" };
        let chat = chat.clone();
        async move { (n, chat.say(text).await) }
    }));
    for (n, said) in said.await {
        match said {
            Ok(_) => assert_ne!(n % 20, 7),
            Err(Error::Invalid { problem, .. }) => {
                assert_eq!(n % 20, 7);
                assert!(problem.contains("is refused"), "{problem}");
            }
            Err(other) => panic!("not this error: {other}"),
        }
    }
    assert_eq!(chat.count().await, 57);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_is_said_to_be_and_used_again_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let away = Arc::new(AtomicBool::new(false));
    let world = World::start_with(dir.path(), None, with_fussy_writer(&away)).await;
    let chat = world.chat().await;
    chat.say("before").await.unwrap();
    away.store(true, Ordering::Relaxed);
    // However long it lasts: nobody hears "unknown" because the worker rests.
    for _ in 0..9 {
        let error = chat.say_once("meanwhile", Some("key")).await.unwrap_err();
        assert!(
            matches!(
                error,
                Error::Unavailable {
                    part: "database",
                    ..
                }
            ),
            "{error:?}"
        );
    }
    assert_eq!(chat.count().await, 1);
    away.store(false, Ordering::Relaxed);
    eventually("it is stored", || async {
        chat.say_once("meanwhile", Some("key")).await.is_ok()
    })
    .await;
    assert_eq!(chat.count().await, 2);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_away_stops_nobody_and_catches_up() {
    let dir = tempfile::tempdir().unwrap();
    let away = Arc::new(AtomicBool::new(true));
    let world = World::start_with(dir.path(), None, with_index(&away)).await;
    let chat = world.chat().await;
    let expected = chat.say_many("words to find", 50).await;
    assert_eq!(chat.find("words").await.unwrap(), [0_u64; 0]);
    away.store(false, Ordering::Relaxed);
    chat.expect_to_find("words", &expected).await;
    eventually("nothing waits any more", || async {
        world.embedded.dirty.is_empty()
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_too_many_rows_wait_for_the_index_a_comparison_finds_them() {
    let dir = tempfile::tempdir().unwrap();
    let away = Arc::new(AtomicBool::new(false));
    let world = World::start_with(dir.path(), None, with_index(&away)).await;
    let chat = world.chat().await;
    chat.say("the first").await.unwrap();
    chat.expect_to_find("first", &[1]).await;
    away.store(true, Ordering::Relaxed);
    let expected = chat.say_many("words to find", 50).await;
    let key = ChatKey {
        app: chat.tenant.app(),
        number: chat.number,
    };
    // Rows nobody stored: what waits is dropped once there are too many.
    let many = (1_000..150_000).map(|n| key.message(Number::new(n).unwrap()));
    world.embedded.dirty.add(many.collect());
    assert!(world.embedded.dirty.len() < 1_000_000);
    away.store(false, Ordering::Relaxed);
    chat.expect_to_find("words", &expected).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_what_does_not_fit_and_goes_on_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start_with(dir.path(), Some(150), |_| {}).await;
    let chat = world.chat().await;
    let text = "words ".repeat(500);
    let mut stored = 0;
    for room in [210, 270, 100_000] {
        let mut refused = 0;
        while refused < 5 {
            match chat.say(&text).await {
                Ok(_) => stored += 1,
                Err(
                    error @ Error::Unavailable {
                        part: "database", ..
                    },
                ) => {
                    assert!(error.to_string().contains("disk is full"), "{error}");
                    refused += 1;
                }
                // Numbers need room as well.
                Err(Error::Unavailable {
                    part: "numbers", ..
                }) => refused += 1,
                Err(other) => panic!("not this error: {other:?}"),
            }
        }
        assert_eq!(chat.count().await, stored, "reading goes on");
        assert_eq!(chat.page(0).await.data.len() as u64, stored.min(100));
        world.embedded.set_max_pages(room).await.unwrap();
        eventually("there is room", || async { chat.say("room").await.is_ok() }).await;
        stored += 1;
        assert_eq!(chat.count().await, stored);
        let (_, drifts) = counts::audit(&*world.embedded.work.upkeep, false)
            .await
            .unwrap();
        assert_eq!(drifts, []);
    }
    world.stop().await;
}

/// A store that takes its time until it is let go.
struct Slow {
    writer: Arc<dyn Writer>,
    go: Arc<tokio::sync::Semaphore>,
}

#[async_trait]
impl Writer for Slow {
    async fn apply(&self, keys: &Keys, plan: &Planner<'_>) -> Result<Plan> {
        let _go = self.go.acquire().await.expect("never closed");
        self.writer.apply(keys, plan).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_stored_after_its_deadline_is_the_same_when_it_is_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let go = Arc::new(tokio::sync::Semaphore::new(1));
    let gate = go.clone();
    let world = World::start_with(dir.path(), None, move |embedded| {
        let writer = embedded.work.writer.clone();
        embedded.work.writer = Arc::new(Slow { writer, go: gate });
    })
    .await;
    let chat = world.chat().await;
    let closed = go.acquire().await.unwrap();
    let error = chat.say_once("in time?", Some("key")).await.unwrap_err();
    assert!(is_unknown(&error), "{error:?}");
    let retry = tokio::spawn({
        let chat = chat.clone();
        async move { chat.say_once("in time?", Some("key")).await }
    });
    drop(closed);
    let accepted = retry.await.unwrap().unwrap();
    assert_eq!(accepted.number.get(), 1);
    eventually("both came through", || async { chat.count().await == 1 }).await;
    assert_eq!(chat.say("the next").await.unwrap().number.get(), 2);
    assert_eq!(chat.count().await, 2);
    world.stop().await;
}
