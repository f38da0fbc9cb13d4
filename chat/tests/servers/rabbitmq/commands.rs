//! Commands to publish, and what comes out of a queue.

use chat::error::{Error, Result};
use chat::event::{
    Command, CreateChat, DeleteMessage, Envelope, IndexRows, Origin, Queue, VERSION,
};
use chat::model::{AppId, ChatKey, Fingerprint, Millis, Number, Rev, Uid};
use chat::ports::{Deliveries, Delivery, Publisher, Subscriber};
use std::time::Duration;

/// How long a delivery may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

fn chat(number: u64) -> ChatKey {
    ChatKey {
        app: AppId::from_stored(1),
        number: Number::new(number).unwrap(),
    }
}

pub(crate) fn message(n: u64) -> Envelope {
    envelope(Command::DeleteMessage(DeleteMessage {
        key: chat(1).message(Number::new(n).unwrap()),
        rev: Rev::from_stored(1),
        accepted_at: Millis::new(0),
    }))
}

pub(crate) fn new_chat(n: u64) -> Envelope {
    envelope(Command::CreateChat(CreateChat {
        key: chat(n),
        uid: Uid::from_digest(u128::from(n).to_be_bytes()),
        fingerprint: Fingerprint::from_stored(&[0; 16]).unwrap(),
        name: None,
        metadata: None,
        accepted_at: Millis::new(0),
    }))
}

pub(crate) fn index_rows(n: u64) -> Envelope {
    let rows = vec![chat(1).message(Number::new(n).unwrap())];
    envelope(Command::IndexRows(IndexRows { rows }))
}

fn envelope(command: Command) -> Envelope {
    Envelope {
        version: VERSION,
        command,
        origin: Origin::default(),
    }
}

pub(crate) async fn publish(publisher: &dyn Publisher, envelope: Envelope) -> Result<()> {
    publisher.slot().await?.publish(envelope).await
}

/// Publishes until it is confirmed, as a client with an idempotency key would.
pub(crate) async fn publish_surely(publisher: &dyn Publisher, envelope: Envelope) {
    let trying = async {
        while let Err(error) = publish(publisher, envelope.clone()).await {
            let is_expected = matches!(
                error,
                Error::Busy(_) | Error::Unroutable | Error::OutcomeUnknown { .. }
            );
            assert!(is_expected, "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let tried = tokio::time::timeout(PATIENCE, trying).await;
    tried.expect("publishing works again");
}

pub(crate) async fn consume(subscriber: &dyn Subscriber, queue: Queue) -> Box<dyn Deliveries> {
    subscriber.consume(queue).await.unwrap()
}

pub(crate) async fn next(deliveries: &mut dyn Deliveries) -> Delivery {
    let next = tokio::time::timeout(PATIENCE, deliveries.next()).await;
    next.expect("a delivery comes").expect("it has not ended")
}

/// The number of the message that is to be deleted.
pub(crate) fn number_of(delivery: &Delivery) -> u64 {
    match &delivery.envelope.as_ref().unwrap().command {
        Command::DeleteMessage(delete) => delete.key.number.get(),
        other => panic!("not published here: {other:?}"),
    }
}

/// Acks what comes until all of these came.
pub(crate) async fn ack_until(
    deliveries: &mut dyn Deliveries,
    mut wanted: std::collections::BTreeSet<u64>,
) {
    while !wanted.is_empty() {
        let next = tokio::time::timeout(PATIENCE, deliveries.next()).await;
        let Ok(Some(delivery)) = next else {
            panic!("{} never came, as {:?}", wanted.len(), wanted.first());
        };
        wanted.remove(&number_of(&delivery));
        delivery.ack().await;
    }
}
