//! The promises of `Publisher` and `Subscriber`, in memory; and that what waits in memory is bounded.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use chat::adapters::memory_queue::MemoryQueue;
use chat::conformance::queue::{self, Line};
use chat::error::{Error, Result};
use chat::event::{Command, DeleteMessage, Envelope, Origin, Queue, VERSION};
use chat::model::{AppId, ChatKey, Millis, Number, Rev};
use chat::ports::{Publisher, Subscriber};
use tokio::task::JoinHandle;

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            queue::$promise(Line::of(MemoryQueue::default())).await;
        })*
    };
}

chat::promises_of_queue!(promises);

fn message(n: u64) -> Envelope {
    let chat = ChatKey {
        app: AppId::from_stored(1),
        number: Number::new(1).unwrap(),
    };
    let command = Command::DeleteMessage(DeleteMessage {
        key: chat.message(Number::new(n).unwrap()),
        rev: Rev::from_stored(1),
        accepted_at: Millis::new(0),
    });
    Envelope {
        version: VERSION,
        command,
        origin: Origin::default(),
    }
}

/// Publishes until there is no room, and leaves the publishers waiting.
async fn fill(queue: &MemoryQueue) -> Vec<JoinHandle<Result<()>>> {
    let mut published = Vec::new();
    loop {
        match queue.slot().await {
            Ok(slot) => {
                let envelope = message(published.len() as u64 + 1);
                published.push(tokio::spawn(slot.publish(envelope)));
            }
            Err(Error::Busy(_)) => return published,
            Err(other) => panic!("not this error: {other}"),
        }
    }
}

#[tokio::test]
async fn a_worker_has_room_when_everybody_waits_for_it() {
    let queue = MemoryQueue::default();
    let published = fill(&queue).await;
    let worker = queue.with_own_room();
    worker.slot().await.unwrap();
    // And it is the same queue.
    let mut deliveries = worker.consume(Queue::Messages).await.unwrap();
    for published in published {
        deliveries.next().await.unwrap().ack().await;
        published.await.unwrap().unwrap();
    }
    queue.slot().await.unwrap();
}

#[tokio::test]
async fn publishers_that_give_up_waiting_leave_no_room_behind() {
    let queue = MemoryQueue::default();
    for published in fill(&queue).await {
        published.abort();
        let _ = published.await;
    }
    assert!(matches!(queue.slot().await, Err(Error::Busy(_))));
    let mut deliveries = queue.consume(Queue::Messages).await.unwrap();
    deliveries.next().await.unwrap().ack().await;
    queue.slot().await.unwrap();
}
