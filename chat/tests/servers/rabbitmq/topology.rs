//! Exchanges and queues that are not there, not as they have to be, deleted, or full.

use super::commands::{
    PATIENCE, ack_until, consume, index_rows, message, new_chat, next, publish, publish_surely,
};
use super::host::{Host, in_a_host, until_ready};
use chat::adapters::rabbitmq::{RabbitQueue, RabbitSettings};
use chat::error::Error;
use chat::event::Queue;
use chat::ports::Publisher;
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};

const EXCHANGES: [&str; 3] = ["chat.cmd", "chat.unrouted", "chat.dlx"];
const QUEUES: [&str; 6] = [
    "chat.chats",
    "chat.messages",
    "chat.indexing",
    "chat.suspect",
    "chat.unrouted",
    "chat.dead",
];

/// As the API uses it: it makes nothing.
fn api(host: &Host) -> RabbitQueue {
    RabbitQueue::open(RabbitSettings {
        declares: false,
        ..host.settings()
    })
    .unwrap()
}

async fn delete(host: &Host, what: &str, name: &str) {
    let path = format!("{what}/{}/{name}", host.vhost);
    host.call(Method::DELETE, &path, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_waits_for_a_worker_to_make_the_queues() {
    in_a_host(|host| async move {
        let api = api(&host);
        let deadline = Instant::now() + PATIENCE;
        let refused = loop {
            let refused = api.ready().await.unwrap_err().to_string();
            if refused.contains("chat.") {
                break refused;
            }
            assert!(Instant::now() < deadline, "{refused}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(refused.contains("is not there"), "{refused}");
        assert!(!refused.contains("development"), "{refused}");
        assert!(api.check().await.is_err());
        assert!(matches!(api.slot().await, Err(Error::Unroutable)));
        host.ready().await;
        until_ready(&api).await;
        api.check().await.unwrap();
        publish(&api, message(1)).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_declared_otherwise_is_named() {
    in_a_host(|host| async move {
        let path = format!("queues/{}/chat.messages", host.vhost);
        host.call(Method::PUT, &path, Some(json!({"durable": true})))
            .await;
        let queue = RabbitQueue::open(host.settings()).unwrap();
        let refused = queue.declare().await.unwrap_err().to_string();
        assert!(
            refused.contains("chat.messages") && refused.contains("other arguments"),
            "{refused}"
        );
        assert!(queue.ready().await.is_err());
        delete(&host, "queues", "chat.messages").await;
        until_ready(&queue).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_deleted_by_hand_is_made_again_and_consumed() {
    in_a_host(|host| async move {
        let worker = host.ready().await;
        let api = api(&host);
        until_ready(&api).await;
        let mut deliveries = consume(&worker, Queue::Messages).await;
        publish(&api, message(1)).await.unwrap();
        ack_until(&mut *deliveries, [1].into()).await;
        delete(&host, "queues", "chat.messages").await;
        publish_surely(&api, message(2)).await;
        ack_until(&mut *deliveries, [2].into()).await;
        until_ready(&api).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_queue_was_there_for_is_kept_and_delivered() {
    in_a_host(|host| async move {
        let worker = host.ready().await;
        drop(worker);
        let api = api(&host);
        until_ready(&api).await;
        delete(&host, "queues", "chat.messages").await;
        publish(&api, message(1)).await.unwrap();
        let worker = host.ready().await;
        let mut deliveries = consume(&worker, Queue::Messages).await;
        ack_until(&mut *deliveries, [1].into()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_the_index_and_came_astray_gets_there() {
    in_a_host(|host| async move {
        drop(host.ready().await);
        let api = api(&host);
        until_ready(&api).await;
        delete(&host, "queues", "chat.indexing").await;
        publish(&api, index_rows(7)).await.unwrap();
        let worker = host.ready().await;
        let _messages = consume(&worker, Queue::Messages).await;
        let mut indexing = consume(&worker, Queue::Indexing).await;
        let delivery = next(&mut *indexing).await;
        assert_eq!(delivery.envelope, Ok(index_rows(7)));
        delivery.ack().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_deleted_by_hand_is_made_again() {
    in_a_host(|host| async move {
        let worker = host.ready().await;
        let api = api(&host);
        until_ready(&api).await;
        let mut deliveries = consume(&worker, Queue::Messages).await;
        publish(&api, message(1)).await.unwrap();
        ack_until(&mut *deliveries, [1].into()).await;
        for exchange in EXCHANGES {
            delete(&host, "exchanges", exchange).await;
        }
        for queue in QUEUES {
            delete(&host, "queues", queue).await;
        }
        for n in 2..50 {
            publish_surely(&api, message(n)).await;
        }
        ack_until(&mut *deliveries, (2..50).collect()).await;
        until_ready(&api).await;
    })
    .await;
}

/// The client library tells this wrongly (M1): it pins what came back on other publishes.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_back_is_told_from_what_is_safe_among_many_at_once() {
    in_a_host(|host| async move {
        drop(host.ready().await);
        let api = api(&host);
        until_ready(&api).await;
        delete(&host, "exchanges", "chat.unrouted").await;
        delete(&host, "queues", "chat.chats").await;
        // All room first: once something came back there is none until a look finds everything.
        let mut slots = Vec::new();
        for _ in 0..500 {
            slots.push(api.slot().await.unwrap());
        }
        let published = (1..).zip(slots).map(|(n, slot)| async move {
            let is_routable = n % 10 != 0;
            let envelope = if is_routable { message(n) } else { new_chat(n) };
            (
                is_routable,
                tokio::spawn(slot.publish(envelope)).await.unwrap(),
            )
        });
        for (is_routable, outcome) in join_all(published).await {
            match (is_routable, outcome) {
                (true, Ok(())) | (false, Err(Error::Unroutable)) => {}
                (is_routable, other) => panic!("routable: {is_routable}, yet {other:?}"),
            }
        }
        assert!(api.ready().await.is_err());
        let worker = host.ready().await;
        until_ready(&api).await;
        let mut deliveries = consume(&worker, Queue::Messages).await;
        ack_until(
            &mut *deliveries,
            (1..=500).filter(|n| n % 10 != 0).collect(),
        )
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_busy_until_somebody_takes_from_it() {
    in_a_host(|host| async move {
        let queue = RabbitQueue::open(RabbitSettings {
            max_queue_bytes: 20_000,
            ..host.settings()
        })
        .unwrap();
        until_ready(&queue).await;
        let mut confirmed = 0;
        let refused = loop {
            match publish(&queue, message(confirmed + 1)).await {
                Ok(()) => confirmed += 1,
                Err(error) => break error,
            }
            assert!(confirmed < 10_000, "the queue has an end");
        };
        assert!(matches!(refused, Error::Busy(_)), "{refused}");
        let mut deliveries = consume(&queue, Queue::Messages).await;
        ack_until(&mut *deliveries, (1..=confirmed).collect()).await;
        publish_surely(&queue, message(confirmed + 1)).await;
    })
    .await;
}
