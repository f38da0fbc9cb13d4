//! `chatctl export`: chats as the JSON Lines that import reads.
//!
//! Ascending by number, and only as far as every number is explained, so a message that is stored late is
//! waited for. A line that holds nothing but `chat` is written before the messages of a chat that has
//! metadata, and for a chat without messages: with it nothing of a chat is lost but its id and times.

use super::tail::explained;
use crate::args::ExportArguments;
use crate::client::{Application, Presence};
use crate::error::{Error, Result};
use crate::wire::{Chat, Message, Object};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const PAGE: u64 = 200;

/// `patience`: how long to wait for a message that is accepted but not stored.
pub(crate) async fn export(
    application: &Application<'_>,
    arguments: &ExportArguments,
    patience: Duration,
) -> Result<()> {
    let ExportArguments { file, chat } = arguments;
    // Before the file, so that a wrong token leaves an older export alone.
    application.show().await?;
    let to_terminal = file == "-" && io::IsTerminal::is_terminal(&io::stdout());
    let out: Box<dyn Write> = match file.as_str() {
        "-" => Box::new(io::stdout()),
        path => Box::new(File::create(path).map_err(|error| Error::io(path, error))?),
    };
    let mut export = Export {
        application,
        out: BufWriter::with_capacity(1 << 16, out),
        file,
        patience,
        bar: bar(to_terminal),
        messages: 0,
    };
    match chat {
        Some(number) => export.one(*number).await?,
        None => export.all().await?,
    }
    export.flush()?;
    export.bar.finish_and_clear();
    Ok(())
}

fn bar(hidden: bool) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {elapsed}  {msg}");
    let bar = if hidden {
        ProgressBar::hidden()
    } else {
        ProgressBar::no_length()
    };
    bar.with_style(style.expect("the template is valid"))
}

/// A line as import reads it; absent fields are left out.
#[derive(Serialize)]
struct Line<'a> {
    chat: ChatOfLine<'a>,
    #[serde(flatten)]
    message: Option<MessageOfLine<'a>>,
}

#[derive(Serialize)]
struct ChatOfLine<'a> {
    number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Object>,
}

#[derive(Serialize)]
struct MessageOfLine<'a> {
    number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a str>,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<u64>,
    created_at: &'a str,
}

impl<'a> Line<'a> {
    fn naming(chat: &'a Chat) -> Self {
        let metadata = chat.metadata.as_ref();
        Self {
            chat: ChatOfLine {
                number: chat.number,
                name: chat.name.as_deref(),
                metadata,
            },
            message: None,
        }
    }

    fn saying(chat: &'a Chat, message: &'a Message) -> Self {
        // The id, the revision and its time belong to the server that gave them.
        let Message {
            number,
            author,
            content,
            metadata,
            reply_to,
            created_at,
            ..
        } = message;
        Self {
            chat: ChatOfLine {
                number: chat.number,
                name: chat.name.as_deref(),
                metadata: None,
            },
            message: Some(MessageOfLine {
                number: *number,
                author: author.as_deref(),
                content,
                metadata: metadata.as_ref(),
                reply_to: *reply_to,
                created_at,
            }),
        }
    }
}

struct Export<'a> {
    application: &'a Application<'a>,
    out: BufWriter<Box<dyn Write>>,
    file: &'a str,
    patience: Duration,
    bar: ProgressBar,
    messages: u64,
}

impl Export<'_> {
    async fn all(&mut self) -> Result<()> {
        let mut after = 0;
        loop {
            let page = self.application.chats(after, PAGE).await?;
            for chat in &page.data {
                match self.chat(chat).await {
                    Err(Error::Refused(refusal))
                        if refusal.is("gone") || refusal.is("not-found") =>
                    {
                        self.bar
                            .suspend(|| eprintln!("chat {} was deleted meanwhile", chat.number));
                    }
                    written => written?,
                }
            }
            match page.next {
                Some(next) => after = next,
                None => return Ok(()),
            }
        }
    }

    async fn one(&mut self, number: u64) -> Result<()> {
        match self.application.chat(number).await? {
            Presence::Stored(chat) => self.chat(&chat).await,
            Presence::Processing => Err(Error::Incomplete(format!(
                "chat {number} is accepted and not stored yet; try again"
            ))),
        }
    }

    async fn chat(&mut self, chat: &Chat) -> Result<()> {
        let mut named = false;
        if chat.metadata.is_some() {
            self.write(&Line::naming(chat))?;
            named = true;
        }
        let mut after = 0;
        let mut waiting_since = None;
        loop {
            let page = self.application.messages(chat.number, after, PAGE).await?;
            let through = explained(&page, after);
            for message in page
                .data
                .iter()
                .take_while(|message| message.number <= through)
            {
                self.write(&Line::saying(chat, message))?;
                named = true;
                self.messages += 1;
            }
            self.bar
                .set_message(format!("{} messages, chat {}", self.messages, chat.number));
            self.bar.tick();
            let all_shown = page
                .data
                .last()
                .is_none_or(|message| message.number <= through);
            if all_shown && page.next.is_none() {
                break;
            }
            if through > after {
                (after, waiting_since) = (through, None);
                continue;
            }
            let since = *waiting_since.get_or_insert_with(Instant::now);
            if since.elapsed() > self.patience {
                return Err(Error::Incomplete(format!(
                    "a message after {after} of chat {} is accepted and not stored yet; try again later",
                    chat.number
                )));
            }
            sleep(Duration::from_millis(200)).await;
        }
        if !named {
            self.write(&Line::naming(chat))?;
        }
        Ok(())
    }

    fn write(&mut self, line: &Line<'_>) -> Result<()> {
        let mut text = serde_json::to_vec(line).expect("a line has string keys only");
        text.push(b'\n');
        self.out
            .write_all(&text)
            .map_err(|error| Error::io(self.file, error))
    }

    fn flush(&mut self) -> Result<()> {
        self.out
            .flush()
            .map_err(|error| Error::io(self.file, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::line::{ChatId, parse};

    fn chat() -> Chat {
        let json = r#"{"number":3,"id":"u","name":"billing","metadata":{"a":1},"messages_count":1,"rev":0,
            "created_at":"2026-01-02T03:04:05.000Z","updated_at":"2026-01-02T03:04:05.000Z"}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_export_writes_is_what_import_reads() {
        let chat = chat();
        let message: Message = serde_json::from_str(
            r#"{"number":12,"id":"u","chat_number":3,"content":"a\nb\u0001","author":null,"metadata":{"z":1,"a":2},
                "reply_to":11,"rev":5,"created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:06.000Z"}"#,
        )
        .unwrap();
        let text = serde_json::to_string(&Line::saying(&chat, &message)).unwrap();
        assert_eq!(
            text,
            r#"{"chat":{"number":3,"name":"billing"},"number":12,"content":"a\nb\u0001","metadata":{"z":1,"a":2},"reply_to":11,"created_at":"2026-01-02T03:04:05.678Z"}"#
        );
        let line = parse(text.as_bytes()).unwrap();
        assert_eq!(line.chat.id, ChatId::Number(3));
        assert_eq!(line.message.unwrap().new.content, "a\nb\u{1}");
        let naming = serde_json::to_string(&Line::naming(&chat)).unwrap();
        let line = parse(naming.as_bytes()).unwrap();
        assert_eq!(
            (line.chat.metadata, line.message),
            (chat.metadata.clone(), None)
        );
    }
}
