//! The idempotency keys of an import: the same line of the same import has the same key in every run.
//!
//! A message is known by the import's name, its chat, its number in the file (or, without one, its line)
//! and what it says. So a second run adds nothing, the same text twice stays two messages, and a line
//! that was refused and then mended is a new one.

use super::line::{ChatId, MessageOfLine};
use sha2::{Digest, Sha256};

/// The name of one import.
#[derive(Clone, Debug)]
pub(crate) struct ImportKeys {
    import_id: String,
}

impl ImportKeys {
    pub(crate) fn new(import_id: impl Into<String>) -> Self {
        Self {
            import_id: import_id.into(),
        }
    }

    pub(crate) fn chat(&self, chat: &ChatId) -> String {
        key("chat", &[self.import_id.as_bytes(), &identity(chat)])
    }

    /// `line` counts from 1.
    pub(crate) fn message(&self, chat: &ChatId, line: u64, message: &MessageOfLine) -> String {
        let place = match message.number {
            Some(number) => format!("number {number}"),
            None => format!("line {line}"),
        };
        let says = serde_json::to_vec(&message.new).expect("a message has string keys only");
        key(
            "message",
            &[
                self.import_id.as_bytes(),
                &identity(chat),
                place.as_bytes(),
                &says,
            ],
        )
    }
}

fn identity(chat: &ChatId) -> Vec<u8> {
    match chat {
        ChatId::Number(number) => format!("number {number}").into_bytes(),
        ChatId::Name(name) => format!("name {name}").into_bytes(),
    }
}

/// Each part is hashed with its length, so parts cannot flow into one another.
fn key(kind: &str, parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in std::iter::once(&kind.as_bytes()).chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digits: String = hash.finalize()[..20]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("import-{kind}-{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::NewMessage;
    use std::collections::HashSet;

    fn message(number: Option<u64>, content: &str) -> MessageOfLine {
        MessageOfLine {
            number,
            new: NewMessage {
                content: content.into(),
                ..NewMessage::default()
            },
        }
    }

    #[test]
    fn keys_are_the_same_in_every_run_and_release() {
        let keys = ImportKeys::new("history.jsonl");
        let chat = ChatId::Number(7);
        assert_eq!(
            keys.chat(&chat),
            "import-chat-272108aa4dcc1434282ae2b495291525efb31908"
        );
        assert_eq!(
            keys.message(&chat, 3, &message(None, "hi")),
            "import-message-9d2cfdc6557ccae2254563705e1e00afad96705c"
        );
    }

    #[test]
    fn every_part_makes_another_key() {
        let (a, b) = (ImportKeys::new("a"), ImportKeys::new("b"));
        let (one, named) = (ChatId::Number(1), ChatId::Name("1".into()));
        let all = [
            a.chat(&one),
            a.chat(&named),
            b.chat(&one),
            a.message(&one, 1, &message(None, "x")),
            a.message(&one, 2, &message(None, "x")),
            a.message(&one, 1, &message(None, "y")),
            a.message(&named, 1, &message(None, "x")),
            b.message(&one, 1, &message(None, "x")),
            a.message(&one, 1, &message(Some(1), "x")),
            a.message(&one, 1, &message(Some(2), "x")),
        ];
        assert_eq!(HashSet::<&String>::from_iter(&all).len(), all.len());
    }

    #[test]
    fn a_numbered_line_keeps_its_key_when_lines_above_it_come_or_go() {
        let keys = ImportKeys::new("a");
        let at = |line| keys.message(&ChatId::Number(1), line, &message(Some(5), "x"));
        assert_eq!(at(10), at(20));
    }
}
