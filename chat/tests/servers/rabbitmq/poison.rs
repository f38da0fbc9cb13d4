//! Deliveries that do not end well: given back, dropped, too new, set aside.

use super::commands::{PATIENCE, ack_until, consume, message, next, number_of, publish};
use super::host::in_a_host;
use chat::adapters::rabbitmq::{DeadLetter, RabbitQueue, Which};
use chat::error::Error;
use chat::event::{DecodeError, Queue, VERSION};
use chat::ports::BuryReason;
use futures::FutureExt;
use std::time::{Duration, Instant};

async fn dead_letters(queue: &RabbitQueue, count: usize) -> Vec<DeadLetter> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let letters = queue.dead_letters(100).await.unwrap();
        if letters.len() == count {
            return letters;
        }
        assert!(Instant::now() < deadline, "{} are dead", letters.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_back_is_no_sign_of_a_crash() {
    in_a_host(|host| async move {
        let queue = host.ready().await;
        publish(&queue, message(1)).await.unwrap();
        let mut deliveries = consume(&queue, Queue::Messages).await;
        for _ in 0..50 {
            let delivery = next(&mut *deliveries).await;
            assert_eq!(delivery.attempts, 0);
            delivery.nack(Error::Busy("the store is away".into())).await;
        }
        ack_until(&mut *deliveries, [1].into()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_worker_survives_is_tried_alone_and_then_set_aside() {
    in_a_host(|host| async move {
        let queue = host.ready().await;
        for n in 1..=20 {
            publish(&queue, message(n)).await.unwrap();
        }
        let mut deliveries = consume(&queue, Queue::Messages).await;
        let mut dropped = Vec::new();
        let mut acked = Vec::new();
        // Number 7 is poison: whoever has it goes down with it.
        while dropped.len() < 13 || acked.len() < 19 {
            let delivery = next(&mut *deliveries).await;
            match number_of(&delivery) {
                7 => dropped.push(delivery.attempts),
                n => {
                    acked.push(n);
                    delivery.ack().await;
                }
            }
        }
        let in_its_queue = 0..10;
        let alone = 0..3;
        assert_eq!(dropped, in_its_queue.chain(alone).collect::<Vec<u32>>());
        let letters = dead_letters(&queue, 1).await;
        assert_eq!(letters[0].reason, "crash");
        assert_eq!(letters[0].attempts, 3);
        assert_eq!(letters[0].envelope, Ok(message(7)));
        acked.sort_unstable();
        let innocent: Vec<u64> = (1..=20).filter(|&n| n != 7).collect();
        assert_eq!(acked, innocent, "nobody else is set aside or done twice");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspect_is_handed_out_when_nothing_else_is_out() {
    in_a_host(|host| async move {
        let queue = host.ready().await;
        let mut deliveries = consume(&queue, Queue::Messages).await;
        publish(&queue, message(1)).await.unwrap();
        for _ in 0..10 {
            drop(next(&mut *deliveries).await);
        }
        publish(&queue, message(2)).await.unwrap();
        let mut order = Vec::new();
        while order.len() < 2 {
            let delivery = next(&mut *deliveries).await;
            // As long as one is out, there is no other beside a suspect.
            publish(&queue, message(3)).await.unwrap();
            let beside = tokio::time::timeout(Duration::from_millis(300), deliveries.next()).await;
            let is_suspect = number_of(&delivery) == 1;
            assert!(!(is_suspect && beside.is_ok()), "nothing is out beside it");
            if let Ok(Some(beside)) = beside {
                assert_ne!(number_of(&beside), 1, "it is not out beside another");
                beside.ack().await;
            }
            order.push(number_of(&delivery));
            delivery.ack().await;
            order.retain(|&n| n == 1 || n == 2);
        }
        order.sort_unstable();
        assert_eq!(order, [1, 2]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_a_newer_version_waits_for_a_newer_worker() {
    in_a_host(|host| async move {
        let queue = host.ready().await;
        let mut newer = message(1);
        newer.version = VERSION + 1;
        publish(&queue, newer).await.unwrap();
        let mut deliveries = consume(&queue, Queue::Messages).await;
        for _ in 0..15 {
            let delivery = next(&mut *deliveries).await;
            assert_eq!(delivery.envelope, Err(DecodeError::Newer(VERSION + 1)));
            assert_eq!(delivery.attempts, 0, "it is never a suspect");
            delivery.nack(Error::Busy("too new".into())).await;
        }
        deliveries.cancel().await;
        drop(deliveries);
        let mut others = consume(&queue, Queue::Messages).await;
        let delivery = next(&mut *others).await;
        assert_eq!(delivery.envelope, Err(DecodeError::Newer(VERSION + 1)));
        delivery.ack().await;
        assert_eq!(queue.dead_letters(10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_leaves_nothing_to_do_twice() {
    in_a_host(|host| async move {
        let queue = host.ready().await;
        for n in 1..=300 {
            publish(&queue, message(n)).await.unwrap();
        }
        let mut deliveries = consume(&queue, Queue::Messages).await;
        let mut seen = vec![number_of(&next(&mut *deliveries).await)];
        // That one was dropped, and comes again; everything else is done once.
        deliveries.cancel().await;
        while let Some(delivery) = deliveries.next().await {
            seen.push(number_of(&delivery));
            delivery.ack().await;
        }
        assert!(deliveries.next().await.is_none());
        drop(deliveries);
        let first = seen.remove(0);
        let mut others = consume(&queue, Queue::Messages).await;
        while seen.len() < 300 {
            let delivery = next(&mut *others).await;
            let n = number_of(&delivery);
            assert_eq!(delivery.attempts > 0, n == first, "message {n}");
            seen.push(n);
            delivery.ack().await;
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=300).collect::<Vec<_>>());
        assert!(others.next().now_or_never().is_none(), "nothing is left");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_shown_sent_again_and_dropped() {
    in_a_host(|host| async move {
        let queue = host.ready().await;
        let mut deliveries = consume(&queue, Queue::Messages).await;
        for n in 1..=3 {
            publish(&queue, message(n)).await.unwrap();
            let delivery = next(&mut *deliveries).await;
            let detail = format!("content: too long in {n}");
            delivery.bury(BuryReason::Refused, detail).await.unwrap();
        }
        let letters = dead_letters(&queue, 3).await;
        let [first, second, _third] = &letters[..] else {
            panic!("three are dead")
        };
        assert_eq!(first.envelope, Ok(message(1)));
        assert_eq!(first.reason, "refused");
        assert_eq!(first.error.as_deref(), Some("content: too long in 1"));
        assert_eq!(first.source.as_deref(), Some("chat.messages"));
        assert_eq!(
            first.worker_version.as_deref(),
            Some(env!("CARGO_PKG_VERSION"))
        );
        assert!(first.first_seen.is_some());
        // Looking changes nothing.
        assert_eq!(dead_letters(&queue, 3).await, letters);
        let shown = queue.dead_letter(&second.id).await.unwrap();
        assert_eq!(shown.as_ref(), Some(second));
        assert_eq!(queue.dead_letter("nobody").await.unwrap(), None);

        let which = Which::Id(second.id.clone());
        assert_eq!(queue.redrive(&which).await.unwrap(), 1);
        assert_eq!(queue.redrive(&which).await.unwrap(), 0, "it is done");
        let again = next(&mut *deliveries).await;
        assert_eq!((number_of(&again), again.attempts), (2, 0));
        again.ack().await;

        let which = Which::Id(first.id.clone());
        assert_eq!(queue.drop_dead_letters(&which).await.unwrap(), 1);
        assert_eq!(queue.redrive(&Which::All).await.unwrap(), 1);
        ack_until(&mut *deliveries, [3].into()).await;
        assert_eq!(dead_letters(&queue, 0).await, []);
    })
    .await;
}

/// It is with this worker until it is confirmed in its queue, which somebody makes again.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_without_its_queue_is_not_lost() {
    in_a_host(|host| async move {
        let queue = host.ready().await;
        let mut deliveries = consume(&queue, Queue::Messages).await;
        publish(&queue, message(1)).await.unwrap();
        let mut delivery = next(&mut *deliveries).await;
        let path = format!("queues/{}/chat.dead", host.vhost);
        host.call(reqwest::Method::DELETE, &path, None).await;
        let deadline = Instant::now() + PATIENCE;
        let mut refused = 0;
        while let Err(error) = delivery
            .bury(BuryReason::Refused, "too long".to_owned())
            .await
        {
            assert!(matches!(error, Error::Unroutable), "{error}");
            assert!(Instant::now() < deadline, "its queue is made again");
            refused += 1;
            delivery = next(&mut *deliveries).await;
        }
        assert!(refused > 0, "its queue was not there");
        let letters = dead_letters(&queue, 1).await;
        assert_eq!(letters[0].envelope, Ok(message(1)));
    })
    .await;
}
