//! Messages as lines, with the limits of ChatSystem kept, and how many there were.

use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::fmt;
use std::io::{BufWriter, Result, Write};

/// A message of a text, before it has a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Post {
    pub(crate) author: String,
    /// RFC 3339; texts with the same offset sort as they happened.
    pub(crate) created_at: Option<String>,
    pub(crate) content: String,
    /// How many posts before this one the post stands that it belongs to.
    pub(crate) answers: Option<usize>,
    /// One field of metadata: name and value.
    pub(crate) note: Option<(&'static str, String)>,
}

pub(crate) struct Writer<W: Write> {
    out: BufWriter<W>,
    totals: Totals,
}

#[derive(Default)]
pub(crate) struct Totals {
    messages: u64,
    replies: u64,
    chats: HashSet<String>,
    authors: HashSet<String>,
}

const LONGEST_CONTENT: usize = 10_000;
const LONGEST_NAME: usize = 200;

impl<W: Write> Writer<W> {
    pub(crate) fn new(out: W) -> Self {
        Self {
            out: BufWriter::new(out),
            totals: Totals::default(),
        }
    }

    /// `number` and `reply_to` count within the chat.
    pub(crate) fn write(
        &mut self,
        chat: &str,
        number: usize,
        reply_to: Option<usize>,
        post: &Post,
    ) -> Result<()> {
        let Post {
            author,
            created_at,
            content,
            answers: _,
            note,
        } = post;
        let chat = cut(chat, LONGEST_NAME);
        let author = cut(author, LONGEST_NAME);
        let mut line = Map::new();
        line.insert("chat".into(), json!({ "name": chat }));
        line.insert("number".into(), number.into());
        line.insert("author".into(), author.clone().into());
        line.insert("content".into(), cut(content, LONGEST_CONTENT).into());
        if let Some((name, value)) = note {
            line.insert("metadata".into(), json!({ *name: value }));
        }
        if let Some(target) = reply_to {
            line.insert("reply_to".into(), target.into());
        }
        if let Some(time) = created_at {
            line.insert("created_at".into(), time.clone().into());
        }
        serde_json::to_writer(&mut self.out, &Value::Object(line))?;
        self.out.write_all(b"\n")?;
        self.totals.messages += 1;
        self.totals.replies += u64::from(reply_to.is_some());
        self.totals.chats.insert(chat);
        self.totals.authors.insert(author);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Totals> {
        self.out.flush()?;
        Ok(self.totals)
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            messages,
            replies,
            chats,
            authors,
        } = self;
        let (chats, authors) = (chats.len(), authors.len());
        write!(
            f,
            "{messages} messages ({replies} of them replies) by {authors} authors in {chats} chats"
        )
    }
}

/// At most this many characters; no NUL, which no message may hold.
fn cut(text: &str, most: usize) -> String {
    text.trim()
        .chars()
        .filter(|&character| character != '\0')
        .take(most)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_becomes_a_line_that_import_understands() {
        let post = Post {
            author: " Ada ".into(),
            created_at: Some("2026-01-02T03:04:05+01:00".into()),
            content: "x\0".repeat(20_000),
            answers: None,
            note: Some(("version", "1-2".into())),
        };
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.write("bash", 2, Some(1), &post).unwrap();
        let totals = writer.finish().unwrap();
        assert_eq!(
            totals.to_string(),
            "1 messages (1 of them replies) by 1 authors in 1 chats"
        );
        let line: Value = serde_json::from_slice(&out).unwrap();
        let expected = json!({
            "chat": {"name": "bash"}, "number": 2, "author": "Ada", "content": "x".repeat(10_000),
            "metadata": {"version": "1-2"}, "reply_to": 1, "created_at": "2026-01-02T03:04:05+01:00",
        });
        assert_eq!(line, expected);
    }
}
