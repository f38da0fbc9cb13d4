//! Draining a full queue: a worker that consumes, classifies, inserts, counts, publishes for the index and
//! acks, beside a loop that only consumes, inserts and acks. Both get the same commands, published once.

use super::publish::{Commands, create_message, message_key};
use super::rows::{Database, Row};
use super::system::System;
use super::versions::versions;
use super::{broker::Broker, progress};
use crate::Size;
use crate::application::{ADMIN_KEY, Application};
use crate::results::Results;
use crate::text::Author;
use anyhow::{Context, Result, bail, ensure};
use chat::event::{self, Command};
use e2e::cluster::Role;
use futures::{FutureExt, StreamExt};
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use std::time::{Duration, Instant};

const CHATS: u64 = 16;
/// As the worker does it at most, and twice as many in its hands.
const BATCH: usize = 500;
const PREFETCH: u16 = 1_000;
const QUEUE: &str = "chat.messages";
const PLAIN: &str = "plain";
const PLAIN_TABLE: &str = "plain_messages";
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Without any progress.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns which servers it were.
pub(crate) async fn measure(size: &Size, messages: u64, results: &mut Results) -> Result<String> {
    let mut system = System::start(&[]).await?;
    let application = Application::create(system.api()?, ADMIN_KEY, CHATS).await?;
    let address = system.setting("CHAT_MYSQL_URL")?.to_owned();
    let mut database = Database::connect(&address, PLAIN_TABLE).await?;
    database.until_there_are(CHATS, "chats").await?;
    let app = database.application(&application.token).await?;
    let table = format!("CREATE TABLE {PLAIN_TABLE} LIKE messages");
    database.run(table).await?;
    system.stop_workers().await?;
    system.stop(Role::Api).await?;

    let broker = system.broker().await?;
    broker.declare(PLAIN).await?;
    broker.bind(PLAIN, "chat.cmd", QUEUE).await?;
    let commands = Commands::of(&system).await?;
    let mut author = Author::new(5);
    for round in 0..size.rounds as u64 {
        progress(&format!("drain, round {}: filling", round + 1));
        let creates = (round * messages..(round + 1) * messages).map(|place| {
            let key = message_key(app, place % CHATS + 1, place / CHATS + 1)?;
            create_message(key, &author.sentence())
        });
        let creates: Vec<Command> = creates.collect::<Result<_>>()?;
        commands.publish(creates.into_iter()).await?;

        progress(&format!("drain, round {}: the plain loop", round + 1));
        let plain = drain_plainly(&broker, &mut database, messages).await?;
        results.add("drain plain", "rows/s", plain);

        progress(&format!("drain, round {}: the worker", round + 1));
        let (rate, cpu_us) = drain(&mut system, messages).await?;
        results.add("drain", "rows/s", rate);
        results.add("drain cpu", "us", cpu_us);
        let stored = (round + 1) * messages;
        for table in ["messages", PLAIN_TABLE] {
            let count = database
                .number(format!("SELECT COUNT(*) FROM {table}"))
                .await?;
            let stored = i64::try_from(stored)?;
            ensure!(count == stored, "{count} of {stored} rows in {table}");
        }
        broker.purge("chat.indexing").await?;
    }
    Ok(versions(&system).await)
}

/// Rows a second, from the first batch that a worker has committed to the last; and the microseconds of
/// processor time its process used for a row.
async fn drain(system: &mut System, messages: u64) -> Result<(f64, f64)> {
    system.start_again(Role::Messages).await?;
    let messages = messages as f64;
    let (mut first, mut last) = (None, (Instant::now(), 0.0));
    loop {
        let metrics = system.metrics(Role::Messages).await?;
        let done = metrics.sum_so_far("chat_commands_total");
        let now = Instant::now();
        if done > last.1 {
            first.get_or_insert((now, done));
            last = (now, done);
        }
        if done >= messages {
            break;
        }
        ensure!(now - last.0 < PATIENCE, "the worker stopped at {done}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let cpu_us = system.cpu_seconds(Role::Messages)? * 1e6 / messages;
    // It finishes what it has in its hands, acks included.
    system.stop(Role::Messages).await?;
    let (begun, before) = first.context("nothing was done")?;
    Ok(((messages - before) / (last.0 - begun).as_secs_f64(), cpu_us))
}

/// Rows a second, from the first delivery to the last ack.
async fn drain_plainly(broker: &Broker, database: &mut Database, messages: u64) -> Result<f64> {
    let channel = broker.channel().await?;
    channel
        .basic_qos(PREFETCH, BasicQosOptions::default())
        .await?;
    let mut consumer = channel
        .basic_consume(
            PLAIN.into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let (mut begun, mut left) = (None, messages);
    while left > 0 {
        let delivery = consumer.next().await.context("the consumer ended")??;
        begun.get_or_insert_with(Instant::now);
        let mut rows = vec![row(&delivery.data)?];
        let mut last = delivery.delivery_tag;
        while rows.len() < BATCH
            && let Some(Some(delivery)) = consumer.next().now_or_never()
        {
            let delivery = delivery?;
            rows.push(row(&delivery.data)?);
            last = delivery.delivery_tag;
        }
        database.insert(PLAIN_TABLE, &rows).await?;
        channel
            .basic_ack(last, BasicAckOptions { multiple: true })
            .await?;
        left -= rows.len() as u64;
    }
    let begun = begun.context("nothing was there")?;
    let rate = messages as f64 / begun.elapsed().as_secs_f64();
    channel.close(200, "done".into()).await?;
    Ok(rate)
}

fn row(body: &[u8]) -> Result<Row> {
    let envelope = event::decode(body)?;
    let Command::CreateMessage(create) = envelope.command else {
        bail!("not a message");
    };
    Ok(Row {
        app: create.key.chat.app.get(),
        chat: create.key.chat.number.as_i64(),
        number: create.key.number.as_i64(),
        uid: create.uid.as_bytes().to_vec(),
        fingerprint: create.fingerprint.as_bytes().to_vec(),
        content: create.content.as_str().to_owned(),
        at: create.accepted_at.get(),
    })
}
