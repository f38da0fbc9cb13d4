//! What travels on the queue: a tagged, versioned command with everything a worker needs to carry it out.
//!
//! Commands are facts about an accepted request, so a worker never asks the API anything. `encode` and
//! `decode` are for adapters whose queue leaves the process.

use crate::model::{
    AppId, Author, ChatKey, Content, Fingerprint, MessageKey, Metadata, Millis, Name, Number, Rev,
    Uid,
};
use serde::{Deserialize, Serialize};

/// The schema version this program writes. A worker gives a newer one back instead of guessing.
pub const VERSION: u16 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    pub version: u16,
    pub command: Command,
    pub origin: Origin,
}

/// Which request caused a command: for logs and traces only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// W3C Trace Context, as received or made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    CreateChat(CreateChat),
    EditChat(EditChat),
    DeleteChat(DeleteChat),
    CreateMessage(CreateMessage),
    EditMessage(EditMessage),
    DeleteMessage(DeleteMessage),
    IndexRows(IndexRows),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateChat {
    pub key: ChatKey,
    pub uid: Uid,
    pub fingerprint: Fingerprint,
    pub name: Option<Name>,
    pub metadata: Option<Metadata>,
    pub accepted_at: Millis,
}

/// `None`: the field is left alone. `Some(None)`: it becomes empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditChat {
    pub key: ChatKey,
    pub rev: Rev,
    #[serde(
        default,
        with = "double_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub name: Option<Option<Name>>,
    #[serde(
        default,
        with = "double_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub metadata: Option<Option<Metadata>>,
    pub accepted_at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteChat {
    pub key: ChatKey,
    pub rev: Rev,
    pub accepted_at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateMessage {
    pub key: MessageKey,
    pub uid: Uid,
    pub fingerprint: Fingerprint,
    pub content: Content,
    pub author: Option<Author>,
    pub metadata: Option<Metadata>,
    pub reply_to: Option<Number>,
    /// What the message says of its own age; equals `accepted_at` unless it was imported.
    pub created_at: Millis,
    pub accepted_at: Millis,
}

/// `None`: the field is left alone. `Some(None)`: it becomes empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditMessage {
    pub key: MessageKey,
    pub rev: Rev,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    #[serde(
        default,
        with = "double_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub metadata: Option<Option<Metadata>>,
    pub accepted_at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteMessage {
    pub key: MessageKey,
    pub rev: Rev,
    pub accepted_at: Millis,
}

/// Rows whose state of now belongs into the index: keys only, so a queue of them stays small.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexRows {
    pub rows: Vec<MessageKey>,
}

/// Where a command waits. The names are the queues' names in a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    Chats,
    Messages,
    Indexing,
}

impl Queue {
    pub const ALL: [Self; 3] = [Self::Chats, Self::Messages, Self::Indexing];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Chats => "chat.chats",
            Self::Messages => "chat.messages",
            Self::Indexing => "chat.indexing",
        }
    }
}

/// The queue of what no other queue was there for.
pub const UNROUTED: &str = "chat.unrouted";
/// The queue of what a worker may have died of, to be carried out alone.
pub const SUSPECT: &str = "chat.suspect";
/// The queue where dead letters wait for people.
pub const DEAD: &str = "chat.dead";

impl Command {
    pub fn queue(&self) -> Queue {
        match self {
            Self::CreateChat(_) | Self::EditChat(_) | Self::DeleteChat(_) => Queue::Chats,
            Self::CreateMessage(_) | Self::EditMessage(_) | Self::DeleteMessage(_) => {
                Queue::Messages
            }
            Self::IndexRows(_) => Queue::Indexing,
        }
    }

    /// The application it is about; `None` for index commands, which may span several.
    pub fn app(&self) -> Option<AppId> {
        match self {
            Self::CreateChat(command) => Some(command.key.app),
            Self::EditChat(command) => Some(command.key.app),
            Self::DeleteChat(command) => Some(command.key.app),
            Self::CreateMessage(command) => Some(command.key.chat.app),
            Self::EditMessage(command) => Some(command.key.chat.app),
            Self::DeleteMessage(command) => Some(command.key.chat.app),
            Self::IndexRows(_) => None,
        }
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::CreateChat(_) => "create_chat",
            Self::EditChat(_) => "edit_chat",
            Self::DeleteChat(_) => "delete_chat",
            Self::CreateMessage(_) => "create_message",
            Self::EditMessage(_) => "edit_message",
            Self::DeleteMessage(_) => "delete_message",
            Self::IndexRows(_) => "index_rows",
        }
    }
}

/// Why bytes off a queue are not a command.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    #[error("schema version {0} is newer than {VERSION}")]
    Newer(u16),
    #[error("not a command: {0}")]
    Malformed(String),
}

pub fn encode(envelope: &Envelope) -> Vec<u8> {
    serde_json::to_vec(envelope).expect("every field of an envelope has a JSON form")
}

pub fn decode(bytes: &[u8]) -> Result<Envelope, DecodeError> {
    #[derive(Deserialize)]
    struct Version {
        version: u16,
    }
    let malformed = |error: serde_json::Error| DecodeError::Malformed(error.to_string());
    // The version is read first: a newer command may have a shape that this program cannot parse.
    let Version { version } = serde_json::from_slice(bytes).map_err(malformed)?;
    if version > VERSION {
        return Err(DecodeError::Newer(version));
    }
    serde_json::from_slice(bytes).map_err(malformed)
}

/// Keeps "absent" and "null" apart in JSON.
mod double_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        value: &Option<Option<T>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(to)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::deserialize(from).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(name: Option<Option<Name>>) -> Envelope {
        let key = ChatKey {
            app: AppId::from_stored(7),
            number: Number::new(9).unwrap(),
        };
        let command = EditChat {
            key,
            rev: Rev::from_stored(3),
            name,
            metadata: None,
            accepted_at: Millis::new(5),
        };
        Envelope {
            version: VERSION,
            command: Command::EditChat(command),
            origin: Origin::default(),
        }
    }

    #[test]
    fn an_envelope_survives_the_queue_and_absent_is_not_null() {
        for name in [None, Some(None), Some(Some(Name::parse("x").unwrap()))] {
            let envelope = edit(name);
            assert_eq!(decode(&encode(&envelope)), Ok(envelope));
        }
    }

    #[test]
    fn a_newer_version_is_told_apart_from_garbage() {
        assert_eq!(
            decode(br#"{"version":2,"command":{"type":"dance"}}"#),
            Err(DecodeError::Newer(2))
        );
        for garbage in [
            &b"\xff"[..],
            b"{}",
            b"",
            br#"{"version":1,"command":{"type":"dance"},"origin":{}}"#,
        ] {
            assert!(matches!(decode(garbage), Err(DecodeError::Malformed(_))));
        }
    }
}
