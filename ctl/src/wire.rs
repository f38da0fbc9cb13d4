//! What the server sends, field by field as its HTTP contract says.
//!
//! Every field is kept, so that `--json` prints what was received. Times stay text: this client compares
//! none.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) type Object = Map<String, Value>;

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Application {
    pub(crate) token: String,
    pub(crate) name: String,
    pub(crate) chats_count: u64,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    /// Only in the first answer to a create or a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Applications {
    pub(crate) data: Vec<Application>,
    pub(crate) meta: Meta,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Meta {
    pub(crate) page: u64,
    pub(crate) total: u64,
    pub(crate) total_pages: u64,
}

/// A key without its secret.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) created_at: String,
    pub(crate) revoked_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Keys {
    pub(crate) data: Vec<Key>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Chat {
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) metadata: Option<Object>,
    pub(crate) messages_count: u64,
    pub(crate) rev: u64,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Chats {
    pub(crate) data: Vec<Chat>,
    pub(crate) next: Option<u64>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Message {
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) chat_number: u64,
    pub(crate) content: String,
    pub(crate) author: Option<String>,
    pub(crate) metadata: Option<Object>,
    pub(crate) reply_to: Option<u64>,
    pub(crate) rev: u64,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Messages {
    pub(crate) data: Vec<Message>,
    pub(crate) next: Option<u64>,
    /// Up to here every number is a message, an alias or an explained gap.
    #[serde(default)]
    pub(crate) complete_through: Option<u64>,
}

/// The answer to a create, an edit and a delete.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Accepted {
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) rev: u64,
    pub(crate) status: String,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct SearchPage {
    pub(crate) total: u64,
    pub(crate) total_capped: bool,
    pub(crate) total_pages: u64,
    pub(crate) page: u64,
    pub(crate) per_page: u64,
    pub(crate) messages: Vec<Found>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Found {
    #[serde(flatten)]
    pub(crate) message: Message,
    pub(crate) message_number: u64,
    pub(crate) score: f64,
    /// An excerpt of the HTML-escaped content with `<em>` around what matched.
    pub(crate) highlight: String,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct NewChat {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Object>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct NewMessage {
    pub(crate) content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<String>,
}

/// One field of a refused request.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct FieldError {
    pub(crate) field: String,
    pub(crate) problem: String,
    pub(crate) fix: String,
}

/// RFC 9457 problem details, as the server fills them in.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) detail: Option<String>,
    /// The id of the request, as the server's log has it.
    #[serde(default)]
    pub(crate) instance: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<FieldError>,
}
