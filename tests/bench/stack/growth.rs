//! What grows with the number of messages: the questions of `make bench` to a small cluster and to a large
//! one on the same servers, in turns.
//!
//! Rows go into MySQL directly; the index gets its commands through the queue, as from workers.

use super::progress;
use super::publish::{Commands, message_key};
use super::rows::{Database, Row};
use super::system::System;
use super::versions::versions;
use crate::Size;
use crate::application::{ADMIN_KEY, Application};
use crate::growth::{CONSTANT_CHAT, CONSTANT_MESSAGES, GROWING_CHATS, QUESTIONS, Question, ask};
use crate::results::Results;
use crate::text::Author;
use anyhow::{Result, ensure};
use chat::clock;
use chat::event::{Command, IndexRows};
use chat::model::MessageKey;
use e2e::cluster::Role;
use std::time::{Duration, Instant};

const CHATS: u64 = 1 + GROWING_CHATS;
/// Rows in a transaction of the filling, keys in an index command, and messages between two lines of progress.
const TRANSACTION: u64 = 2_000;
const KEYS: usize = 1_000;
const PORTION: u64 = 200_000;
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Without any progress.
const PATIENCE: Duration = Duration::from_secs(60);

struct Filled {
    name: &'static str,
    messages: u64,
    system: System,
    application: Application,
}

/// Returns which servers it were.
pub(crate) async fn measure(size: &Size, rows: u64, results: &mut Results) -> Result<String> {
    let small = fill("small", size.small, results).await?;
    let large = fill("large", rows, results).await?;
    results.add("growth rows", "", rows as f64);
    tokio::time::sleep(size.rest).await;
    for round in 1..=size.rounds {
        progress(&format!("growth, round {round}"));
        for question in QUESTIONS {
            for filled in [&small, &large] {
                filled.ask(question, size.samples, results).await?;
            }
        }
    }
    Ok(versions(&large.system).await)
}

impl Filled {
    async fn ask(&self, question: Question, samples: u64, results: &mut Results) -> Result<()> {
        let name = format!("{} {}", question.name(), self.name);
        let before = self.batches().await?;
        let asked = ask(&self.application, self.messages, question, samples).await?;
        results.add(&format!("{name} p50"), "ms", asked.latency_ms(0.5));
        results.add(&format!("{name} p99"), "ms", asked.latency_ms(0.99));
        if let Question::Insert = question {
            // The answer comes from the broker. What the database takes for it, the worker knows.
            let after = self.until_stored(before.commands + samples as f64).await?;
            let seconds = (after.seconds - before.seconds) / (after.count - before.count);
            results.add(&format!("store one {}", self.name), "ms", seconds * 1e3);
        }
        Ok(())
    }

    async fn batches(&self) -> Result<Batches> {
        let metrics = self.system.metrics(Role::Messages).await?;
        Ok(Batches {
            commands: metrics.sum_so_far("chat_commands_total"),
            seconds: metrics.sum_so_far("chat_batch_duration_seconds_sum"),
            count: metrics.sum_so_far("chat_batch_duration_seconds_count"),
        })
    }

    async fn until_stored(&self, commands: f64) -> Result<Batches> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let batches = self.batches().await?;
            if batches.commands >= commands {
                return Ok(batches);
            }
            ensure!(Instant::now() < deadline, "not everything was stored");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// What a worker has done since it started.
struct Batches {
    commands: f64,
    /// In transactions, and how many these were.
    seconds: f64,
    count: f64,
}

/// Returns when everything can be found.
async fn fill(name: &'static str, messages: u64, results: &mut Results) -> Result<Filled> {
    let system = System::start(&[]).await?;
    let application = Application::create(system.api()?, ADMIN_KEY, CHATS).await?;
    let address = system.setting("CHAT_MYSQL_URL")?.to_owned();
    let mut database = Database::connect(&address, "messages").await?;
    database.until_there_are(CHATS, "chats").await?;
    let app = database.application(&application.token).await?;

    let mut author = Author::new(3);
    let mut keys = Vec::new();
    let begun = Instant::now();
    for first in (0..messages).step_by(usize::try_from(TRANSACTION)?) {
        if first % PORTION == 0 {
            progress(&format!("growth, {name}: {first} of {messages} rows"));
        }
        let mut rows = Vec::new();
        for place in first..messages.min(first + TRANSACTION) {
            let (chat, number) = place_of(place);
            keys.push(message_key(app, chat, number)?);
            rows.push(row(app, chat, number, author.sentence())?);
        }
        database.insert("messages", &rows).await?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    results.add(&format!("fill {name}"), "rows/s", messages as f64 / seconds);
    explain(&mut database, app, messages).await?;
    index(name, &system, &keys, results).await?;
    Ok(Filled {
        name,
        messages,
        system,
        application,
    })
}

/// Chat and number of the n-th message.
fn place_of(place: u64) -> (u64, u64) {
    match place.checked_sub(CONSTANT_MESSAGES) {
        None => (CONSTANT_CHAT, place + 1),
        Some(rest) => (2 + rest % GROWING_CHATS, rest / GROWING_CHATS + 1),
    }
}

fn row(app: i64, chat: u64, number: u64, content: String) -> Result<Row> {
    Ok(Row {
        app,
        chat: i64::try_from(chat)?,
        number: i64::try_from(number)?,
        uid: clock::random_bytes::<16>().to_vec(),
        fingerprint: vec![0; 16],
        content,
        at: clock::now().get(),
    })
}

/// What numbers were given, and how many messages there are.
async fn explain(database: &mut Database, app: i64, messages: u64) -> Result<()> {
    let growing = (messages - CONSTANT_MESSAGES) / GROWING_CHATS;
    for chat in 1..=CHATS {
        let last = match chat {
            CONSTANT_CHAT => CONSTANT_MESSAGES,
            _ => growing,
        };
        let given = format!("INSERT INTO sequences (scope, hi) VALUES ('{app}:m:{chat}', {last})");
        database.run(given).await?;
        let counted = "INSERT INTO count_ledger (kind, app_id, chat_number, n) VALUES";
        let counted = format!("{counted} (1, {app}, {chat}, {last})");
        database.run(counted).await?;
    }
    Ok(())
}

async fn index(
    name: &str,
    system: &System,
    keys: &[MessageKey],
    results: &mut Results,
) -> Result<()> {
    let begun = Instant::now();
    let commands = keys.chunks(KEYS).map(|rows| {
        let rows = rows.to_vec();
        Command::IndexRows(IndexRows { rows })
    });
    Commands::of(system).await?.publish(commands).await?;
    let (mut last, mut told) = ((Instant::now(), 0.0), 0.0);
    loop {
        let metrics = system.metrics(Role::Indexing).await?;
        let written = metrics.sum("chat_index_writes_total")?;
        let now = Instant::now();
        if written >= told {
            progress(&format!(
                "growth, {name}: {written} of {} indexed",
                keys.len()
            ));
            told = written + PORTION as f64;
        }
        if written >= keys.len() as f64 {
            break;
        }
        if written > last.1 {
            last = (now, written);
        }
        ensure!(now - last.0 < PATIENCE, "indexing stopped at {written}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let rate = keys.len() as f64 / seconds;
    results.add(&format!("index {name}"), "1/s", rate);
    Ok(())
}
