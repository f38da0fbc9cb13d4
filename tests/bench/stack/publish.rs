//! Commands into the chat's queues, without the API.

use super::system::System;
use anyhow::{Context, Result, anyhow};
use chat::adapters::endpoint::{Endpoint, Trust};
use chat::adapters::rabbitmq::{RabbitQueue, RabbitSettings};
use chat::clock;
use chat::event::{Command, CreateMessage, Envelope, Origin, VERSION};
use chat::model::{AppId, ChatKey, Content, Fingerprint, MessageKey, Number, Uid};
use chat::ports::Publisher;
use futures::{StreamExt, TryStreamExt, stream};
use std::time::{Duration, Instant};

/// Under way at once: less than there is room for.
const AT_ONCE: usize = 400;
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

pub(crate) struct Commands {
    queue: RabbitQueue,
}

impl Commands {
    /// Returns once it is connected.
    pub(crate) async fn of(system: &System) -> Result<Self> {
        let queue = RabbitQueue::open(RabbitSettings {
            endpoint: plaintext(system.setting("CHAT_RABBITMQ_URL")?),
            management: None,
            prefetch: RabbitSettings::PREFETCH,
            declares: false,
            max_queue_bytes: RabbitSettings::MAX_QUEUE_BYTES,
        })?;
        let deadline = Instant::now() + CONNECT_WITHIN;
        while let Err(error) = queue.ready().await {
            if Instant::now() > deadline {
                return Err(error.into());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(Self { queue })
    }

    /// Returns once all are confirmed.
    pub(crate) async fn publish(&self, commands: impl Iterator<Item = Command>) -> Result<()> {
        let publish = |command| async move {
            let slot = self.queue.slot().await?;
            let envelope = Envelope {
                version: VERSION,
                command,
                origin: Origin::default(),
            };
            slot.publish(envelope).await?;
            anyhow::Ok(())
        };
        let publishing = stream::iter(commands).map(publish);
        publishing
            .buffer_unordered(AT_ONCE)
            .try_for_each(|()| async { Ok(()) })
            .await
            .context("cannot publish")
    }
}

/// A server that is reached in the clear, as those of tests are.
pub(crate) fn plaintext(address: &str) -> Endpoint {
    Endpoint {
        url: address.to_owned().into(),
        trust: Trust {
            ca_pem: None,
            plaintext: true,
        },
    }
}

pub(crate) fn message_key(app: i64, chat: u64, number: u64) -> Result<MessageKey> {
    let number_of = |n| Number::new(n).context("numbers begin with 1");
    let chat = ChatKey {
        app: AppId::from_stored(app),
        number: number_of(chat)?,
    };
    Ok(chat.message(number_of(number)?))
}

pub(crate) fn create_message(key: MessageKey, content: &str) -> Result<Command> {
    let now = clock::now();
    Ok(Command::CreateMessage(CreateMessage {
        key,
        uid: Uid::from_time(now, u128::from_be_bytes(clock::random_bytes())),
        fingerprint: Fingerprint::of(&[content.as_bytes()]),
        content: Content::parse(content).map_err(|_| anyhow!("a sentence is a content"))?,
        author: None,
        metadata: None,
        reply_to: None,
        created_at: now,
        accepted_at: now,
    }))
}
