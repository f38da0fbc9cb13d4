//! `chat-worker dlq`: looking at dead letters, and deciding about them.

use crate::args::DeadLetters;
use anyhow::{Result, bail};
use chat::adapters::rabbitmq::{DeadLetter, Which};
use chat::backends::Cluster;
use serde_json::{Value, json};
use std::fmt::Write;

/// More are named by how many they are.
const LISTED: usize = 1_000;

pub(crate) async fn carry_out(cluster: &Cluster, asked: DeadLetters) -> Result<()> {
    let queue = &cluster.queue;
    let text = match asked {
        DeadLetters::List { json } => {
            let letters = queue.dead_letters(LISTED).await?;
            match json {
                true => format!(
                    "{:#}\n",
                    Value::Array(letters.iter().map(in_json).collect())
                ),
                false => table(&letters)?,
            }
        }
        DeadLetters::Show { id } => match queue.dead_letter(&id).await? {
            Some(letter) => format!("{:#}\n", whole(&letter)),
            None => bail!("{}", nobody(&id)),
        },
        DeadLetters::Redrive { id } => {
            let sent = queue.redrive(&which(id.clone())).await?;
            if let (0, Some(id)) = (sent, id) {
                bail!(
                    "there is no dead letter {id} that a worker could read; `chat-worker dlq ls` lists all, `dlq drop` removes one"
                );
            }
            format!("{sent} dead letters were sent to their queues again\n")
        }
        DeadLetters::Drop { id } => {
            let dropped = queue.drop_dead_letters(&which(id.clone())).await?;
            if let (0, Some(id)) = (dropped, id) {
                bail!("{}", nobody(&id));
            }
            format!("{dropped} dead letters were removed\n")
        }
    };
    cli::print(&text)
}

fn nobody(id: &str) -> String {
    format!("there is no dead letter {id}; `chat-worker dlq ls` lists those that are there")
}

fn which(id: Option<String>) -> Which {
    id.map_or(Which::All, Which::Id)
}

fn kind(letter: &DeadLetter) -> &'static str {
    match &letter.envelope {
        Ok(envelope) => envelope.command.kind(),
        Err(_) => "unreadable",
    }
}

fn table(letters: &[DeadLetter]) -> Result<String, std::fmt::Error> {
    if letters.is_empty() {
        return Ok("There are no dead letters.\n".to_owned());
    }
    let mut text = String::new();
    writeln!(
        text,
        "{:<36}  {:<10}  {:<14}  {:>8}  error",
        "id", "reason", "command", "attempts"
    )?;
    for letter in letters {
        let DeadLetter {
            id,
            reason,
            attempts,
            ..
        } = letter;
        let error = letter.error.as_deref().unwrap_or_default();
        writeln!(
            text,
            "{id:<36}  {reason:<10}  {:<14}  {attempts:>8}  {error}",
            kind(letter)
        )?;
    }
    if letters.len() == LISTED {
        writeln!(text, "These are the first {LISTED}.")?;
    }
    Ok(text)
}

/// Without what people wrote.
fn in_json(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id,
        "reason": letter.reason,
        "error": letter.error,
        "command": kind(letter),
        "source": letter.source,
        "first_seen_ms": letter.first_seen.map(chat::model::Millis::get),
        "attempts": letter.attempts,
        "worker_version": letter.worker_version,
        "bytes": letter.bytes,
    })
}

fn whole(letter: &DeadLetter) -> Value {
    let mut shown = in_json(letter);
    shown["body"] = match &letter.envelope {
        Ok(envelope) => json!(envelope),
        Err(error) => json!(error.to_string()),
    };
    shown
}
