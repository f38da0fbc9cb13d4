//! What one line says. Shape and types are judged here, so that a refusal names the field; lengths and
//! the like are left to the server.

use crate::wire::{NewMessage, Object};
use serde_json::Value;

/// One line, understood.
#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) chat: ChatOfLine,
    /// `None`: the line only names a chat.
    pub(crate) message: Option<MessageOfLine>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct ChatOfLine {
    pub(crate) id: ChatId,
    pub(crate) name: Option<String>,
    pub(crate) metadata: Option<Object>,
}

/// What tells the chats of a file apart: the number, or the name where there is no number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ChatId {
    Number(u64),
    Name(String),
}

/// A message whose `reply_to` is still a number of the file.
#[derive(Debug, PartialEq)]
pub(crate) struct MessageOfLine {
    pub(crate) number: Option<u64>,
    pub(crate) new: NewMessage,
}

/// Numbers stay exact in JSON up to here.
const GREATEST: u64 = (1 << 53) - 1;

/// `Err` says which field is wrong and what to write instead.
pub(crate) fn parse(text: &[u8]) -> Result<Line, String> {
    let text = std::str::from_utf8(text).map_err(|error| {
        format!(
            "not UTF-8 at byte {}; convert the file to UTF-8",
            error.valid_up_to() + 1
        )
    })?;
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("not JSON: {}", explain(&error)))?;
    let Value::Object(object) = value else {
        return Err(format!(
            "is {}; write one JSON object per line",
            kind(&value)
        ));
    };
    let mut fields = Fields { object, path: "" };
    let chat = chat(&mut fields)?;
    let number = fields.number("number")?;
    let author = fields.string("author")?;
    let content = fields.string("content")?;
    let metadata = fields.object("metadata")?;
    let reply_to = fields.number("reply_to")?;
    let created_at = fields.string("created_at")?;
    fields.finish()?;
    let says_nothing = number.is_none()
        && author.is_none()
        && metadata.is_none()
        && reply_to.is_none()
        && created_at.is_none();
    let message = match content {
        Some(content) => Some(MessageOfLine {
            number,
            new: NewMessage {
                content,
                author,
                metadata,
                reply_to,
                created_at,
            },
        }),
        None if says_nothing => None,
        None => return Err("content: is missing; write what the message says".into()),
    };
    Ok(Line { chat, message })
}

fn chat(fields: &mut Fields) -> Result<ChatOfLine, String> {
    let object = fields
        .object("chat")?
        .ok_or("chat: is missing; write {\"name\":\"..\"} or {\"number\":1}")?;
    let mut fields = Fields {
        object,
        path: "chat.",
    };
    let number = fields.number("number")?;
    let name = fields.string("name")?;
    let metadata = fields.object("metadata")?;
    fields.finish()?;
    let id = match (number, &name) {
        (Some(number), _) => ChatId::Number(number),
        (None, Some(name)) => ChatId::Name(name.clone()),
        (None, None) => return Err("chat: has neither number nor name; write one of them".into()),
    };
    Ok(ChatOfLine { id, name, metadata })
}

/// Takes fields out of an object, one by one, until none may be left. Null counts as absent.
struct Fields {
    object: Object,
    path: &'static str,
}

impl Fields {
    fn string(&mut self, field: &str) -> Result<Option<String>, String> {
        match self.object.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(field, &other, "a string")),
        }
    }

    fn object(&mut self, field: &str) -> Result<Option<Object>, String> {
        match self.object.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(other) => Err(self.wrong(field, &other, "an object")),
        }
    }

    fn number(&mut self, field: &str) -> Result<Option<u64>, String> {
        match self.object.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(other) => match other.as_u64() {
                Some(number @ 1..=GREATEST) => Ok(Some(number)),
                _ => Err(self.wrong(field, &other, "a whole number from 1 to 9007199254740991")),
            },
        }
    }

    fn wrong(&self, field: &str, found: &Value, wanted: &str) -> String {
        format!("{}{field}: is {}; write {wanted}", self.path, kind(found))
    }

    fn finish(self) -> Result<(), String> {
        match self.object.keys().next() {
            Some(field) => Err(format!(
                "{}{field}: is not a field of this format; leave it out",
                self.path
            )),
            None => Ok(()),
        }
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "a boolean".into(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a string".into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// The error without "at line 1", which would be taken for the line of the file.
fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    format!("{reason} at column {}", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_full_line_is_understood() {
        let line = parse(
            br#"{"chat":{"number":7,"name":"billing"},"number":12,"author":"Ada","content":"hi",
                 "metadata":{"lang":"en"},"reply_to":11,"created_at":"2026-01-02T03:04:05Z"}"#,
        );
        let metadata = serde_json::from_str(r#"{"lang":"en"}"#).unwrap();
        let new = NewMessage {
            content: "hi".into(),
            author: Some("Ada".into()),
            metadata: Some(metadata),
            reply_to: Some(11),
            created_at: Some("2026-01-02T03:04:05Z".into()),
        };
        let chat = ChatOfLine {
            id: ChatId::Number(7),
            name: Some("billing".into()),
            metadata: None,
        };
        assert_eq!(
            line,
            Ok(Line {
                chat,
                message: Some(MessageOfLine {
                    number: Some(12),
                    new
                })
            })
        );
    }

    #[test]
    fn null_counts_as_absent_and_a_chat_may_stand_alone() {
        let line =
            parse(br#"{"chat":{"number":null,"name":"a"},"content":null,"author":null}"#).unwrap();
        assert_eq!(line.chat.id, ChatId::Name("a".into()));
        assert_eq!(line.message, None);
    }

    #[test]
    fn a_refusal_names_the_field_and_the_fix() {
        for (text, reason) in [
            ("", "not JSON: EOF while parsing a value at column 0"),
            (
                r#"{"chat":"#,
                "not JSON: EOF while parsing a value at column 8",
            ),
            ("[1]", "is an array; write one JSON object per line"),
            (
                r#"{"content":"x"}"#,
                "chat: is missing; write {\"name\":\"..\"} or {\"number\":1}",
            ),
            (
                r#"{"chat":{},"content":"x"}"#,
                "chat: has neither number nor name; write one of them",
            ),
            (
                r#"{"chat":5,"content":"x"}"#,
                "chat: is the number 5; write an object",
            ),
            (
                r#"{"chat":{"number":0},"content":"x"}"#,
                "chat.number: is the number 0; write a whole number from 1 to 9007199254740991",
            ),
            (
                r#"{"chat":{"name":"a"},"content":5}"#,
                "content: is the number 5; write a string",
            ),
            (
                r#"{"chat":{"name":"a"},"author":"b"}"#,
                "content: is missing; write what the message says",
            ),
            (
                r#"{"chat":{"name":"a"},"content":"x","auther":"b"}"#,
                "auther: is not a field of this format; leave it out",
            ),
            (
                r#"{"chat":{"name":"a"},"content":"x","reply_to":1.5}"#,
                "reply_to: is the number 1.5; write a whole number from 1 to 9007199254740991",
            ),
        ] {
            assert_eq!(refusal(text), reason);
        }
        assert_eq!(
            parse(b"{\"a\":\"\xff\"}"),
            Err("not UTF-8 at byte 7; convert the file to UTF-8".into())
        );
    }
}
