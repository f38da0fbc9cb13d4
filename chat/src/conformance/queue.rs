//! What every `Publisher` with its `Subscriber` promises, one function per promise.
//!
//! A queue may confirm a command once it is safe in the queue, or only once its effect is committed;
//! and one that is given back may come again, or its publisher is told. Both keep the promise that
//! nothing is lost silently, so publishes run in tasks of their own here.

use super::fixture::{
    PATIENCE, create_chat, create_message, eventually, eventually_within, number,
};
use crate::clock;
use crate::error::{Error, Result};
use crate::event::{Command, Envelope, IndexRows, Origin, Queue, VERSION};
use crate::model::{AppId, ChatKey, MessageKey};
use crate::ports::{BuryReason, Deliveries, Delivery, Publisher, Slot, Subscriber};
use futures::FutureExt;
use futures::future::join_all;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Both ends of one queue.
#[derive(Clone)]
pub struct Line {
    pub publisher: Arc<dyn Publisher>,
    pub subscriber: Arc<dyn Subscriber>,
    /// How long it may take until a queue is known to be at rest.
    patience: Duration,
}

impl Line {
    pub fn of<Q: Publisher + Subscriber + 'static>(queue: Q) -> Self {
        let queue = Arc::new(queue);
        Self {
            publisher: queue.clone(),
            subscriber: queue,
            patience: PATIENCE,
        }
    }

    /// For a queue that learns late what waits in it.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    async fn consume(&self, queue: Queue) -> Box<dyn Deliveries> {
        self.subscriber.consume(queue).await.expect("consume")
    }

    async fn slot(&self) -> Box<dyn Slot> {
        self.publisher.slot().await.expect("there is room")
    }

    async fn publish(&self, command: Command) -> JoinHandle<Result<()>> {
        tokio::spawn(self.slot().await.publish(envelope(command)))
    }
}

fn envelope(command: Command) -> Envelope {
    Envelope {
        version: VERSION,
        command,
        origin: Origin {
            request_id: Some("request".into()),
            traceparent: None,
        },
    }
}

fn new_chat() -> ChatKey {
    ChatKey {
        app: AppId::from_random(rand::random()),
        number: number(1),
    }
}

fn message(chat: ChatKey, n: u64) -> Command {
    Command::CreateMessage(create_message(chat.message(number(n)), "text"))
}

fn key_of(delivery: &Delivery) -> MessageKey {
    match &delivery.envelope.as_ref().expect("it can be read").command {
        Command::CreateMessage(create) => create.key,
        other => panic!("a message was published, not {other:?}"),
    }
}

async fn next(deliveries: &mut dyn Deliveries) -> Delivery {
    deliveries.next().await.expect("a delivery comes")
}

async fn told(published: JoinHandle<Result<()>>) -> Result<()> {
    published.await.expect("publishing does not panic")
}

pub async fn a_command_arrives_whole_in_its_queue(line: Line) {
    line.publisher.ready().await.expect("ready");
    let chat = new_chat();
    let commands = [Command::CreateChat(create_chat(chat)), message(chat, 1)];
    for command in commands {
        let mut deliveries = line.consume(command.queue()).await;
        let published = line.publish(command.clone()).await;
        let delivery = next(&mut *deliveries).await;
        assert_eq!(delivery.envelope, Ok(envelope(command)));
        assert_eq!(delivery.attempts, 0);
        delivery.ack().await;
        told(published)
            .await
            .expect("an acked command is confirmed");
    }
}

pub async fn commands_wait_for_a_consumer(line: Line) {
    let chat = new_chat();
    let mut published = Vec::new();
    for n in 1..=20 {
        published.push(line.publish(message(chat, n)).await);
    }
    let mut deliveries = line.consume(Queue::Messages).await;
    let mut seen = BTreeSet::new();
    for _ in 1..=20 {
        let delivery = next(&mut *deliveries).await;
        seen.insert(key_of(&delivery).number.get());
        delivery.ack().await;
    }
    assert_eq!(seen, (1..=20).collect());
    for published in join_all(published).await {
        published
            .expect("publishing does not panic")
            .expect("confirmed");
    }
}

/// It is delivered again, or its publisher was told so.
async fn expect_not_lost(
    published: JoinHandle<Result<()>>,
    deliveries: &mut dyn Deliveries,
    key: MessageKey,
) -> Option<Error> {
    let Err(error) = told(published).await else {
        let again = next(deliveries).await;
        assert_eq!(key_of(&again), key);
        again.ack().await;
        return None;
    };
    Some(error)
}

pub async fn what_is_given_back_comes_again_or_its_publisher_is_told_why(line: Line) {
    let mut deliveries = line.consume(Queue::Messages).await;
    let published = line.publish(message(new_chat(), 1)).await;
    let delivery = next(&mut *deliveries).await;
    let key = key_of(&delivery);
    delivery.nack(Error::Busy("not now".into())).await;
    let error = expect_not_lost(published, &mut *deliveries, key).await;
    assert!(matches!(error, None | Some(Error::Busy(_))), "{error:?}");
}

pub async fn what_is_dropped_comes_again_or_its_publisher_knows_that_nobody_knows(line: Line) {
    let mut deliveries = line.consume(Queue::Messages).await;
    let published = line.publish(message(new_chat(), 1)).await;
    let delivery = next(&mut *deliveries).await;
    let key = key_of(&delivery);
    drop(delivery);
    let error = expect_not_lost(published, &mut *deliveries, key).await;
    assert!(
        matches!(error, None | Some(Error::OutcomeUnknown { .. })),
        "{error:?}"
    );
}

pub async fn what_is_set_aside_does_not_come_again(line: Line) {
    let chat = new_chat();
    let mut deliveries = line.consume(Queue::Messages).await;
    let reasons = [
        BuryReason::Decode,
        BuryReason::Refused,
        BuryReason::Collision,
    ];
    for (n, reason) in (1..).zip(reasons) {
        let published = line.publish(message(chat, n)).await;
        let delivery = next(&mut *deliveries).await;
        assert_eq!(
            key_of(&delivery).number,
            number(n),
            "nothing older comes again"
        );
        delivery
            .bury(reason, "for a test".into())
            .await
            .expect("bury");
        // Confirmed long ago, or a definite no: never "it may still be stored".
        let told = told(published).await;
        assert!(
            !matches!(told, Err(Error::OutcomeUnknown { .. })),
            "{told:?}"
        );
    }
    let published = line.publish(message(chat, 9)).await;
    let delivery = next(&mut *deliveries).await;
    assert_eq!(key_of(&delivery).number, number(9));
    delivery.ack().await;
    told(published).await.expect("confirmed");
}

pub async fn nothing_is_lost_whatever_becomes_of_deliveries(line: Line) {
    const COMMANDS: u64 = 400;
    let chat = new_chat();
    let acked: Arc<Mutex<BTreeSet<u64>>> = Arc::default();
    let consumers: Vec<JoinHandle<()>> = join_all((0..3).map(|_| line.consume(Queue::Messages)))
        .await
        .into_iter()
        .map(|mut deliveries| {
            let acked = acked.clone();
            tokio::spawn(async move {
                while let Some(delivery) = deliveries.next().await {
                    let n = key_of(&delivery).number.get();
                    match rand::random_range(0..4) {
                        0 => delivery.nack(Error::Busy("not now".into())).await,
                        1 => drop(delivery),
                        _ => {
                            acked.lock().expect("no panic under this lock").insert(n);
                            delivery.ack().await;
                        }
                    }
                }
            })
        })
        .collect();
    let mut published = Vec::new();
    for n in 1..=COMMANDS {
        published.push((n, line.publish(message(chat, n)).await));
    }
    let is_acked = |n: u64| acked.lock().expect("no panic under this lock").contains(&n);
    for (n, published) in published {
        match told(published).await {
            Ok(()) => {
                eventually("a confirmed command is carried out", || async {
                    is_acked(n)
                })
                .await
            }
            Err(Error::OutcomeUnknown { .. }) => {}
            Err(error) => assert!(!is_acked(n), "told a definite no, yet carried out: {error}"),
        }
    }
    for consumer in consumers {
        consumer.abort();
    }
}

pub async fn consumers_share_a_queue(line: Line) {
    let chat = new_chat();
    let mut first = line.consume(Queue::Messages).await;
    let mut second = line.consume(Queue::Messages).await;
    let mut published = Vec::new();
    for n in 1..=40 {
        published.push(line.publish(message(chat, n)).await);
    }
    let mut seen = Vec::new();
    for _ in 0..40 {
        let delivery = tokio::select! {
            delivery = first.next() => delivery,
            delivery = second.next() => delivery,
        };
        let delivery = delivery.expect("a delivery comes");
        seen.push(key_of(&delivery).number.get());
        delivery.ack().await;
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=40).collect::<Vec<_>>());
    for published in published {
        told(published).await.expect("confirmed");
    }
}

pub async fn a_cancelled_consumer_hands_out_what_it_has_and_leaves_the_rest(line: Line) {
    let chat = new_chat();
    let mut published = Vec::new();
    for n in 1..=30 {
        published.push(line.publish(message(chat, n)).await);
    }
    let mut deliveries = line.consume(Queue::Messages).await;
    let delivery = next(&mut *deliveries).await;
    let mut seen = vec![key_of(&delivery).number.get()];
    delivery.ack().await;
    deliveries.cancel().await;
    while let Some(delivery) = deliveries.next().await {
        seen.push(key_of(&delivery).number.get());
        delivery.ack().await;
    }
    published.push(line.publish(message(chat, 31)).await);
    for _ in 0..20 {
        assert!(deliveries.next().await.is_none(), "it has ended");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut others = line.consume(Queue::Messages).await;
    while seen.len() < 31 {
        let delivery = next(&mut *others).await;
        seen.push(key_of(&delivery).number.get());
        delivery.ack().await;
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=31).collect::<Vec<_>>());
    for published in published {
        told(published).await.expect("confirmed");
    }
}

pub async fn waiting_for_a_delivery_can_be_given_up_without_losing_one(line: Line) {
    let chat = new_chat();
    let mut deliveries = line.consume(Queue::Messages).await;
    let publishing = tokio::spawn({
        let line = line.clone();
        async move {
            let mut published = Vec::new();
            for n in 1..=50 {
                published.push(line.publish(message(chat, n)).await);
                tokio::task::yield_now().await;
            }
            for published in published {
                told(published).await.expect("confirmed");
            }
        }
    });
    let mut seen = Vec::new();
    while seen.len() < 50 {
        let waited = tokio::time::timeout(Duration::from_micros(50), deliveries.next()).await;
        let polled = match waited {
            Ok(delivery) => delivery,
            Err(_) => deliveries.next().now_or_never().flatten(),
        };
        if let Some(delivery) = polled {
            seen.push(key_of(&delivery).number.get());
            delivery.ack().await;
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=50).collect::<Vec<_>>());
    publishing.await.expect("every command is confirmed");
}

pub async fn room_is_bounded_and_comes_back(line: Line) {
    let mut slots = Vec::new();
    let refused = loop {
        match line.publisher.slot().await {
            Ok(slot) => slots.push(slot),
            Err(error) => break error,
        }
        assert!(slots.len() < 100_000, "publishes under way are bounded");
    };
    assert!(matches!(refused, Error::Busy(_)), "{refused:?}");
    assert!(
        slots.len() >= 64,
        "and there is room for some: {}",
        slots.len()
    );
    slots.pop();
    slots.push(line.slot().await);
}

pub async fn a_delivery_nobody_answered_yet_is_not_rest(line: Line) {
    let at_rest_since = |moment| {
        let subscriber = line.subscriber.clone();
        async move {
            subscriber
                .at_rest_since(moment)
                .await
                .expect("at_rest_since")
        }
    };
    let start = clock::now();
    let patience = line.patience;
    let unused = "a queue nobody uses is at rest";
    eventually_within(patience, unused, || at_rest_since(start)).await;
    let mut deliveries = line.consume(Queue::Messages).await;
    let published = line.publish(message(new_chat(), 1)).await;
    let delivery = next(&mut *deliveries).await;
    let moment = clock::now().plus(1);
    eventually("time goes on", || async { clock::now() > moment }).await;
    assert!(!at_rest_since(moment).await, "one is unsettled");
    delivery.ack().await;
    told(published).await.expect("confirmed");
    let settled = "everything is settled";
    eventually_within(patience, settled, || at_rest_since(moment)).await;
    // Rest once is enough, whatever comes later.
    let published = line.publish(message(new_chat(), 2)).await;
    let delivery = next(&mut *deliveries).await;
    assert!(at_rest_since(moment).await);
    delivery.ack().await;
    told(published).await.expect("confirmed");
}

/// The rows that come out of the index queue until all of `wanted` did.
async fn expect_rows(deliveries: &mut dyn Deliveries, wanted: &BTreeSet<MessageKey>) {
    let mut seen = BTreeSet::new();
    while !seen.is_superset(wanted) {
        let delivery = next(deliveries).await;
        let Ok(Envelope {
            command: Command::IndexRows(IndexRows { rows }),
            ..
        }) = &delivery.envelope
        else {
            panic!("an index command: {:?}", delivery.envelope);
        };
        seen.extend(rows.iter().copied());
        delivery.ack().await;
    }
}

pub async fn rows_for_the_index_all_arrive(line: Line) {
    let chat = new_chat();
    let rows: Vec<MessageKey> = (1..=2_500).map(|n| chat.message(number(n))).collect();
    for rows in rows.chunks(700) {
        let command = Command::IndexRows(IndexRows {
            rows: rows.to_vec(),
        });
        // Publishing for the index never waits for the index.
        told(line.publish(command).await).await.expect("confirmed");
    }
    let mut deliveries = line.consume(Queue::Indexing).await;
    expect_rows(&mut *deliveries, &rows.into_iter().collect()).await;
}

pub async fn rows_that_were_given_back_or_dropped_come_again(line: Line) {
    let chat = new_chat();
    let rows: Vec<MessageKey> = (1..=10).map(|n| chat.message(number(n))).collect();
    let command = Command::IndexRows(IndexRows { rows: rows.clone() });
    told(line.publish(command).await).await.expect("confirmed");
    let mut deliveries = line.consume(Queue::Indexing).await;
    next(&mut *deliveries)
        .await
        .nack(Error::Busy("not now".into()))
        .await;
    drop(next(&mut *deliveries).await);
    expect_rows(&mut *deliveries, &rows.into_iter().collect()).await;
}
