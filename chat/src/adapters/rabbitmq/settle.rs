//! What a worker decides about deliveries, told to the broker.
//!
//! Each channel of a consumer has one task that sends every frame about its deliveries, in order: an ack
//! for many must come after the frame that returns one of them. It lives as long as somebody holds a
//! delivery of the channel, and what is still open when it ends the broker delivers again (W24: a new
//! channel starts a new book, and nothing of the old one reaches it).

use super::ack_book::{AckBook, Settled};
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicNackOptions, BasicQosOptions};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How many decisions become frames at once.
const AT_ONCE: usize = 1_024;
/// How long a broker may take to answer for what was sent.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

enum Order {
    Settle(u64, Settled),
    Flush(oneshot::Sender<()>),
}

/// The right to settle one delivery. Dropped: it is delivered again when the channel ends.
pub(super) struct Ticket {
    tag: u64,
    orders: mpsc::UnboundedSender<Order>,
}

impl Ticket {
    pub(super) fn settle(self, settled: Settled) {
        // The task ends before its tickets only with the runtime.
        let _ = self.orders.send(Order::Settle(self.tag, settled));
    }
}

/// Hands out tickets for the deliveries of one channel.
pub(super) struct Tickets(mpsc::UnboundedSender<Order>);

impl Tickets {
    pub(super) fn ticket(&self, tag: u64) -> Ticket {
        Ticket {
            tag,
            orders: self.0.clone(),
        }
    }
}

/// The task of one channel, from outside.
pub(super) struct Settler {
    orders: mpsc::WeakUnboundedSender<Order>,
    task: JoinHandle<()>,
}

impl Settler {
    /// `keep` is dropped when the task has ended.
    pub(super) fn of<K: Send + 'static>(channel: Channel, keep: K) -> (Tickets, Self) {
        let (orders, received) = mpsc::unbounded_channel();
        let settler = Self {
            orders: orders.downgrade(),
            task: tokio::spawn(async move {
                settle(&channel, received).await;
                drop(keep);
            }),
        };
        (Tickets(orders), settler)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits until the broker has seen every decision made so far, or does not answer.
    pub(super) async fn flush(&mut self) {
        let flushed = match self.orders.upgrade() {
            Some(orders) => {
                let (done, flushed) = oneshot::channel();
                // Without an answer the task is ending, which flushes too.
                let _ = orders.send(Order::Flush(done));
                timeout(FLUSH_TIMEOUT, flushed).await.is_ok()
            }
            None if self.task.is_finished() => true,
            None => timeout(FLUSH_TIMEOUT, &mut self.task).await.is_ok(),
        };
        if !flushed {
            tracing::warn!("RabbitMQ did not answer for acks: it may deliver again what was done");
        }
    }
}

async fn settle(channel: &Channel, mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut book = AckBook::default();
    let mut batch = Vec::new();
    while orders.recv_many(&mut batch, AT_ONCE).await > 0 {
        let mut returned = Vec::new();
        let mut flushes = Vec::new();
        for order in batch.drain(..) {
            match order {
                Order::Settle(tag, settled) => {
                    if settled == Settled::Returned {
                        returned.push(tag);
                    }
                    book.settle(tag, settled);
                }
                Order::Flush(done) => flushes.push(done),
            }
        }
        let sent = async {
            for tag in returned {
                let options = BasicNackOptions {
                    requeue: true,
                    ..BasicNackOptions::default()
                };
                channel.basic_nack(tag, options).await?;
            }
            for ack in book.due() {
                let options = BasicAckOptions {
                    multiple: ack.multiple,
                };
                channel.basic_ack(ack.tag, options).await?;
            }
            if !flushes.is_empty() {
                // It is answered after everything that was sent before it.
                channel.basic_qos(1, BasicQosOptions::default()).await?;
            }
            lapin::Result::Ok(())
        };
        if let Err(error) = sent.await {
            // The channel is gone: the broker delivers again whatever it did not hear of.
            tracing::debug!(%error, "a decision about deliveries did not reach RabbitMQ");
        }
        for done in flushes {
            let _ = done.send(());
        }
    }
    // What is open goes back to the queue. A failure means that it did already.
    let _ = timeout(FLUSH_TIMEOUT, channel.close(200, "done".into())).await;
}
