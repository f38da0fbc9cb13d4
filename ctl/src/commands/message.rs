//! `chatctl send`, `list`, `show`, `edit` and `delete`: messages of one chat.

use super::random_key;
use crate::args::{EditArguments, ListArguments, MessageArguments, SendArguments};
use crate::client::{Application, Presence};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::render;
use crate::wire::{NewMessage, Object};
use serde_json::{Value, json};
use std::io::{self, Read};

pub(crate) async fn send(
    application: &Application<'_>,
    output: &Output,
    arguments: SendArguments,
) -> Result<()> {
    let SendArguments {
        chat,
        content,
        author,
        metadata,
        reply_to,
        created_at,
        idempotency_key,
    } = arguments;
    let content = typed_or_read(content)?;
    let new = NewMessage {
        content,
        author,
        metadata,
        reply_to,
        created_at,
    };
    let key = idempotency_key.unwrap_or_else(random_key);
    let answer = application.create_message(chat.number, &new, &key).await?;
    let before = if answer.replayed {
        " (sent before with this key)"
    } else {
        ""
    };
    output.one(&answer.body, |_| {
        format!("message {}{before}", answer.body.number)
    })
}

pub(crate) async fn list(
    application: &Application<'_>,
    output: &Output,
    arguments: &ListArguments,
) -> Result<()> {
    let ListArguments { chat, page, before } = arguments;
    if let Some(before) = before {
        let messages = application
            .messages_before(chat.number, *before, page.limit)
            .await?;
        return output.each(&messages.data, render::message);
    }
    let limit = if page.all { 200 } else { page.limit };
    let mut after = page.after;
    loop {
        let messages = application.messages(chat.number, after, limit).await?;
        output.each(&messages.data, render::message)?;
        match messages.next {
            Some(next) if page.all => after = next,
            Some(next) => {
                output.remark(&format!("more: --after {next}"));
                return Ok(());
            }
            None => return Ok(()),
        }
    }
}

pub(crate) async fn show(
    application: &Application<'_>,
    output: &Output,
    arguments: &MessageArguments,
) -> Result<()> {
    let MessageArguments { chat, number } = arguments;
    match application.message(chat.number, *number).await? {
        Presence::Stored(stored) => {
            output.one(&stored, |painter| render::message(painter, &stored))
        }
        Presence::Processing => output
            .one(&json!({ "number": number, "status": "processing" }), |_| {
                format!("message {number} is accepted and not stored yet")
            }),
    }
}

pub(crate) async fn edit(
    application: &Application<'_>,
    output: &Output,
    arguments: EditArguments,
) -> Result<()> {
    let EditArguments {
        message: MessageArguments { chat, number },
        content,
        metadata,
    } = arguments;
    let mut change = Object::new();
    if let Some(content) = content {
        change.insert("content".into(), Value::String(typed_or_read(content)?));
    }
    if let Some(metadata) = metadata {
        change.insert("metadata".into(), metadata);
    }
    let change = Value::Object(change);
    let accepted = application
        .edit_message(chat.number, number, &change, &random_key())
        .await?;
    output.one(&accepted, |_| format!("message {number} edited"))
}

pub(crate) async fn delete(
    application: &Application<'_>,
    output: &Output,
    arguments: &MessageArguments,
) -> Result<()> {
    let MessageArguments { chat, number } = arguments;
    let accepted = application.delete_message(chat.number, *number).await?;
    output.one(&accepted, |_| format!("message {number} deleted"))
}

/// More than any message may hold, so that the refusal is the server's and memory stays small.
const MOST_READ: u64 = 256 * 1024;

/// Text as typed, or standard input for `-`, without the line end that closes a file.
fn typed_or_read(text: String) -> Result<String> {
    if text != "-" {
        return Ok(text);
    }
    let mut read = String::new();
    let input = io::stdin().lock();
    input
        .take(MOST_READ)
        .read_to_string(&mut read)
        .map_err(|error| Error::io("standard input", error))?;
    let text = read.strip_suffix('\n').map_or(read.as_str(), |text| {
        text.strip_suffix('\r').unwrap_or(text)
    });
    Ok(text.to_owned())
}
