//! `chatctl chat`: chats of one application.

use super::random_key;
use crate::args::PageArguments;
use crate::client::{Application, Presence};
use crate::error::Result;
use crate::output::Output;
use crate::render;
use crate::wire::{NewChat, Object};
use serde_json::json;

pub(crate) async fn create(
    application: &Application<'_>,
    output: &Output,
    name: Option<String>,
    metadata: Option<Object>,
) -> Result<()> {
    let accepted = application
        .create_chat(&NewChat { name, metadata }, &random_key())
        .await?
        .body;
    output.one(&accepted, |_| format!("chat {}", accepted.number))
}

pub(crate) async fn list(
    application: &Application<'_>,
    output: &Output,
    page: &PageArguments,
) -> Result<()> {
    let limit = if page.all { 200 } else { page.limit };
    let mut after = page.after;
    loop {
        let chats = application.chats(after, limit).await?;
        output.each(&chats.data, render::chat_line)?;
        match chats.next {
            Some(next) if page.all => after = next,
            Some(next) => {
                output.remark(&format!("more: --after {next}"));
                return Ok(());
            }
            None => return Ok(()),
        }
    }
}

pub(crate) async fn show(application: &Application<'_>, output: &Output, chat: u64) -> Result<()> {
    match application.chat(chat).await? {
        Presence::Stored(stored) => output.one(&stored, |painter| render::chat(painter, &stored)),
        Presence::Processing => output
            .one(&json!({ "number": chat, "status": "processing" }), |_| {
                format!("chat {chat} is accepted and not stored yet")
            }),
    }
}

pub(crate) async fn delete(
    application: &Application<'_>,
    output: &Output,
    chat: u64,
) -> Result<()> {
    let accepted = application.delete_chat(chat).await?;
    output.one(&accepted, |_| {
        format!("chat {chat} deleted; its messages are being removed")
    })
}
