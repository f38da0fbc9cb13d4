//! `AcrossTenants`: reads for administrators and for the indexer.

use super::decode::{
    CHAT_COLUMNS, Cursor, KIND_MESSAGES, LIVE, MESSAGE_COLUMNS, broken, live_chat, live_message,
    prefixed,
};
use super::reader::{count_expression, signed};
use super::statement::{any_of, select_chunks};
use super::writer::bind_message_key;
use super::{Query, SqlStore};
use crate::error::Result;
use crate::model::{Chat, ChatKey, Message, MessageKey, Page, State, Token};
use crate::ops::search::words;
use crate::ports::{AcrossTenants, Digest, IndexDocument, IndexEntry, IndexWrite};
use async_trait::async_trait;
use sqlx::any::AnyRow;

/// Rows read at a time for the digests.
const DIGEST_ROWS: i64 = 10_000;

#[async_trait]
impl AcrossTenants for SqlStore {
    async fn chats(
        &self,
        after: Option<ChatKey>,
        limit: u32,
    ) -> Result<Page<(Token, Chat), ChatKey>> {
        let select = format!(
            "SELECT {}, {}, a.token FROM chats c JOIN applications a ON a.app_id = c.app_id AND a.state = {LIVE} \
             WHERE c.state = {LIVE} AND c.uid IS NOT NULL",
            prefixed("c", &CHAT_COLUMNS),
            count_expression(KIND_MESSAGES, "c.app_id", "c.number")
        );
        let after = after.map(|key| [key.app.get(), key.number.as_i64()]);
        let rows = self
            .after(
                &select,
                ["c.app_id", "c.number"],
                after,
                i64::from(limit) + 1,
            )
            .await?;
        let mut data = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut row = Cursor::over(row);
            let chat = row.chat_row()?;
            let key = chat.key;
            let count = row.count()?;
            data.extend(
                live_chat(chat, count)
                    .map(|chat| (key, chat))
                    .zip(Some(row.token()?)),
            );
        }
        Ok(page(data, limit))
    }

    async fn messages(
        &self,
        after: Option<MessageKey>,
        limit: u32,
    ) -> Result<Page<(Token, Message), MessageKey>> {
        let select = format!(
            "SELECT {}, a.token FROM messages m \
             JOIN chats c ON c.app_id = m.app_id AND c.number = m.chat_number AND c.state = {LIVE} \
             JOIN applications a ON a.app_id = m.app_id AND a.state = {LIVE} \
             WHERE m.state = {LIVE} AND m.uid IS NOT NULL",
            prefixed("m", &MESSAGE_COLUMNS)
        );
        let after = after.map(|key| {
            [
                key.chat.app.get(),
                key.chat.number.as_i64(),
                key.number.as_i64(),
            ]
        });
        let columns = ["m.app_id", "m.chat_number", "m.number"];
        let rows = self
            .after(&select, columns, after, i64::from(limit) + 1)
            .await?;
        let mut data = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut row = Cursor::over(row);
            let message = row.message_row()?;
            let key = message.key;
            data.extend(
                live_message(message)
                    .map(|message| (key, message))
                    .zip(Some(row.token()?)),
            );
        }
        Ok(page(data, limit))
    }

    async fn index_writes(&self, keys: &[MessageKey]) -> Result<Vec<IndexWrite>> {
        let join = self.backend.dialect.join_in_order;
        let mut writes = Vec::with_capacity(keys.len());
        for chunk in select_chunks(keys.iter().copied()) {
            // Only what the index wants: every column of every row passes through several hands.
            let sql = format!(
                "SELECT m.app_id, m.chat_number, m.number, m.uid, m.rev, m.content, m.author, m.created_at, \
                 m.state, c.state, a.state FROM messages m \
                 {join} chats c ON c.app_id = m.app_id AND c.number = m.chat_number \
                 {join} applications a ON a.app_id = m.app_id WHERE ({}) AND m.uid IS NOT NULL",
                any_of(
                    "m.app_id = ? AND m.chat_number = ? AND m.number = ?",
                    chunk.len()
                )
            );
            let rows = self
                .fetch_all(sql, |query| chunk.iter().fold(query, bind_message_key))
                .await?;
            for row in &rows {
                writes.push(index_write(&mut Cursor::over(row))?);
            }
        }
        Ok(writes)
    }

    async fn digests(&self, after: Option<ChatKey>, limit: u32) -> Result<Vec<(ChatKey, Digest)>> {
        let select = format!(
            "SELECT c.app_id, c.number FROM chats c JOIN applications a ON a.app_id = c.app_id AND a.state = {LIVE} \
             WHERE c.state = {LIVE}"
        );
        let mut after = after.map(|key| [key.app.get(), key.number.as_i64()]);
        let mut digests = Vec::new();
        while digests.len() < limit as usize {
            let wanted = i64::from(limit) - i64::try_from(digests.len()).unwrap_or(0);
            let chats = self
                .after(&select, ["c.app_id", "c.number"], after, wanted)
                .await?;
            for row in &chats {
                let mut row = Cursor::over(row);
                let chat = ChatKey {
                    app: row.app()?,
                    number: row.number()?,
                };
                after = Some([chat.app.get(), chat.number.as_i64()]);
                let digest = self.digest(chat).await?;
                if digest.count > 0 {
                    digests.push((chat, digest));
                }
            }
            if chats.is_empty() {
                break;
            }
        }
        Ok(digests)
    }

    async fn message_keys(&self, chat: ChatKey, after: u64, limit: u32) -> Result<Vec<MessageKey>> {
        let sql = "SELECT app_id, chat_number, number FROM messages \
                   WHERE app_id = ? AND chat_number = ? AND number > ? ORDER BY number LIMIT ?"
            .to_owned();
        let rows = self
            .fetch_all(sql, |query| {
                query
                    .bind(chat.app.get())
                    .bind(chat.number.as_i64())
                    .bind(signed(after))
                    .bind(i64::from(limit))
            })
            .await?;
        rows.iter()
            .map(|row| Cursor::over(row).message_key())
            .collect()
    }
}

impl SqlStore {
    /// Up to `limit` rows after a position, in the order of `columns`: first those that share all but the
    /// last column with it, then those that share one less. Each statement is one walk along the key; a
    /// single condition with OR would read from the start of the table every time.
    pub(super) async fn after<const N: usize>(
        &self,
        select: &str,
        columns: [&str; N],
        position: Option<[i64; N]>,
        limit: i64,
    ) -> Result<Vec<AnyRow>> {
        let order = columns.join(", ");
        let Some(position) = position else {
            return self
                .fetch_all(format!("{select} ORDER BY {order} LIMIT ?"), |query| {
                    query.bind(limit)
                })
                .await;
        };
        let mut rows = Vec::new();
        for shared in (0..N).rev() {
            let missing = limit - i64::try_from(rows.len()).unwrap_or(limit);
            if missing <= 0 {
                break;
            }
            let same: String = columns[..shared]
                .iter()
                .map(|column| format!(" AND {column} = ?"))
                .collect();
            let sql = format!(
                "{select}{same} AND {} > ? ORDER BY {order} LIMIT ?",
                columns[shared]
            );
            let bind = |query| {
                position[..=shared]
                    .iter()
                    .fold(query, |query: Query, value| query.bind(*value))
            };
            rows.extend(
                self.fetch_all(sql, |query| bind(query).bind(missing))
                    .await?,
            );
        }
        Ok(rows)
    }

    async fn digest(&self, chat: ChatKey) -> Result<Digest> {
        let sql = format!(
            "SELECT number, uid, rev FROM messages WHERE app_id = ? AND chat_number = ? AND number > ? \
             AND state = {LIVE} AND uid IS NOT NULL ORDER BY number LIMIT ?"
        );
        let mut digest = Digest::default();
        let mut last = 0;
        loop {
            let rows = self
                .fetch_all(sql.clone(), |query| {
                    query
                        .bind(chat.app.get())
                        .bind(chat.number.as_i64())
                        .bind(last)
                        .bind(DIGEST_ROWS)
                })
                .await?;
            for row in &rows {
                let mut row = Cursor::over(row);
                last = row.get()?;
                let uid = row.uid()?.expect("the condition leaves stubs out");
                digest.add(uid, row.rev()?.next().get());
            }
            if rows.is_empty() {
                return Ok(digest);
            }
        }
    }
}

/// What the index should hold for a row with a uid; a stub never was in it.
fn index_write(row: &mut Cursor<'_>) -> Result<IndexWrite> {
    let key = row.message_key()?;
    let uid = row
        .uid()?
        .ok_or_else(|| broken("a row that lost its uid"))?;
    let entry = IndexEntry {
        key,
        uid,
        version: row.rev()?.next().get(),
    };
    let (content, author): (Option<String>, Option<String>) = (row.get()?, row.get()?);
    let created_at = row.millis()?;
    let state = row.state()?;
    let parents_live = row.state()? == State::Live && row.state()? == State::Live;
    Ok(match (content, state) {
        (Some(content), State::Live) if parents_live => IndexWrite::Put(IndexDocument {
            entry,
            words: words(&content),
            author,
            created_at,
        }),
        (_, State::Deleted) => IndexWrite::Remove(entry),
        // Still live under a deleted parent: its entry has this version already, so removing takes the next.
        (_, State::Live) => IndexWrite::Remove(IndexEntry {
            version: entry.version + 1,
            ..entry
        }),
    })
}

/// Rows of `((key, row), token)`, one more than `limit` if there are more.
fn page<T, K: Copy>(mut rows: Vec<((K, T), Token)>, limit: u32) -> Page<(Token, T), K> {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|((key, _), _)| *key);
    Page {
        data: rows
            .into_iter()
            .map(|((_, row), token)| (token, row))
            .collect(),
        next,
    }
}
