//! `Reader`: what one tenant sees. A row is seen only if its chat and application are live too.

use super::decode::{
    CHAT_COLUMNS, Cursor, KIND_MESSAGES, LIVE, MESSAGE_COLUMNS, broken, live_chat, live_message,
    prefixed,
};
use super::statement::{any_of, select_chunks};
use super::window::page_of_messages;
use super::writer::bind_message_key;
use super::{Query, SqlStore};
use crate::error::Result;
use crate::model::{
    Chat, ChatKey, Gap, Message, MessageKey, Number, Page, Scope, State, TenantId, Uid,
};
use crate::ports::{Found, MessagePage, Reader, Stored, Window};
use async_trait::async_trait;
use sqlx::any::AnyRow;

/// The exact count, whatever the ledger still holds: one expression, so one snapshot.
pub(super) fn count_expression(kind: i64, app: &str, chat: &str) -> String {
    let of = format!("kind = {kind} AND app_id = {app} AND chat_number = {chat}");
    format!(
        "CAST(COALESCE((SELECT SUM(n) FROM counts WHERE {of}), 0) + \
         COALESCE((SELECT SUM(n) FROM count_ledger WHERE {of}), 0) AS SIGNED INTEGER)"
    )
}

#[async_trait]
impl Reader for SqlStore {
    async fn chat(&self, tenant: TenantId, number: Number) -> Result<Found<Chat>> {
        let sql = format!(
            "SELECT {}, a.state, {} FROM chats c JOIN applications a ON a.app_id = c.app_id \
             WHERE c.app_id = ? AND c.number = ?",
            prefixed("c", &CHAT_COLUMNS),
            count_expression(KIND_MESSAGES, "c.app_id", "c.number")
        );
        let bind = |query: Query| query.bind(tenant.app().get()).bind(number.as_i64());
        if let Some(row) = self.fetch_optional(sql, bind).await? {
            let mut row = Cursor::over(&row);
            let chat = row.chat_row()?;
            if chat.state == State::Deleted || row.state()? == State::Deleted {
                return Ok(Found::Deleted);
            }
            if let Some(chat) = live_chat(chat, row.count()?) {
                return Ok(Found::Live(chat));
            }
        }
        self.gap_or_absent(Scope::Chats(tenant.app()), number).await
    }

    async fn chats(&self, tenant: TenantId, after: u64, limit: u32) -> Result<Page<Chat>> {
        let sql = format!(
            "SELECT {}, {} FROM chats c JOIN applications a ON a.app_id = c.app_id AND a.state = {LIVE} \
             WHERE c.app_id = ? AND c.number > ? AND c.state = {LIVE} AND c.uid IS NOT NULL \
             ORDER BY c.number LIMIT ?",
            prefixed("c", &CHAT_COLUMNS),
            count_expression(KIND_MESSAGES, "c.app_id", "c.number")
        );
        let rows = self
            .fetch_all(sql, |query| {
                query
                    .bind(tenant.app().get())
                    .bind(signed(after))
                    .bind(i64::from(limit) + 1)
            })
            .await?;
        let mut data = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut row = Cursor::over(row);
            let chat = row.chat_row()?;
            data.extend(live_chat(chat, row.count()?));
        }
        Ok(page(data, limit, |chat| chat.number))
    }

    async fn message(
        &self,
        tenant: TenantId,
        chat: Number,
        number: Number,
    ) -> Result<Found<Message>> {
        let key = ChatKey {
            app: tenant.app(),
            number: chat,
        }
        .message(number);
        if let Some(found) = self.row_as_seen(key).await? {
            return Ok(found);
        }
        let sql =
            "SELECT target FROM number_aliases WHERE app_id = ? AND chat_number = ? AND number = ?"
                .to_owned();
        if let Some(row) = self
            .fetch_optional(sql, |query| bind_message_key(query, &key))
            .await?
        {
            let target = Cursor::over(&row).number()?;
            let found = self.row_as_seen(key.chat.message(target)).await?;
            return found.ok_or_else(|| broken("an alias that leads to no row"));
        }
        if self.chat_state(key.chat).await? == Some(State::Deleted) {
            return Ok(Found::Deleted);
        }
        self.gap_or_absent(Scope::Messages(key.chat), number).await
    }

    async fn messages(
        &self,
        tenant: TenantId,
        chat: Number,
        window: Window,
        limit: u32,
    ) -> Result<Found<MessagePage>> {
        let chat = ChatKey {
            app: tenant.app(),
            number: chat,
        };
        let mut tx = self.begin_read().await?;
        let found = match tx.fetch_optional(chat_state_sql(), bind_chat(chat)).await? {
            None => Found::Absent,
            Some(row) => match chat_state(&row)? {
                State::Deleted => Found::Deleted,
                State::Live => Found::Live(page_of_messages(&mut tx, chat, window, limit).await?),
            },
        };
        tx.rollback().await;
        Ok(found)
    }

    async fn messages_by_key(&self, tenant: TenantId, keys: &[MessageKey]) -> Result<Vec<Message>> {
        let own: Vec<MessageKey> = keys
            .iter()
            .copied()
            .filter(|key| key.chat.app == tenant.app())
            .collect();
        let mut found = Vec::with_capacity(own.len());
        let join = self.backend.dialect.join_in_order;
        for chunk in select_chunks(own) {
            // The order of the join: see `any_of`.
            let sql = format!(
                "SELECT {} FROM messages m {join} chats c ON c.app_id = m.app_id AND c.number = m.chat_number \
                 {join} applications a ON a.app_id = m.app_id \
                 WHERE ({}) AND m.state = {LIVE} AND c.state = {LIVE} AND a.state = {LIVE}",
                prefixed("m", &MESSAGE_COLUMNS),
                any_of(
                    "m.app_id = ? AND m.chat_number = ? AND m.number = ?",
                    chunk.len()
                )
            );
            for row in &self
                .fetch_all(sql, |query| chunk.iter().fold(query, bind_message_key))
                .await?
            {
                found.extend(live_message(Cursor::over(row).message_row()?));
            }
        }
        Ok(found)
    }

    async fn message_by_uid(&self, tenant: TenantId, uid: Uid) -> Result<Option<Stored>> {
        let sql =
            "SELECT chat_number, number, fingerprint FROM messages WHERE uid = ? AND app_id = ?";
        self.stored(sql.to_owned(), tenant, uid).await
    }

    async fn chat_by_uid(&self, tenant: TenantId, uid: Uid) -> Result<Option<Stored>> {
        let sql = "SELECT number, number, fingerprint FROM chat_keys WHERE uid = ? AND app_id = ?";
        self.stored(sql.to_owned(), tenant, uid).await
    }

    async fn gaps(
        &self,
        tenant: TenantId,
        chat: Number,
        after: u64,
        limit: u32,
    ) -> Result<Found<Page<Gap>>> {
        let chat = ChatKey {
            app: tenant.app(),
            number: chat,
        };
        match self.chat_state(chat).await? {
            Some(State::Live) => {}
            Some(State::Deleted) => return Ok(Found::Deleted),
            None => return Ok(Found::Absent),
        }
        let sql = "SELECT lo, hi, cause, noted_at FROM number_gaps WHERE scope = ? AND hi > ? ORDER BY lo LIMIT ?";
        let scope = Scope::Messages(chat).key();
        let rows = self
            .fetch_all(sql.to_owned(), |query| {
                query
                    .bind(scope)
                    .bind(signed(after))
                    .bind(i64::from(limit) + 1)
            })
            .await?;
        let data = rows
            .iter()
            .map(|row| {
                let mut row = Cursor::over(row);
                Ok(Gap {
                    from: row.number()?,
                    to: row.number()?,
                    cause: row.cause()?,
                    noted_at: row.millis()?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Found::Live(page(data, limit, |gap| gap.to)))
    }
}

/// Cuts the extra row off that was read to see whether there are more.
fn page<T>(mut data: Vec<T>, limit: u32, cursor: impl Fn(&T) -> Number) -> Page<T> {
    let more = data.len() > limit as usize;
    data.truncate(limit as usize);
    let next = data.last().filter(|_| more).map(cursor);
    Page { data, next }
}

fn chat_state_sql() -> String {
    "SELECT c.state, a.state FROM chats c JOIN applications a ON a.app_id = c.app_id \
     WHERE c.app_id = ? AND c.number = ?"
        .to_owned()
}

pub(super) fn bind_chat(chat: ChatKey) -> impl FnOnce(Query) -> Query {
    move |query| query.bind(chat.app.get()).bind(chat.number.as_i64())
}

fn chat_state(row: &AnyRow) -> Result<State> {
    let mut row = Cursor::over(row);
    let live = row.state()? == State::Live && row.state()? == State::Live;
    Ok(if live { State::Live } else { State::Deleted })
}

/// SQL integers are signed; nothing is numbered above their end.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl SqlStore {
    /// A row with a uid as the reader sees it; `None` where there is none.
    async fn row_as_seen(&self, key: MessageKey) -> Result<Option<Found<Message>>> {
        let sql = format!(
            "SELECT {}, c.state, a.state FROM messages m \
             JOIN chats c ON c.app_id = m.app_id AND c.number = m.chat_number \
             JOIN applications a ON a.app_id = m.app_id \
             WHERE m.app_id = ? AND m.chat_number = ? AND m.number = ? AND m.uid IS NOT NULL",
            prefixed("m", &MESSAGE_COLUMNS)
        );
        let Some(row) = self
            .fetch_optional(sql, |query| bind_message_key(query, &key))
            .await?
        else {
            return Ok(None);
        };
        let mut row = Cursor::over(&row);
        let message = row.message_row()?;
        let parents_live = row.state()? == State::Live && row.state()? == State::Live;
        Ok(Some(
            live_message(message)
                .filter(|_| parents_live)
                .map_or(Found::Deleted, Found::Live),
        ))
    }

    /// `None`: no row, not even a stub. Deleted also when its application is.
    pub(super) async fn chat_state(&self, chat: ChatKey) -> Result<Option<State>> {
        let row = self
            .fetch_optional(chat_state_sql(), bind_chat(chat))
            .await?;
        row.as_ref().map(chat_state).transpose()
    }

    async fn gap_or_absent<T>(&self, scope: Scope, number: Number) -> Result<Found<T>> {
        let sql = "SELECT hi, cause FROM number_gaps WHERE scope = ? AND lo <= ? ORDER BY lo DESC LIMIT 1".to_owned();
        let row = self
            .fetch_optional(sql, |query| query.bind(scope.key()).bind(number.as_i64()))
            .await?;
        if let Some(row) = row {
            let mut row = Cursor::over(&row);
            if row.number()? >= number {
                return Ok(Found::NeverStored(row.cause()?));
            }
        }
        Ok(Found::Absent)
    }

    async fn stored(&self, sql: String, tenant: TenantId, uid: Uid) -> Result<Option<Stored>> {
        let bind = |query: Query| query.bind(uid.as_bytes().to_vec()).bind(tenant.app().get());
        let Some(row) = self.fetch_optional(sql, bind).await? else {
            return Ok(None);
        };
        let mut row = Cursor::over(&row);
        let (chat, number) = (row.number()?, row.number()?);
        let fingerprint = row
            .fingerprint()?
            .ok_or_else(|| broken("a uid without a fingerprint"))?;
        Ok(Some(Stored {
            chat,
            number,
            fingerprint,
        }))
    }
}
