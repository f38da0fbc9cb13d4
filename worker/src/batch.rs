//! How deliveries become batches: what waits, and whoever is about to come again.

use chat::ports::{Deliveries, Delivery};
use futures::FutureExt;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Deliveries in one batch.
    pub size: usize,
    /// The longest a batch waits for as many deliveries as it may expect. Zero: whatever is there.
    pub linger: Duration,
    /// How long to rest after a batch, so that a steady stream shares its commits.
    pub pause: Duration,
    /// Batches carried out at the same time, at least one: while one is committed, the next is read, decided on
    /// and told to the index. Only a full one does not wait for the one before it.
    pub at_once: usize,
}

/// The batch before: whoever was answered by it probably sends something again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    pub size: usize,
    pub took: Duration,
}

/// Fills `batch`; it stays empty once the deliveries have ended. What is in it when the future is dropped
/// stays there.
///
/// Those who wait and those who were just answered would otherwise take turns for ever, in batches of
/// half the size. So it waits until there are as many as both together, but no longer than a quarter of
/// what the batch before took. One client alone never waits.
pub async fn gather(
    deliveries: &mut dyn Deliveries,
    limits: BatchLimits,
    before: Before,
    batch: &mut Vec<Delivery>,
) {
    take_waiting(deliveries, limits, batch);
    let expected = (batch.len() + before.size).min(limits.size);
    if batch.is_empty() {
        match deliveries.next().await {
            Some(first) => batch.push(first),
            None => return,
        }
    }
    let deadline = Instant::now() + (before.took / 4).min(limits.linger);
    loop {
        take_waiting(deliveries, limits, batch);
        if batch.len() >= expected {
            return;
        }
        match tokio::time::timeout_at(deadline, deliveries.next()).await {
            Ok(Some(delivery)) => batch.push(delivery),
            Ok(None) | Err(_) => return,
        }
    }
}

/// Fills `batch` to the last place, beside batches that are carried out; or until the deliveries have ended. What
/// is in it when the future is dropped stays there.
pub async fn gather_all(
    deliveries: &mut dyn Deliveries,
    limits: BatchLimits,
    batch: &mut Vec<Delivery>,
) {
    while batch.len() < limits.size {
        match deliveries.next().await {
            Some(delivery) => batch.push(delivery),
            None => return,
        }
    }
}

fn take_waiting(deliveries: &mut dyn Deliveries, limits: BatchLimits, batch: &mut Vec<Delivery>) {
    while batch.len() < limits.size {
        match deliveries.next().now_or_never().flatten() {
            Some(delivery) => batch.push(delivery),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use chat::error::{Error, Result};
    use chat::event::{Command, Envelope, IndexRows, Origin, VERSION};
    use chat::ports::{BuryReason, Settle};
    use tokio::sync::mpsc;

    const LIMITS: BatchLimits = BatchLimits {
        size: 10,
        linger: Duration::from_secs(60),
        pause: Duration::ZERO,
        at_once: 1,
    };

    struct Ignored;

    #[async_trait]
    impl Settle for Ignored {
        async fn ack(self: Box<Self>) {}
        async fn nack(self: Box<Self>, _why: Error) {}
        async fn bury(self: Box<Self>, _reason: BuryReason, _detail: String) -> Result<()> {
            Ok(())
        }
        fn abandoned(self: Box<Self>) {}
    }

    struct Channel(mpsc::UnboundedReceiver<Delivery>);

    #[async_trait]
    impl Deliveries for Channel {
        async fn next(&mut self) -> Option<Delivery> {
            self.0.recv().await
        }
        async fn cancel(&mut self) {
            self.0.close();
        }
    }

    fn delivery() -> Delivery {
        let envelope = Envelope {
            version: VERSION,
            command: Command::IndexRows(IndexRows { rows: Vec::new() }),
            origin: Origin::default(),
        };
        Delivery::new(Ok(envelope), 0, Box::new(Ignored))
    }

    /// How many are in a batch when some wait at first and others come once it is being gathered.
    async fn gathered(waiting: usize, coming: usize, before: Before) -> usize {
        let (sender, receiver) = mpsc::unbounded_channel();
        let send = |sender: &mpsc::UnboundedSender<Delivery>| sender.send(delivery()).is_ok();
        for _ in 0..waiting {
            send(&sender);
        }
        let late = sender.clone();
        tokio::spawn(async move {
            for _ in 0..coming {
                tokio::task::yield_now().await;
                send(&late);
            }
        });
        let mut batch = Vec::new();
        gather(&mut Channel(receiver), LIMITS, before, &mut batch).await;
        batch.len()
    }

    fn before(size: usize) -> Before {
        Before {
            size,
            took: Duration::from_secs(60),
        }
    }

    #[tokio::test]
    async fn those_who_wait_and_those_who_were_answered_share_a_batch() {
        assert_eq!(gathered(3, 2, before(2)).await, 5);
        assert_eq!(gathered(0, 4, before(2)).await, 2, "nobody else was there");
        assert_eq!(gathered(3, 20, before(20)).await, LIMITS.size);
    }

    #[tokio::test]
    async fn one_client_alone_never_waits() {
        let batch = tokio::time::timeout(Duration::from_secs(10), gathered(0, 1, before(1)));
        assert_eq!(batch.await, Ok(1));
    }

    #[tokio::test]
    async fn beside_another_a_batch_is_filled_to_the_last_place() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut channel = Channel(receiver);
        let mut batch = Vec::new();
        for _ in 1..LIMITS.size {
            assert!(sender.send(delivery()).is_ok());
        }
        let filling = gather_all(&mut channel, LIMITS, &mut batch);
        assert!(filling.now_or_never().is_none(), "one place is left");
        assert!(sender.send(delivery()).is_ok());
        gather_all(&mut channel, LIMITS, &mut batch).await;
        assert_eq!(batch.len(), LIMITS.size);
    }

    #[tokio::test]
    async fn gathering_that_is_given_up_leaves_the_batch_to_be_finished() {
        let (sender, receiver) = mpsc::unbounded_channel();
        assert!(sender.send(delivery()).is_ok());
        let mut channel = Channel(receiver);
        let mut batch = Vec::new();
        let gathering = gather(&mut channel, LIMITS, before(5), &mut batch);
        let given_up = tokio::time::timeout(Duration::from_millis(1), gathering).await;
        assert!(given_up.is_err(), "it waits for four more");
        assert_eq!(batch.len(), 1);
    }

    #[tokio::test]
    async fn who_does_not_come_again_is_waited_for_a_quarter_of_the_batch_before() {
        let quick = Before {
            size: 5,
            took: Duration::from_millis(4),
        };
        assert_eq!(gathered(2, 0, quick).await, 2);
    }
}
