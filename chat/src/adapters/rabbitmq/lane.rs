//! One queue, consumed on a channel of its own, again on the next connection, until it is cancelled.

use super::Inner;
use super::ack_book::Settled;
use super::burial::{self, Burial};
use super::message;
use super::settle::{Settler, Ticket, Tickets};
use super::topology::{SUSPECT, SUSPECT_LIMIT, UNROUTED};
use crate::clock;
use crate::event::{DecodeError, Queue, decode};
use crate::model::Millis;
use futures::StreamExt;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Consumer};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// A delivery that came back this often without an answer is carried out alone from now on: with it,
/// some worker may have died (W21).
const SUSPICIOUS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);
/// Between two tries to move a message.
const MOVE_PAUSE: Duration = Duration::from_secs(1);
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// A delivery that nobody decided about.
pub(super) struct Received {
    pub(super) body: Vec<u8>,
    pub(super) properties: BasicProperties,
    /// The queue it was delivered from.
    pub(super) source: &'static str,
    /// How often it was delivered before and never answered for.
    pub(super) count: u32,
    pub(super) first_seen: Millis,
    /// Since when this worker has it.
    pub(super) here_since: Instant,
    pub(super) ticket: Ticket,
}

impl Received {
    pub(super) fn burial(&self, reason: &str, error: String) -> Burial {
        Burial {
            reason: reason.to_owned(),
            error: Some(error),
            source: Some(self.source.to_owned()),
            first_seen: Some(self.first_seen),
            attempts: self.count,
            worker_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }
    }
}

/// What to do with a delivery.
#[derive(Debug, PartialEq, Eq)]
enum Course {
    HandOut,
    /// It came this way because its queue was missing, and belongs there.
    Return(&'static str),
    Suspect,
    Crashed,
}

/// `count`: how often it came back without an answer. A command of a newer version is never suspected:
/// it waits for a newer worker. One for the index goes back to those who write it: a worker of messages
/// need not reach the index.
fn course(
    source: &str,
    count: u32,
    command: impl FnOnce() -> Result<Queue, DecodeError>,
) -> Course {
    match source {
        SUSPECT if count >= SUSPECT_LIMIT => Course::Crashed,
        SUSPECT => Course::HandOut,
        UNROUTED if count < SUSPICIOUS => match command() {
            Ok(queue @ Queue::Indexing) => Course::Return(queue.name()),
            _ => Course::HandOut,
        },
        _ if count < SUSPICIOUS => Course::HandOut,
        _ => match command() {
            Err(DecodeError::Newer(_)) => Course::HandOut,
            _ => Course::Suspect,
        },
    }
}

pub(super) struct Lane {
    pub(super) inner: Arc<Inner>,
    pub(super) queue: &'static str,
    pub(super) prefetch: u16,
    pub(super) out: mpsc::UnboundedSender<Received>,
    /// The settlers of its channels, for whoever wants to wait for them.
    pub(super) settlers: Arc<Mutex<Vec<Settler>>>,
    pub(super) cancel: CancellationToken,
}

impl Lane {
    pub(super) async fn run(self) {
        let mut link = self.inner.consuming();
        loop {
            let connection = tokio::select! {
                connection = link.up() => connection,
                () = self.cancel.cancelled() => return,
            };
            let why = match self.attach(&connection).await {
                Ok((consumer, channel, tickets)) => {
                    match self.consume(consumer, &channel, &tickets).await {
                        Ok(()) => return,
                        Err(why) => why,
                    }
                }
                Err(error) => super::connection::describe(&error),
            };
            tracing::warn!(
                queue = self.queue,
                why,
                "consuming was interrupted; trying again"
            );
            self.inner.topology.suspect();
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = self.cancel.cancelled() => return,
            }
        }
    }

    async fn attach(
        &self,
        connection: &lapin::Connection,
    ) -> lapin::Result<(Consumer, lapin::Channel, Tickets)> {
        let channel = connection.create_channel().await?;
        channel
            .basic_qos(self.prefetch, BasicQosOptions::default())
            .await?;
        let consumer = channel
            .basic_consume(
                self.queue.into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await?;
        // The connection stays as long as a delivery of it is open.
        let (tickets, settler) = Settler::of(channel.clone(), self.inner.clone());
        let mut settlers = self
            .settlers
            .lock()
            .expect("nothing panics under this lock");
        settlers.retain(|settler| !settler.has_ended());
        settlers.push(settler);
        Ok((consumer, channel, tickets))
    }

    /// Ends well when it is cancelled, and otherwise with the reason.
    async fn consume(
        &self,
        mut consumer: Consumer,
        channel: &lapin::Channel,
        tickets: &Tickets,
    ) -> Result<(), String> {
        loop {
            let delivery = tokio::select! {
                delivery = consumer.next() => delivery,
                () = self.cancel.cancelled() => break,
            };
            match delivery {
                Some(Ok(delivery)) => self.receive(delivery, tickets),
                Some(Err(error)) => return Err(super::connection::describe(&error)),
                None => return Err("the queue was deleted, or its node left".to_owned()),
            }
        }
        // Whatever the broker sent before its answer is delivered too.
        let cancelled = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
        if let Ok(Ok(())) = timeout(CANCEL_TIMEOUT, cancelled).await {
            while let Some(Ok(delivery)) = consumer.next().await {
                self.receive(delivery, tickets);
            }
        }
        Ok(())
    }

    fn receive(&self, delivery: lapin::message::Delivery, tickets: &Tickets) {
        let message_id = delivery.properties.message_id();
        let message_id = message_id.as_ref().map_or("", |id| id.as_str());
        tracing::debug!(
            queue = self.queue,
            message_id,
            redelivered = delivery.redelivered,
            "received"
        );
        let received = Received {
            count: message::delivery_count(&delivery.properties),
            first_seen: message::first_seen(&delivery.properties).unwrap_or_else(clock::now),
            ticket: tickets.ticket(delivery.delivery_tag),
            body: delivery.data,
            properties: delivery.properties,
            source: self.queue,
            here_since: Instant::now(),
        };
        let command = || decode(&received.body).map(|envelope| envelope.command.queue());
        match course(self.queue, received.count, command) {
            Course::HandOut => {
                // Without a receiver it is delivered again when the channel ends.
                let _ = self.out.send(received);
            }
            Course::Return(queue) => {
                let outgoing = message::moved("", queue, &received.properties, &received.body);
                self.move_away(received, outgoing, "unrouted");
            }
            Course::Suspect => {
                let outgoing = message::moved("", SUSPECT, &received.properties, &received.body);
                self.move_away(received, outgoing, "suspect");
            }
            Course::Crashed => {
                let detail = format!("{} workers ended while they had it", received.count);
                let why = received.burial("crash", detail);
                let outgoing = burial::buried(
                    super::topology::DEAD_LETTERS,
                    &received.properties,
                    &received.body,
                    &why,
                );
                self.move_away(received, outgoing, "crash");
            }
        }
    }

    /// Publishes it elsewhere, confirmed, and acks it here; tries until that works.
    fn move_away(&self, received: Received, outgoing: message::Outgoing, reason: &'static str) {
        tracing::warn!(
            queue = self.queue,
            count = received.count,
            reason,
            to = outgoing.routing_key,
            "a delivery is moved"
        );
        let (inner, cancel) = (self.inner.clone(), self.cancel.clone());
        tokio::spawn(async move {
            while let Err(error) = inner.publish_patiently(outgoing.clone()).await {
                tracing::warn!(%error, reason, "a delivery could not be moved; trying again");
                tokio::select! {
                    () = tokio::time::sleep(MOVE_PAUSE) => {}
                    () = cancel.cancelled() => return,
                }
            }
            received.ticket.settle(Settled::Acked);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(source: &str, count: u32) -> Course {
        course(source, count, || Ok(Queue::Messages))
    }

    #[test]
    fn what_never_ends_well_is_carried_out_alone_and_then_set_aside() {
        assert_eq!(messages("chat.messages", 9), Course::HandOut);
        assert_eq!(messages("chat.messages", 10), Course::Suspect);
        assert_eq!(messages(UNROUTED, 10), Course::Suspect);
        assert_eq!(messages(SUSPECT, 2), Course::HandOut);
        assert_eq!(messages(SUSPECT, 3), Course::Crashed);
    }

    #[test]
    fn a_command_of_a_newer_version_is_no_suspect() {
        let newer = || Err(DecodeError::Newer(9));
        assert_eq!(course("chat.messages", 99, newer), Course::HandOut);
    }

    #[test]
    fn what_is_for_the_index_goes_back_to_those_who_write_it() {
        let index = || Ok(Queue::Indexing);
        assert_eq!(course(UNROUTED, 0, index), Course::Return("chat.indexing"));
        assert_eq!(course("chat.indexing", 0, index), Course::HandOut);
        assert_eq!(messages(UNROUTED, 0), Course::HandOut);
    }
}
