//! Looking at dead letters, and deciding about them by hand.
//!
//! They are fetched one by one on a channel of its own and held until the decision is made; when the
//! channel closes, those that nobody decided about are back in their queue, in their order.

use super::burial::{self, Burial};
use super::topology::{COMMANDS, DEAD};
use super::{CONNECTION_WAIT, RabbitQueue};
use crate::error::{Error, Result};
use crate::event::{DecodeError, Envelope, decode};
use crate::model::Millis;
use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions};
use lapin::{BasicProperties, Channel};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use tokio::time::timeout;

/// A command that nobody could carry out.
#[derive(Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The uid of what it would have made, or what its sender chose; never empty.
    pub id: String,
    pub reason: String,
    pub error: Option<String>,
    /// The queue it was taken from.
    pub source: Option<String>,
    pub first_seen: Option<Millis>,
    /// How often it had been delivered before.
    pub attempts: u32,
    pub worker_version: Option<String>,
    pub envelope: Result<Envelope, DecodeError>,
    /// Its length.
    pub bytes: usize,
}

/// Which dead letters something is to be done with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    /// Those with this id.
    Id(String),
}

impl Which {
    fn holds(&self, id: &str) -> bool {
        match self {
            Self::All => true,
            Self::Id(wanted) => wanted == id,
        }
    }
}

impl RabbitQueue {
    /// The first `limit` dead letters, oldest first. They stay where they are; while somebody looks,
    /// nobody else sees them.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        let channel = self.dead_channel().await?;
        let mut letters = Vec::new();
        while letters.len() < limit
            && let Some(message) = self.get(&channel).await?
        {
            letters.push(read(&message.properties, &message.data));
        }
        close(&channel).await;
        Ok(letters)
    }

    /// The first dead letter with this id.
    pub async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>> {
        let channel = self.dead_channel().await?;
        let mut found = None;
        while found.is_none()
            && let Some(message) = self.get(&channel).await?
        {
            found = Some(read(&message.properties, &message.data)).filter(|letter| letter.id == id);
        }
        close(&channel).await;
        Ok(found)
    }

    /// Sends dead letters to the queue their command belongs to, with the same uid; a worker that did
    /// them after all finds that out. Each is removed only once it is safe there. Returns how many were
    /// sent. Those that are no commands stay.
    pub async fn redrive(&self, which: &Which) -> Result<u32> {
        self.decide(which, true).await
    }

    /// Removes dead letters for ever. Returns how many.
    pub async fn drop_dead_letters(&self, which: &Which) -> Result<u32> {
        self.decide(which, false).await
    }

    async fn decide(&self, which: &Which, redrive: bool) -> Result<u32> {
        let channel = self.dead_channel().await?;
        let mut decided = 0;
        // What comes back while this runs is not done again: it would not end.
        let mut left = None;
        while left != Some(0)
            && let Some(message) = self.get(&channel).await?
        {
            left = Some(left.map_or(message.message_count, |left| left - 1));
            let (properties, body) = (&message.properties, &message.data);
            if !which.holds(&id(properties, body)) {
                continue;
            }
            if redrive {
                let Ok(envelope) = decode(body) else { continue };
                let queue = envelope.command.queue().name();
                let outgoing = burial::redriven(COMMANDS, queue, properties, body);
                self.inner.publish_patiently(outgoing).await?;
            }
            let ack = channel.basic_ack(message.delivery_tag, BasicAckOptions::default());
            ack.await.map_err(|error| self.failed(&error))?;
            decided += 1;
        }
        close(&channel).await;
        Ok(decided)
    }

    async fn get(&self, channel: &Channel) -> Result<Option<BasicGetMessage>> {
        let got = channel.basic_get(DEAD.into(), BasicGetOptions::default());
        match timeout(CONNECTION_WAIT, got).await {
            Ok(got) => got.map_err(|error| self.failed(&error)),
            Err(_) => Err(self.inner.unavailable("no answer".into())),
        }
    }

    async fn dead_channel(&self) -> Result<Channel> {
        let mut link = self.inner.consuming();
        let opening = async { link.up().await.create_channel().await };
        match timeout(CONNECTION_WAIT, opening).await {
            Ok(channel) => channel.map_err(|error| self.failed(&error)),
            Err(_) => Err(self.inner.unavailable("no connection".into())),
        }
    }

    fn failed(&self, error: &lapin::Error) -> Error {
        self.inner.unavailable(super::connection::describe(error))
    }
}

async fn close(channel: &Channel) {
    // A failure means that the connection ended, which returns what was held just as well.
    let _ = channel.close(200, "done".into()).await;
}

fn read(properties: &BasicProperties, body: &[u8]) -> DeadLetter {
    let Burial {
        reason,
        error,
        source,
        first_seen,
        attempts,
        worker_version,
    } = burial::burial(properties);
    DeadLetter {
        id: id(properties, body),
        reason,
        error,
        source,
        first_seen,
        attempts,
        worker_version,
        envelope: decode(body),
        bytes: body.len(),
    }
}

fn id(properties: &BasicProperties, body: &[u8]) -> String {
    let said = properties.message_id().as_ref().map(|id| id.to_string());
    said.filter(|id| !id.is_empty()).unwrap_or_else(|| {
        let mut id = String::new();
        for byte in &Sha256::digest(body)[..8] {
            // Writing to a string cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        id
    })
}
