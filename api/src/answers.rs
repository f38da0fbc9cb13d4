//! How things look in JSON: answer types of our own, apart from the model, so that nothing internal can
//! slip out and the OpenAPI document is strict.
//!
//! A flattened field becomes one flat schema in `openapi`. Absent values are null, never missing; times are RFC 3339 in UTC with milliseconds.

use chat::model::{self, Millis, Number};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Application {
    /// Names the application in every path: 26 characters of Crockford's base32.
    #[schema(pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    pub(crate) token: String,
    pub(crate) name: String,
    #[schema(minimum = 0)]
    pub(crate) chats_count: u64,
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
    #[schema(format = DateTime)]
    pub(crate) updated_at: String,
}

impl From<model::Application> for Application {
    fn from(application: model::Application) -> Self {
        let model::Application {
            token,
            name,
            chats_count,
            created_at,
            updated_at,
        } = application;
        Self {
            token: token.as_str().to_owned(),
            name: name.into(),
            chats_count,
            created_at: created_at.to_rfc3339(),
            updated_at: updated_at.to_rfc3339(),
        }
    }
}

/// An application and its new key, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApplicationWithKey {
    #[serde(flatten)]
    pub(crate) application: Application,
    /// `cs_<key_id>_<secret>`; null in a repeated answer, because it is not kept.
    #[schema(required)]
    pub(crate) api_key: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationList {
    pub(crate) data: Vec<Application>,
    pub(crate) meta: PageMeta,
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageMeta {
    pub(crate) page: u64,
    pub(crate) per_page: u64,
    pub(crate) total: u64,
    pub(crate) total_pages: u64,
}

/// A key without its secret.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) id: String,
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
    /// From then on it opens nothing.
    #[schema(required, format = DateTime)]
    pub(crate) revoked_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyList {
    pub(crate) data: Vec<Key>,
    /// Always null: there are never many.
    #[schema(required)]
    pub(crate) next: Option<u64>,
}

/// An application that is being deleted.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deleting {
    pub(crate) token: String,
    pub(crate) status: Processing,
}

/// The only word of an answer to something that is accepted and not yet stored.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Processing {
    Processing,
}

/// An accepted create, edit or delete: durable, and stored soon.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accepted {
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    number: u64,
    #[schema(format = "uuid")]
    id: String,
    /// 0 for a create; each edit and delete has a higher one.
    #[schema(minimum = 0)]
    rev: u64,
    status: Processing,
}

impl From<model::Accepted> for Accepted {
    fn from(accepted: model::Accepted) -> Self {
        let model::Accepted {
            number,
            uid,
            rev,
            replayed: _,
        } = accepted;
        Self {
            number: number.get(),
            id: uid.to_string(),
            rev: rev.get(),
            status: Processing::Processing,
        }
    }
}

/// Something that is accepted and not yet stored, seen by a reader.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotYet {
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    number: u64,
    /// Not known yet.
    #[schema(required)]
    id: Option<String>,
    /// Not known yet.
    #[schema(required)]
    rev: Option<u64>,
    status: Processing,
}

impl NotYet {
    pub(crate) fn new(number: Number) -> Self {
        Self {
            number: number.get(),
            id: None,
            rev: None,
            status: Processing::Processing,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chat {
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub(crate) number: u64,
    #[schema(format = "uuid")]
    pub(crate) id: String,
    #[schema(required)]
    pub(crate) name: Option<String>,
    #[schema(required)]
    pub(crate) metadata: Option<Map<String, Value>>,
    #[schema(minimum = 0)]
    pub(crate) messages_count: u64,
    #[schema(minimum = 0)]
    pub(crate) rev: u64,
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
    #[schema(format = DateTime)]
    pub(crate) updated_at: String,
}

impl From<model::Chat> for Chat {
    fn from(chat: model::Chat) -> Self {
        let model::Chat {
            number,
            uid,
            name,
            metadata,
            messages_count,
            rev,
            created_at,
            updated_at,
        } = chat;
        Self {
            number: number.get(),
            id: uid.to_string(),
            name: name.map(String::from),
            metadata: metadata.map(|metadata| metadata.to_object()),
            messages_count,
            rev: rev.get(),
            created_at: created_at.to_rfc3339(),
            updated_at: updated_at.to_rfc3339(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatList {
    pub(crate) data: Vec<Chat>,
    /// `after` of the next page; null when there is none.
    #[schema(required)]
    pub(crate) next: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub(crate) number: u64,
    #[schema(format = "uuid")]
    pub(crate) id: String,
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub(crate) chat_number: u64,
    pub(crate) content: String,
    #[schema(required)]
    pub(crate) author: Option<String>,
    #[schema(required)]
    pub(crate) metadata: Option<Map<String, Value>>,
    #[schema(required, minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub(crate) reply_to: Option<u64>,
    #[schema(minimum = 0)]
    pub(crate) rev: u64,
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
    #[schema(format = DateTime)]
    pub(crate) updated_at: String,
}

impl From<model::Message> for Message {
    fn from(message: model::Message) -> Self {
        let model::Message {
            number,
            uid,
            chat,
            content,
            author,
            metadata,
            reply_to,
            rev,
            created_at,
            stored_at: _,
            accepted_at: _,
            updated_at,
        } = message;
        Self {
            number: number.get(),
            id: uid.to_string(),
            chat_number: chat.get(),
            content: content.into(),
            author: author.map(String::from),
            metadata: metadata.map(|metadata| metadata.to_object()),
            reply_to: reply_to.map(Number::get),
            rev: rev.get(),
            created_at: created_at.to_rfc3339(),
            updated_at: updated_at.to_rfc3339(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageList {
    pub(crate) data: Vec<Message>,
    /// `after` (or `before`) of the next page; null when there is none.
    #[schema(required)]
    pub(crate) next: Option<u64>,
    /// The highest number at or after `after` up to which nothing can be stored any more.
    #[schema(minimum = 0)]
    pub(crate) complete_through: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageStatus {
    pub(crate) status: Status,
    #[schema(required, format = DateTime)]
    pub(crate) accepted_at: Option<String>,
    #[schema(required, format = DateTime)]
    pub(crate) stored_at: Option<String>,
    /// The index holds this rev, asked now.
    pub(crate) searchable: bool,
    #[schema(minimum = 0)]
    pub(crate) rev: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Processing,
    Stored,
    Deleted,
    Voided,
}

/// A run of numbers that were given and will never be stored.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gap {
    #[schema(minimum = 1)]
    from: u64,
    #[schema(minimum = 1)]
    to: u64,
    #[schema(value_type = GapCause)]
    cause: &'static str,
    #[schema(format = DateTime)]
    noted_at: String,
}

/// Why nothing is stored under a number.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(
    dead_code,
    reason = "the words of the document; chat::model::GapCause writes them"
)]
pub(crate) enum GapCause {
    Voided,
    BlockLost,
}

impl From<model::Gap> for Gap {
    fn from(gap: model::Gap) -> Self {
        let model::Gap {
            from,
            to,
            cause,
            noted_at,
        } = gap;
        Self {
            from: from.get(),
            to: to.get(),
            cause: cause.as_str(),
            noted_at: noted_at.to_rfc3339(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GapList {
    pub(crate) data: Vec<Gap>,
    /// `after` of the next page; null when there is none.
    #[schema(required)]
    pub(crate) next: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchResult {
    /// Exact up to 1,000.
    pub(crate) total: u64,
    /// There are more than `total` says.
    pub(crate) total_capped: bool,
    pub(crate) total_pages: u64,
    pub(crate) page: u64,
    pub(crate) per_page: u64,
    pub(crate) messages: Vec<FoundMessage>,
}

/// A message that has the words.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundMessage {
    #[serde(flatten)]
    message: Message,
    /// The same as `number`.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    message_number: u64,
    score: f32,
    /// An excerpt of the content as HTML, with `<em>` around what was found; everything else is escaped.
    highlight: String,
}

impl FoundMessage {
    pub(crate) fn new(message: model::Message, score: f32, highlight: String) -> Self {
        let message = Message::from(message);
        Self {
            message_number: message.number,
            message,
            score,
            highlight,
        }
    }
}

/// A page of the chat, or what was found in it when there is a `query`.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "only its schema is used: each half is answered by its own function"
)]
pub(crate) enum MessagesOrFound {
    Messages(MessageList),
    Found(SearchResult),
}

/// A chat and whose it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct AdminChat {
    application_token: String,
    #[serde(flatten)]
    chat: Chat,
}

impl From<(model::Token, model::Chat)> for AdminChat {
    fn from((token, chat): (model::Token, model::Chat)) -> Self {
        Self {
            application_token: token.as_str().to_owned(),
            chat: chat.into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminChatList {
    pub(crate) data: Vec<AdminChat>,
    /// `after` of the next page, to be sent back as it is; null when there is none.
    #[schema(required)]
    pub(crate) next: Option<String>,
}

/// A message and whose it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct AdminMessage {
    application_token: String,
    #[serde(flatten)]
    message: Message,
}

impl From<(model::Token, model::Message)> for AdminMessage {
    fn from((token, message): (model::Token, model::Message)) -> Self {
        Self {
            application_token: token.as_str().to_owned(),
            message: message.into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminMessageList {
    pub(crate) data: Vec<AdminMessage>,
    /// `after` of the next page, to be sent back as it is; null when there is none.
    #[schema(required)]
    pub(crate) next: Option<String>,
}

pub(crate) fn rfc3339(moment: Option<Millis>) -> Option<String> {
    moment.map(Millis::to_rfc3339)
}
