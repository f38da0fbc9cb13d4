//! What people do, through rules, queue, worker, store and index.

use crate::world::{Chat, World, eventually, is_unknown};
use chat::error::Error;
use chat::event::Origin;
use chat::model::{Content, Number};
use chat::ops::{MessageEdit, counts};
use chat::ports::Window;
use futures::future::join_all;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_read_back_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path()).await;
    let chat = world.chat().await;
    for n in 1..=20 {
        let accepted = chat.say(&format!("message {n}")).await.unwrap();
        assert_eq!(accepted.number.get(), n);
        let message = chat.read(n).await.unwrap();
        assert_eq!(message.content.as_str(), format!("message {n}"));
        assert_eq!(message.uid, accepted.uid);
        assert_eq!(chat.count().await, n);
    }
    let page = chat.page(0).await;
    assert_eq!(
        (page.data.len(), page.next, page.complete_through),
        (20, None, 20)
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_get_dense_numbers_and_an_exact_count() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path()).await;
    let chat = world.chat().await;
    let speakers = (0..40).map(|_| {
        let chat = chat.clone();
        tokio::spawn(async move { chat.say_many("at once", 15).await })
    });
    let mut numbers = BTreeSet::new();
    for said in join_all(speakers).await {
        numbers.extend(said.unwrap());
    }
    assert_eq!(numbers, (1..=600).collect());
    assert_eq!(chat.count().await, 600);
    let (mut walked, mut after) = (0, 0);
    loop {
        let page = chat.page(after).await;
        walked += page.data.len();
        let Some(next) = page.next else { break };
        after = next.get();
    }
    assert_eq!(walked, 600);
    let (_, drifts) = counts::audit(&*world.embedded.work.upkeep, false)
        .await
        .unwrap();
    assert_eq!(drifts, []);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_at_once_than_there_is_room_for_are_stored_or_told_to_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path()).await;
    let chat = world.chat().await;
    let speakers = (0..3_000).map(|_| {
        let chat = chat.clone();
        tokio::spawn(async move { chat.say("a crowd").await })
    });
    let (mut stored, mut busy) = (0, 0);
    for said in join_all(speakers).await {
        match said.unwrap() {
            Ok(_) => stored += 1,
            Err(Error::Busy(_)) => busy += 1,
            Err(other) => panic!("neither stored nor told to come back: {other}"),
        }
    }
    assert_eq!(stored + busy, 3_000);
    assert!(stored >= 1_024, "as many as there is room for: {stored}");
    assert_eq!(chat.count().await, stored);
    // Whoever was told to come back cost no number.
    let last = chat.say("the last").await.unwrap();
    assert_eq!(last.number.get(), stored + 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_sent_many_times_at_once_is_one_message() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path()).await;
    let chat = world.chat().await;
    let tries = (0..30).map(|_| {
        let chat = chat.clone();
        tokio::spawn(async move { chat.say_once("once", Some("key")).await })
    });
    let mut fresh = 0;
    for said in join_all(tries).await {
        match said.unwrap() {
            Ok(accepted) => {
                assert_eq!(accepted.number.get(), 1);
                fresh += u32::from(!accepted.replayed);
            }
            Err(Error::InFlight { retry_after_ms }) => assert!(retry_after_ms > 0),
            Err(other) => panic!("not this error: {other}"),
        }
    }
    assert_eq!(fresh, 1);
    let again = chat.say_once("once", Some("key")).await.unwrap();
    assert_eq!((again.number.get(), again.replayed), (1, true));
    let other = chat.say_once("another", Some("key")).await;
    assert!(
        matches!(other, Err(Error::IdempotencyMismatch)),
        "{other:?}"
    );
    assert_eq!(chat.count().await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_catches_up_with_creates_edits_and_deletes() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path()).await;
    let chat = world.chat().await;
    for text in ["apple pie", "apple cake", "plum cake"] {
        chat.say(text).await.unwrap();
    }
    chat.expect_to_find("apple", &[1, 2]).await;
    let edit = MessageEdit {
        content: Some(Content::parse("cherry pie").unwrap()),
        metadata: None,
    };
    let first = Number::new(1).unwrap();
    let edited = chat
        .ops
        .edit_message(
            chat.tenant,
            chat.number,
            first,
            edit,
            None,
            Origin::default(),
        )
        .await;
    edited.unwrap();
    let second = Number::new(2).unwrap();
    let deleted = chat
        .ops
        .delete_message(chat.tenant, chat.number, second, Origin::default())
        .await;
    deleted.unwrap();
    chat.expect_to_find("cherry", &[1]).await;
    assert_eq!(chat.find("apple").await.unwrap(), [0_u64; 0]);
    chat.expect_to_find("cake", &[3]).await;
    assert_eq!(chat.count().await, 2);
    world.stop().await;
}

/// Nothing of it is in the store's or the index's lists any more.
async fn expect_gone(world: &World, chat: &Chat) {
    let work = &world.embedded.work;
    let app = chat.tenant.app();
    eventually("the index holds nothing of it", || async {
        let digests = work.search.digests(None, 1_000).await.unwrap();
        digests
            .iter()
            .all(|(key, _)| key.app != app || key.number != chat.number)
    })
    .await;
    let messages = work.across.messages(None, 1_000).await.unwrap();
    assert!(
        messages
            .data
            .iter()
            .all(|(_, message)| message.chat != chat.number)
    );
    let (_, drifts) = counts::audit(&*work.upkeep, false).await.unwrap();
    assert_eq!(drifts, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_chat_takes_its_messages_along() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path()).await;
    let kept = world.chat().await;
    let chat = Chat::create(world.ops(), kept.tenant).await.unwrap();
    for chat in [&kept, &chat] {
        chat.say_many("some words", 30).await;
    }
    chat.expect_to_find("words", &(1..=30).collect::<Vec<_>>())
        .await;
    chat.delete().await;
    assert!(matches!(chat.read(3).await, Err(Error::Gone)));
    assert!(matches!(chat.say("too late").await, Err(Error::Gone)));
    assert!(matches!(chat.rename("too late").await, Err(Error::Gone)));
    assert!(matches!(chat.find("words").await, Err(Error::Gone)));
    expect_gone(&world, &chat).await;
    assert_eq!(kept.count().await, 30);
    kept.expect_to_find("words", &(1..=30).collect::<Vec<_>>())
        .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_application_takes_everything_along() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path()).await;
    let (chat, neighbour) = (world.chat().await, world.chat().await);
    let second = Chat::create(world.ops(), chat.tenant).await.unwrap();
    for chat in [&chat, &second, &neighbour] {
        chat.say_many("some words", 10).await;
    }
    neighbour
        .expect_to_find("words", &(1..=10).collect::<Vec<_>>())
        .await;
    world.ops().delete_application(chat.tenant).await.unwrap();
    for chat in [&chat, &second] {
        assert!(chat.read(3).await.is_err());
        // Whoever was let in before may still be answered; nothing of it is kept.
        let _ = chat.say("too late").await;
    }
    let app = chat.tenant.app();
    let work = &world.embedded.work;
    eventually("the index holds nothing of it", || async {
        let digests = work.search.digests(None, 1_000).await.unwrap();
        digests.iter().all(|(key, _)| key.app != app)
    })
    .await;
    assert_eq!(neighbour.count().await, 10);
    neighbour
        .expect_to_find("words", &(1..=10).collect::<Vec<_>>())
        .await;
    let (_, drifts) = counts::audit(&*work.upkeep, false).await.unwrap();
    assert_eq!(drifts, []);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_follows_a_busy_chat_misses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path()).await;
    let chat = world.chat().await;
    let speakers: Vec<_> = (0..8)
        .map(|_| {
            let chat = chat.clone();
            tokio::spawn(async move { chat.say_many("at once", 40).await })
        })
        .collect();
    let (mut seen, mut after) = (Vec::new(), 0);
    let window = |after| {
        chat.ops
            .messages(chat.tenant, chat.number, Window::After(after), 7)
    };
    while after < 320 {
        let page = window(after).await.unwrap();
        let numbers = page.data.iter().map(|message| message.number.get());
        seen.extend(numbers.filter(|number| *number <= page.complete_through));
        after = page.complete_through;
        tokio::task::yield_now().await;
    }
    assert_eq!(seen, (1..=320).collect::<Vec<_>>());
    for speaker in speakers {
        speaker.await.unwrap();
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_finishes_what_was_published() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path()).await;
    let chat = world.chat().await;
    let speakers: Vec<_> = (0..200)
        .map(|_| {
            let chat = chat.clone();
            tokio::spawn(async move { chat.say("just in time").await })
        })
        .collect();
    eventually("some are stored", || async { chat.count().await > 0 }).await;
    // All of them are in the queue or further by now: publishing takes no second step.
    let mut stored = Vec::new();
    for said in join_all(speakers).await {
        match said.unwrap() {
            Ok(accepted) => stored.push(accepted.number.get()),
            Err(error) => assert!(is_unknown(&error), "{error}"),
        }
    }
    world.stop().await;
    let world = World::start(dir.path()).await;
    let chat = chat.again(&world);
    for number in &stored {
        chat.read(*number).await.unwrap();
    }
    assert_eq!(chat.count().await, stored.len() as u64);
    // The index was finished too: it is found without a comparison of anything.
    let found = chat.find("time").await.unwrap();
    assert_eq!(found.len(), 100.min(stored.len()));
    world.stop().await;
}
