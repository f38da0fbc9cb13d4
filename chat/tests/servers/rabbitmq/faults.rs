//! A broker that is killed, stopped, or short of memory.

use super::broker::Broker;
use super::commands::{PATIENCE, ack_until, consume, message, next, publish, publish_surely};
use super::host::until_ready;
use chat::adapters::rabbitmq::RabbitQueue;
use chat::error::Error;
use chat::event::Queue;
use chat::ports::Publisher;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Publishes one message after the other until told to stop; notes what was confirmed.
#[derive(Clone, Default)]
struct Load {
    last: Arc<AtomicU64>,
    confirmed: Arc<Mutex<BTreeSet<u64>>>,
    stop: Arc<AtomicBool>,
}

impl Load {
    fn confirmed(&self) -> BTreeSet<u64> {
        self.confirmed.lock().unwrap().clone()
    }

    async fn run(self, queue: RabbitQueue) {
        while !self.stop.load(Ordering::Relaxed) {
            let n = self.last.fetch_add(1, Ordering::Relaxed) + 1;
            match publish(&queue, message(n)).await {
                Ok(()) => {
                    self.confirmed.lock().unwrap().insert(n);
                }
                Err(Error::Busy(_) | Error::OutcomeUnknown { .. }) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(other) => panic!("not while a broker is killed: {other}"),
            }
        }
    }

    async fn confirms_more(&self) {
        let before = self.confirmed().len();
        let deadline = Instant::now() + PATIENCE;
        while self.confirmed().len() < before + 500 {
            assert!(Instant::now() < deadline, "publishing works again");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_outlives_a_killed_broker() {
    let Some(mut broker) = Broker::start().await else {
        return;
    };
    let host = broker.host();
    host.create().await;
    let queue = host.ready().await;
    let mut deliveries = consume(&queue, Queue::Messages).await;
    let load = Load::default();
    let publishers: Vec<_> = (0..32)
        .map(|_| tokio::spawn(load.clone().run(queue.clone())))
        .collect();
    for _ in 0..2 {
        load.confirms_more().await;
        broker.kill();
        broker.start_again().await;
    }
    load.confirms_more().await;
    load.stop.store(true, Ordering::Relaxed);
    for publisher in publishers {
        publisher.await.unwrap();
    }
    ack_until(&mut *deliveries, load.confirmed()).await;
    until_ready(&queue).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_broker_leaves_one_outcome_unknown_and_spends_no_more() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let host = broker.host();
    host.create().await;
    let queue = host.ready().await;
    let mut deliveries = consume(&queue, Queue::Messages).await;
    publish(&queue, message(1)).await.unwrap();
    ack_until(&mut *deliveries, [1].into()).await;
    broker.stop();
    let outcome = tokio::time::timeout(PATIENCE, publish(&queue, message(2))).await;
    assert!(matches!(outcome, Ok(Err(Error::OutcomeUnknown { .. }))));
    // Nobody else gets room: the broker confirms nothing.
    assert!(matches!(queue.slot().await, Err(Error::Busy(_))));
    assert!(queue.ready().await.is_err());
    broker.go_on();
    until_ready(&queue).await;
    // The same again, which is right: it comes once or twice.
    publish_surely(&queue, message(2)).await;
    ack_until(&mut *deliveries, [2].into()).await;
    publish_surely(&queue, message(3)).await;
    ack_until(&mut *deliveries, [3].into()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_stops_publishing_before_anything_is_spent_and_no_acks() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let host = broker.host();
    host.create().await;
    let queue = host.ready().await;
    let mut deliveries = consume(&queue, Queue::Messages).await;
    for n in 1..=3 {
        publish(&queue, message(n)).await.unwrap();
    }
    let first = next(&mut *deliveries).await;
    broker.control(&["set_vm_memory_high_watermark", "0.0000001"]);
    // The broker tells whoever publishes, by then.
    let deadline = Instant::now() + PATIENCE;
    let mut n = 3;
    loop {
        n += 1;
        match queue.slot().await {
            Err(Error::Busy(why)) => {
                assert!(why.contains("memory") || why.contains("confirms nothing"));
                break;
            }
            Err(other) => panic!("it is busy, not: {other}"),
            Ok(slot) => {
                let outcome = slot.publish(message(n)).await;
                assert!(
                    matches!(
                        outcome,
                        Ok(()) | Err(Error::OutcomeUnknown { .. } | Error::Busy(_))
                    ),
                    "{outcome:?}"
                );
            }
        }
        assert!(Instant::now() < deadline, "the alarm is told");
    }
    assert!(queue.ready().await.is_err());
    // Consuming goes on meanwhile.
    first.ack().await;
    ack_until(&mut *deliveries, [2, 3].into()).await;
    deliveries.cancel().await;
    while let Some(delivery) = deliveries.next().await {
        delivery.ack().await;
    }
    broker.control(&["set_vm_memory_high_watermark", "0.6"]);
    until_ready(&queue).await;
    publish_surely(&queue, message(n + 1)).await;
}
