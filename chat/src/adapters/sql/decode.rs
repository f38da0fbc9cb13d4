//! Rows of a result become rows of the domain.

use crate::error::{Error, Result};
use crate::model::{
    AppId, Chat, ChatKey, Fingerprint, GapCause, Message, MessageKey, Millis, Number, Problem, Rev,
    State, Token, Uid,
};
use crate::rows::{ChatRow, Counted, MessageRow};
use sqlx::any::AnyRow;
use sqlx::{Any, Decode, Row, Type};

pub(super) const LIVE: i64 = 0;
pub(super) const DELETED: i64 = 1;
pub(super) const KIND_CHATS: i64 = 0;
pub(super) const KIND_MESSAGES: i64 = 1;

pub(super) const CHAT_COLUMNS: [&str; 12] = [
    "app_id",
    "number",
    "uid",
    "fingerprint",
    "name",
    "name_rev",
    "metadata",
    "metadata_rev",
    "state",
    "rev",
    "created_at",
    "updated_at",
];

pub(super) const MESSAGE_COLUMNS: [&str; 17] = [
    "app_id",
    "chat_number",
    "number",
    "uid",
    "fingerprint",
    "author",
    "content",
    "content_rev",
    "metadata",
    "metadata_rev",
    "reply_to",
    "state",
    "rev",
    "created_at",
    "accepted_at",
    "stored_at",
    "updated_at",
];

/// `m.app_id, m.chat_number, ..`
pub(super) fn prefixed(prefix: &str, columns: &[&str]) -> String {
    columns
        .iter()
        .map(|column| format!("{prefix}.{column}"))
        .collect::<Vec<_>>()
        .join(", ")
}

pub(super) fn state_code(state: State) -> i64 {
    match state {
        State::Live => LIVE,
        State::Deleted => DELETED,
    }
}

/// Kind, application and chat of a count, as its tables key it.
pub(super) fn counted_columns(counted: Counted) -> (i64, i64, i64) {
    match counted {
        Counted::ChatsOf(app) => (KIND_CHATS, app.get(), 0),
        Counted::MessagesOf(chat) => (KIND_MESSAGES, chat.app.get(), chat.number.as_i64()),
    }
}

/// One column after the other, in the order of the SELECT.
pub(super) struct Cursor<'r> {
    row: &'r AnyRow,
    place: usize,
}

impl<'r> Cursor<'r> {
    pub(super) fn over(row: &'r AnyRow) -> Self {
        Self { row, place: 0 }
    }

    pub(super) fn get<T: Decode<'r, Any> + Type<Any>>(&mut self) -> Result<T> {
        let place = self.place;
        self.place += 1;
        self.row
            .try_get(place)
            .map_err(|error| broken(&format!("column {place}: {error}")))
    }

    pub(super) fn app(&mut self) -> Result<AppId> {
        self.get().map(AppId::from_stored)
    }

    pub(super) fn number(&mut self) -> Result<Number> {
        let value: i64 = self.get()?;
        u64::try_from(value)
            .ok()
            .and_then(Number::new)
            .ok_or_else(|| broken("a number out of range"))
    }

    pub(super) fn optional_number(&mut self) -> Result<Option<Number>> {
        let value: Option<i64> = self.get()?;
        Ok(value
            .and_then(|value| u64::try_from(value).ok())
            .and_then(Number::new))
    }

    pub(super) fn count(&mut self) -> Result<u64> {
        let value: i64 = self.get()?;
        Ok(u64::try_from(value).unwrap_or(0))
    }

    pub(super) fn rev(&mut self) -> Result<Rev> {
        self.get().map(Rev::from_stored)
    }

    pub(super) fn millis(&mut self) -> Result<Millis> {
        self.get().map(Millis::new)
    }

    pub(super) fn state(&mut self) -> Result<State> {
        let value: i64 = self.get()?;
        Ok(if value == LIVE {
            State::Live
        } else {
            State::Deleted
        })
    }

    pub(super) fn uid(&mut self) -> Result<Option<Uid>> {
        let bytes: Option<Vec<u8>> = self.get()?;
        bytes
            .map(|bytes| Uid::from_stored(&bytes).ok_or_else(|| broken("a uid")))
            .transpose()
    }

    pub(super) fn fingerprint(&mut self) -> Result<Option<Fingerprint>> {
        let bytes: Option<Vec<u8>> = self.get()?;
        bytes
            .map(|bytes| Fingerprint::from_stored(&bytes).ok_or_else(|| broken("a fingerprint")))
            .transpose()
    }

    pub(super) fn text<T>(&mut self, parse: fn(String) -> Result<T, Problem>) -> Result<Option<T>> {
        let text: Option<String> = self.get()?;
        text.map(|text| parse(text).map_err(|refusal| broken(&refusal.problem)))
            .transpose()
    }

    pub(super) fn token(&mut self) -> Result<Token> {
        let text: String = self.get()?;
        Token::parse(&text).ok_or_else(|| broken("a token"))
    }

    pub(super) fn cause(&mut self) -> Result<GapCause> {
        let text: String = self.get()?;
        GapCause::parse(&text).ok_or_else(|| broken("a cause of a gap"))
    }

    /// `CHAT_COLUMNS`.
    pub(super) fn chat_row(&mut self) -> Result<ChatRow> {
        Ok(ChatRow {
            key: ChatKey {
                app: self.app()?,
                number: self.number()?,
            },
            uid: self.uid()?,
            fingerprint: self.fingerprint()?,
            name: self.text(crate::model::Name::parse)?,
            name_rev: self.rev()?,
            metadata: self.text(crate::model::Metadata::parse)?,
            metadata_rev: self.rev()?,
            state: self.state()?,
            rev: self.rev()?,
            created_at: self.millis()?,
            updated_at: self.millis()?,
        })
    }

    /// `MESSAGE_COLUMNS`.
    pub(super) fn message_row(&mut self) -> Result<MessageRow> {
        Ok(MessageRow {
            key: self.message_key()?,
            uid: self.uid()?,
            fingerprint: self.fingerprint()?,
            author: self.text(crate::model::Author::parse)?,
            content: self.text(crate::model::Content::parse)?,
            content_rev: self.rev()?,
            metadata: self.text(crate::model::Metadata::parse)?,
            metadata_rev: self.rev()?,
            reply_to: self.optional_number()?,
            state: self.state()?,
            rev: self.rev()?,
            created_at: self.millis()?,
            accepted_at: self.millis()?,
            stored_at: self.millis()?,
            updated_at: self.millis()?,
        })
    }

    /// app_id, chat_number, number.
    pub(super) fn message_key(&mut self) -> Result<MessageKey> {
        let chat = ChatKey {
            app: self.app()?,
            number: self.number()?,
        };
        Ok(chat.message(self.number()?))
    }
}

/// A live chat as a reader sees it; `None` for stubs and deleted ones.
pub(super) fn live_chat(row: ChatRow, messages_count: u64) -> Option<Chat> {
    let (Some(uid), State::Live) = (row.uid, row.state) else {
        return None;
    };
    Some(Chat {
        number: row.key.number,
        uid,
        name: row.name,
        metadata: row.metadata,
        messages_count,
        rev: row.rev,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// A live message as a reader sees it; `None` for stubs and deleted ones.
pub(super) fn live_message(row: MessageRow) -> Option<Message> {
    let (Some(uid), Some(content), State::Live) = (row.uid, row.content, row.state) else {
        return None;
    };
    Some(Message {
        number: row.key.number,
        uid,
        chat: row.key.chat.number,
        content,
        author: row.author,
        metadata: row.metadata,
        reply_to: row.reply_to,
        rev: row.rev,
        created_at: row.created_at,
        stored_at: row.stored_at,
        accepted_at: row.accepted_at,
        updated_at: row.updated_at,
    })
}

pub(super) fn broken(what: &str) -> Error {
    Error::internal(format!("the store holds what it cannot hold: {what}"))
}
