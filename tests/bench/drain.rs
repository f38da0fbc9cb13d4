//! What the worker's step stores in a second, without HTTP: batches of 500 creates, in process, through
//! the rules and the ports. Beside it, plain inserts into the same tables.

use crate::Size;
use crate::plain::Plain;
use crate::results::Results;
use crate::text::Author;
use anyhow::{Context, Result, ensure};
use chat::backends::{Embedded, EmbeddedSettings, open_embedded};
use chat::clock;
use chat::event::{Command, CreateChat, CreateMessage, Queue};
use chat::model::{ChatKey, Content, Fingerprint, Name, Number, Uid};
use chat::ops::Credential;
use chat::ops::persist::{Fate, store};
use chat::rows::Outcome;
use std::path::Path;
use std::time::Instant;

/// As the worker does it at most.
const BATCH: usize = 500;
const CHATS: u64 = 16;

/// One round of both.
pub(crate) async fn round(dir: &Path, size: &Size, results: &mut Results) -> Result<()> {
    for in_a_transaction in [1, 64, BATCH] {
        let data = tempfile::tempdir_in(dir)?;
        let mut plain = Plain::open(data.path()).await?;
        let rows = if in_a_transaction == 1 {
            size.rows / 20
        } else {
            size.rows
        };
        let rate = plain.inserts(rows, in_a_transaction).await?;
        plain.close().await?;
        results.add(&format!("plain {in_a_transaction} rate"), "rows/s", rate);
    }
    let data = tempfile::tempdir_in(dir)?;
    let embedded = open_embedded(&EmbeddedSettings {
        data_dir: data.path().to_owned(),
        number_block: 256,
        max_pages: None,
    })
    .await?;
    let rate = drain(&embedded, size.rows).await;
    embedded.close().await?;
    results.add("drain rate", "rows/s", rate?);
    Ok(())
}

/// Rows a second.
async fn drain(embedded: &Embedded, rows: usize) -> Result<f64> {
    let name = Name::parse("benchmark").ok().context("a name")?;
    let created = embedded.ops.create_application(name, None).await?;
    let token = created.application.token;
    let tenant = embedded
        .ops
        .authenticate(token.as_str(), Credential::Open)
        .await?;
    let chats: Vec<ChatKey> = (1..=CHATS)
        .filter_map(Number::new)
        .map(|number| ChatKey {
            app: tenant.app(),
            number,
        })
        .collect();
    let creates: Vec<Command> = chats.iter().map(|chat| create_chat(*chat)).collect();
    carry_out(embedded, Queue::Chats, &creates).await?;

    let mut author = Author::new(2);
    let commands: Vec<Command> = (0..rows)
        .map(|place| {
            let chat = chats[place % chats.len()];
            let number = Number::new((place / chats.len() + 1) as u64);
            create_message(chat, number, &author.sentence())
        })
        .collect::<Option<_>>()
        .context("sentences are messages")?;
    let begun = Instant::now();
    for batch in commands.chunks(BATCH) {
        carry_out(embedded, Queue::Messages, batch).await?;
    }
    Ok(rows as f64 / begun.elapsed().as_secs_f64())
}

async fn carry_out(embedded: &Embedded, queue: Queue, batch: &[Command]) -> Result<()> {
    let (fates, _) = store(&*embedded.work.writer, queue, batch).await;
    let odd = fates
        .iter()
        .find(|fate| !matches!(fate, Fate::Done(Outcome::New)));
    ensure!(odd.is_none(), "not stored: {odd:?}");
    Ok(())
}

fn create_chat(key: ChatKey) -> Command {
    let now = clock::now();
    Command::CreateChat(CreateChat {
        key,
        uid: Uid::from_time(now, u128::from_be_bytes(clock::random_bytes())),
        fingerprint: Fingerprint::of(&[b"chat"]),
        name: None,
        metadata: None,
        accepted_at: now,
    })
}

fn create_message(chat: ChatKey, number: Option<Number>, content: &str) -> Option<Command> {
    let now = clock::now();
    Some(Command::CreateMessage(CreateMessage {
        key: chat.message(number?),
        uid: Uid::from_time(now, u128::from_be_bytes(clock::random_bytes())),
        fingerprint: Fingerprint::of(&[content.as_bytes()]),
        content: Content::parse(content).ok()?,
        author: None,
        metadata: None,
        reply_to: None,
        created_at: now,
        accepted_at: now,
    }))
}
