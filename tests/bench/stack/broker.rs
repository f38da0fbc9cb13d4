//! The broker behind the chat's back: queues of the benchmark, and emptying those of the chat.

use anyhow::Result;
use lapin::options::{QueueBindOptions, QueueDeclareOptions, QueuePurgeOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, Connection, ConnectionProperties};

pub(crate) struct Broker {
    connection: Connection,
    channel: Channel,
}

impl Broker {
    pub(crate) async fn connect(address: &str) -> Result<Self> {
        let connection = Connection::connect(address, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok(Self {
            connection,
            channel,
        })
    }

    pub(crate) async fn channel(&self) -> Result<Channel> {
        Ok(self.connection.create_channel().await?)
    }

    /// A quorum queue, as those of the chat are.
    pub(crate) async fn declare(&self, queue: &str) -> Result<()> {
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let mut arguments = FieldTable::default();
        let quorum = AMQPValue::LongString(LongString::from("quorum"));
        arguments.insert("x-queue-type".into(), quorum);
        self.channel
            .queue_declare(queue.into(), options, arguments)
            .await?;
        Ok(())
    }

    /// Lets a queue get whatever is published with this key, besides those that get it already.
    pub(crate) async fn bind(&self, queue: &str, exchange: &str, key: &str) -> Result<()> {
        let options = QueueBindOptions::default();
        let arguments = FieldTable::default();
        self.channel
            .queue_bind(
                queue.into(),
                exchange.into(),
                key.into(),
                options,
                arguments,
            )
            .await?;
        Ok(())
    }

    pub(crate) async fn purge(&self, queue: &str) -> Result<()> {
        let options = QueuePurgeOptions::default();
        self.channel.queue_purge(queue.into(), options).await?;
        Ok(())
    }
}
