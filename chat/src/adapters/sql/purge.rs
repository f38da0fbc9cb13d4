//! What is under deleted parents: blanked first, and removed once an application is gone for a while.

use super::decode::{Cursor, DELETED, KIND_MESSAGES, LIVE};
use super::reader::bind_chat;
use super::statement::{any_of, marks, select_chunks};
use super::writer::{bind_message_key, write_ledger};
use super::{Query, SqlStore, Tx};
use crate::error::Result;
use crate::model::{AppId, ChatKey, MessageKey, Millis, Number};
use crate::ports::Purged;
use crate::rows::{Counted, LedgerEntry};
use sqlx::any::AnyRow;
use std::collections::{BTreeMap, BTreeSet};

/// Every table with rows of an application besides its own row, and how it names the application. A
/// scope starts with the application's id and a colon; ';' is the character after ':'.
const TABLES_OF_AN_APPLICATION: [(&str, &str); 11] = [
    ("api_keys", "app_id = ?"),
    ("messages", "app_id = ?"),
    ("number_aliases", "app_id = ?"),
    ("chats", "app_id = ?"),
    ("chat_keys", "app_id = ?"),
    ("counts", "kind IN (0, 1) AND app_id = ?"),
    ("count_ledger", "kind IN (0, 1) AND app_id = ?"),
    ("sequences", "scope >= ? AND scope < ?"),
    ("number_jumps", "scope >= ? AND scope < ?"),
    ("number_gaps", "scope >= ? AND scope < ?"),
    ("gap_watermarks", "scope >= ? AND scope < ?"),
];

impl SqlStore {
    /// Counts are exact, so a deleted chat with live messages has a count or an open ledger row. So has
    /// one that was purged and not folded yet: its messages are asked too.
    pub(super) async fn deleted_chats_with_messages(
        &self,
        limit: u32,
    ) -> Result<BTreeSet<ChatKey>> {
        let join = self.backend.dialect.join_in_order;
        let same = "c.app_id = k.app_id AND c.number = k.chat_number";
        let asked = format!("c.state = {DELETED} AND k.kind = {KIND_MESSAGES}");
        let live = |app: &str, chat: &str| {
            format!(
                "EXISTS (SELECT 1 FROM messages m WHERE m.app_id = {app} AND m.chat_number = {chat} \
                 AND m.state = {LIVE} AND m.uid IS NOT NULL)"
            )
        };
        // Of counts there are more than of deleted chats, of open ledger rows fewer. EXISTS speaks of the
        // table that comes last, and so does not go through the messages of every deleted chat.
        let statements = [
            format!(
                "SELECT DISTINCT c.app_id, c.number FROM chats c {join} counts k ON {same} \
                 WHERE {asked} AND {} LIMIT ?",
                live("k.app_id", "k.chat_number")
            ),
            format!(
                "SELECT DISTINCT c.app_id, c.number FROM count_ledger k {join} chats c ON {same} \
                 WHERE {asked} AND {} LIMIT ?",
                live("c.app_id", "c.number")
            ),
        ];
        let mut chats = BTreeSet::new();
        for sql in statements {
            for row in &self
                .fetch_all(sql, |query| query.bind(i64::from(limit)))
                .await?
            {
                let mut row = Cursor::over(row);
                let (app, number) = (row.app()?, row.number()?);
                chats.insert(ChatKey { app, number });
            }
        }
        Ok(chats)
    }

    pub(super) async fn live_messages(&self, chat: ChatKey, limit: u32) -> Result<Vec<MessageKey>> {
        let sql = format!(
            "SELECT app_id, chat_number, number FROM messages \
             WHERE app_id = ? AND chat_number = ? AND state = {LIVE} AND uid IS NOT NULL ORDER BY number LIMIT ?"
        );
        let bind = |query| bind_chat(chat)(query).bind(i64::from(limit));
        let rows = self.fetch_all(sql, bind).await?;
        rows.iter()
            .map(|row| Cursor::over(row).message_key())
            .collect()
    }
}

/// Live chats of deleted applications. The order of the join is spelled out: of the live chats there
/// are many, and it is asked every second.
pub(super) fn orphans_sql(join: &str) -> String {
    format!(
        "SELECT c.app_id, c.number FROM applications a {join} chats c \
         ON c.app_id = a.app_id AND c.state = {LIVE} WHERE a.state = {DELETED} LIMIT ?"
    )
}

/// Chats first: the chats of a deleted application become deleted chats, whose messages come next.
pub(super) async fn purge(
    tx: &mut Tx,
    messages: &[MessageKey],
    limit: u32,
    now: Millis,
) -> Result<Purged> {
    let mut chats: BTreeMap<ChatKey, Vec<Number>> = BTreeMap::new();
    for message in messages.iter().take(limit as usize) {
        chats.entry(message.chat).or_default().push(message.number);
    }
    let asked = u32::try_from(messages.len()).unwrap_or(limit);
    let mut purged = Purged {
        rows: purge_chats(tx, limit.saturating_sub(asked), now).await?,
        messages: Vec::new(),
    };
    for (chat, numbers) in chats {
        let messages = purge_messages(tx, chat, numbers, now).await?;
        purged.rows += u32::try_from(messages.len()).expect("at most `limit` were asked for");
        purged.messages.extend(messages);
    }
    Ok(purged)
}

async fn purge_chats(tx: &mut Tx, limit: u32, now: Millis) -> Result<u32> {
    let found = tx
        .fetch_all(orphans_sql(tx.dialect().join_in_order), |query| {
            query.bind(i64::from(limit))
        })
        .await?;
    let mut orphans = BTreeSet::new();
    for row in &found {
        let mut row = Cursor::over(row);
        let (app, number) = (row.app()?, row.number()?);
        orphans.insert(ChatKey { app, number });
    }
    let mut rows = Vec::with_capacity(orphans.len());
    for chunk in select_chunks(orphans) {
        // Only now locked, and only these: somebody else may have purged them meanwhile.
        let sql = format!(
            "SELECT app_id, number, CASE WHEN uid IS NULL THEN 0 ELSE 1 END FROM chats{} \
             WHERE ({}) AND state = {LIVE}{}",
            tx.dialect().by_key,
            any_of("app_id = ? AND number = ?", chunk.len()),
            tx.dialect().lock
        );
        let bind = |query, chat: &ChatKey| bind_chat(*chat)(query);
        rows.extend(
            tx.fetch_all(sql, |query| chunk.iter().fold(query, bind))
                .await?,
        );
    }
    let mut changes: BTreeMap<AppId, i64> = BTreeMap::new();
    for row in &rows {
        let mut row = Cursor::over(row);
        let (app, number): (AppId, i64) = (row.app()?, row.get()?);
        let was_live: i64 = row.get()?;
        let sql = format!(
            "UPDATE chats SET state = {DELETED}, name = NULL, metadata = NULL, rev = rev + 1, updated_at = ? \
             WHERE app_id = ? AND number = ?"
        );
        tx.run(sql, |query| {
            query.bind(now.get()).bind(app.get()).bind(number)
        })
        .await?;
        *changes.entry(app).or_default() -= was_live;
    }
    let entry = |(app, change)| LedgerEntry {
        counted: Counted::ChatsOf(app),
        change,
    };
    let ledger: Vec<LedgerEntry> = changes
        .into_iter()
        .filter(|(_, change)| *change != 0)
        .map(entry)
        .collect();
    write_ledger(tx, &ledger).await?;
    Ok(u32::try_from(rows.len()).expect("at most `limit` rows were read"))
}

async fn purge_messages(
    tx: &mut Tx,
    chat: ChatKey,
    numbers: Vec<Number>,
    now: Millis,
) -> Result<Vec<MessageKey>> {
    let mut keys = Vec::with_capacity(numbers.len());
    for numbers in select_chunks(numbers) {
        // Only now locked: somebody else may have purged them meanwhile.
        let sql = format!(
            "SELECT app_id, chat_number, number FROM messages WHERE app_id = ? AND chat_number = ? \
             AND number IN ({}) AND state = {LIVE} AND uid IS NOT NULL{}",
            marks(numbers.len()),
            tx.dialect().lock
        );
        let rows = tx
            .fetch_all(sql, |query| {
                let bind = |query: Query, number: &Number| query.bind(number.as_i64());
                numbers.iter().fold(bind_chat(chat)(query), bind)
            })
            .await?;
        for row in &rows {
            keys.push(Cursor::over(row).message_key()?);
        }
    }
    for numbers in select_chunks(keys.iter().map(|key| key.number)) {
        // The next rev, so that the index takes the removal for newer than what it has.
        let sql = format!(
            "UPDATE messages SET state = {DELETED}, content = NULL, author = NULL, metadata = NULL, rev = rev + 1, \
             updated_at = ? WHERE app_id = ? AND chat_number = ? AND number IN ({})",
            marks(numbers.len())
        );
        tx.run(sql, |query| {
            let query = bind_chat(chat)(query.bind(now.get()));
            numbers
                .iter()
                .fold(query, |query, number| query.bind(number.as_i64()))
        })
        .await?;
    }
    let change = -i64::try_from(keys.len()).expect("at most `limit` rows were read");
    if change != 0 {
        write_ledger(
            tx,
            &[LedgerEntry {
                counted: Counted::MessagesOf(chat),
                change,
            }],
        )
        .await?;
    }
    Ok(keys)
}

/// Once nothing of an application is live any more, its rows go, the tombstone stays.
pub(super) async fn remove(tx: &mut Tx, limit: u32, before: Millis) -> Result<u32> {
    let sql = format!(
        "SELECT a.app_id FROM applications a WHERE a.state = {DELETED} AND a.updated_at < ? \
         AND NOT EXISTS (SELECT 1 FROM chats c WHERE c.app_id = a.app_id AND c.state = {LIVE}) \
         AND NOT EXISTS (SELECT 1 FROM counts k WHERE k.kind = {KIND_MESSAGES} AND k.app_id = a.app_id) \
         AND (EXISTS (SELECT 1 FROM api_keys k WHERE k.app_id = a.app_id) \
         OR EXISTS (SELECT 1 FROM chats c WHERE c.app_id = a.app_id)) LIMIT 1"
    );
    let Some(row) = tx
        .fetch_optional(sql, |query| query.bind(before.get()))
        .await?
    else {
        return Ok(0);
    };
    let app: i64 = Cursor::over(&row).get()?;
    let mut removed = 0;
    for (table, condition) in TABLES_OF_AN_APPLICATION {
        let by_scope = condition.starts_with("scope");
        let bind = |query: Query| match by_scope {
            true => query.bind(format!("{app}:")).bind(format!("{app};")),
            false => query.bind(app),
        };
        if table == "messages" {
            removed += remove_messages(tx, app, limit).await?;
            if removed >= limit {
                return Ok(removed);
            }
            continue;
        }
        // The keys go last of all in effect: the same transaction, or another call finds them again.
        let rows = tx
            .run(format!("DELETE FROM {table} WHERE {condition}"), bind)
            .await?;
        removed = removed.saturating_add(u32::try_from(rows).unwrap_or(u32::MAX));
    }
    Ok(removed)
}

async fn remove_messages(tx: &mut Tx, app: i64, limit: u32) -> Result<u32> {
    let sql =
        "SELECT app_id, chat_number, number FROM messages WHERE app_id = ? LIMIT ?".to_owned();
    let rows: Vec<AnyRow> = tx
        .fetch_all(sql, |query| query.bind(app).bind(i64::from(limit)))
        .await?;
    for row in &rows {
        let key = Cursor::over(row).message_key()?;
        let sql =
            "DELETE FROM messages WHERE app_id = ? AND chat_number = ? AND number = ?".to_owned();
        tx.run(sql, |query| bind_message_key(query, &key)).await?;
    }
    Ok(u32::try_from(rows.len()).expect("at most `limit` rows were read"))
}
