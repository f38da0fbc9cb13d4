//! `Writer`: read with locks, decide, write, commit.
//!
//! Reading follows the keys in sorted order, so that two writers lock alike. Aliases are read before
//! messages: a command may name an alias, and then the row it leads to is needed too.

use super::decode::{CHAT_COLUMNS, Cursor, MESSAGE_COLUMNS, counted_columns, state_code};
use super::dialect::Dialect;
use super::statement::{any_of, insert, insert_chunks, marks, select_chunks};
use super::{Query, SqlStore, Tx};
use crate::error::Result;
use crate::model::{Content, MessageKey, Metadata};
use crate::ports::{Planner, Writer};
use crate::rows::{Alias, ChatRow, Existing, Keys, LedgerEntry, MessageRow, Plan};
use async_trait::async_trait;
use std::collections::BTreeSet;

const MESSAGE_KEY: &str = "app_id = ? AND chat_number = ? AND number = ?";

#[async_trait]
impl Writer for SqlStore {
    async fn apply(&self, keys: &Keys, plan: &Planner<'_>) -> Result<Plan> {
        let mut tx = self.begin_write().await?;
        let outcome = decide_and_write(&mut tx, keys, plan).await;
        self.end_write(tx, outcome).await
    }
}

async fn decide_and_write(tx: &mut Tx, keys: &Keys, plan: &Planner<'_>) -> Result<Plan> {
    let existing = read(tx, keys).await?;
    let plan = plan(&existing);
    write(tx, &plan).await?;
    Ok(plan)
}

// ------------------------------------------------------------------------------------------------- read

async fn read(tx: &mut Tx, keys: &Keys) -> Result<Existing> {
    let mut existing = Existing::default();
    let Dialect {
        lock,
        share_lock,
        by_key,
        by_uid,
        ..
    } = *tx.dialect();
    for chunk in select_chunks(keys.apps.iter().copied()) {
        let sql = format!(
            "SELECT app_id, state FROM applications{by_key} WHERE app_id IN ({}){share_lock}",
            marks(chunk.len())
        );
        let rows = tx
            .fetch_all(sql, |query| {
                chunk.iter().fold(query, |query, app| query.bind(app.get()))
            })
            .await?;
        for row in &rows {
            let mut row = Cursor::over(row);
            existing.apps.insert(row.app()?, row.state()?);
        }
    }
    for chunk in select_chunks(keys.chats.iter().copied()) {
        let columns = CHAT_COLUMNS.join(", ");
        let condition = any_of("app_id = ? AND number = ?", chunk.len());
        let rows = tx
            .fetch_all(
                format!("SELECT {columns} FROM chats{by_key} WHERE {condition}{lock}"),
                |query| {
                    chunk.iter().fold(query, |query, chat| {
                        query.bind(chat.app.get()).bind(chat.number.as_i64())
                    })
                },
            )
            .await?;
        for row in &rows {
            let row = Cursor::over(row).chat_row()?;
            existing.chats.insert(row.key, row);
        }
    }
    let targets = read_aliases(tx, keys, &mut existing).await?;
    let messages: BTreeSet<MessageKey> = keys.messages.union(&targets).copied().collect();
    for chunk in select_chunks(messages) {
        let condition = any_of(MESSAGE_KEY, chunk.len());
        read_messages(tx, by_key, &condition, &mut existing, |query| {
            chunk.iter().fold(query, bind_message_key)
        })
        .await?;
    }
    for chunk in select_chunks(keys.uids.iter().copied()) {
        let condition = format!("uid IN ({})", marks(chunk.len()));
        read_messages(tx, by_uid, &condition, &mut existing, |query| {
            chunk
                .iter()
                .fold(query, |query, uid| query.bind(uid.as_bytes().to_vec()))
        })
        .await?;
    }
    Ok(existing)
}

async fn read_aliases(
    tx: &mut Tx,
    keys: &Keys,
    existing: &mut Existing,
) -> Result<BTreeSet<MessageKey>> {
    let mut targets = BTreeSet::new();
    for chunk in select_chunks(keys.messages.iter().copied()) {
        // An alias never changes, and whoever writes one holds the chat's row.
        let sql = format!(
            "SELECT app_id, chat_number, number, target FROM number_aliases{} WHERE {}",
            tx.dialect().by_key,
            any_of(MESSAGE_KEY, chunk.len())
        );
        let rows = tx
            .fetch_all(sql, |query| chunk.iter().fold(query, bind_message_key))
            .await?;
        for row in &rows {
            let mut row = Cursor::over(row);
            let key = row.message_key()?;
            let target = row.number()?;
            existing.aliases.insert(key, target);
            targets.insert(key.chat.message(target));
        }
    }
    Ok(targets)
}

async fn read_messages(
    tx: &mut Tx,
    index: &str,
    condition: &str,
    existing: &mut Existing,
    bind: impl FnOnce(Query) -> Query,
) -> Result<()> {
    let sql = format!(
        "SELECT {} FROM messages{index} WHERE {condition}{}",
        MESSAGE_COLUMNS.join(", "),
        tx.dialect().lock
    );
    for row in &tx.fetch_all(sql, bind).await? {
        let row = Cursor::over(row).message_row()?;
        existing.messages.insert(row.key, row);
    }
    Ok(())
}

pub(super) fn bind_message_key(query: Query, key: &MessageKey) -> Query {
    query
        .bind(key.chat.app.get())
        .bind(key.chat.number.as_i64())
        .bind(key.number.as_i64())
}

// ------------------------------------------------------------------------------------------------ write

async fn write(tx: &mut Tx, plan: &Plan) -> Result<()> {
    let Plan {
        new_chats,
        changed_chats,
        new_messages,
        changed_messages,
        removed_stubs,
        new_aliases,
        ledger,
        outcomes: _,
        index: _,
    } = plan;
    for chunk in insert_chunks(new_chats, chat_bytes) {
        let sql = insert("chats", &CHAT_COLUMNS, chunk.len());
        tx.run(sql, |query| chunk.iter().fold(query, bind_chat))
            .await?;
    }
    for row in changed_chats {
        update_chat(tx, row).await?;
    }
    // A stub leaves before its number may become an alias, and before anything else is written there.
    for key in removed_stubs {
        let sql = format!("DELETE FROM messages WHERE {MESSAGE_KEY}");
        tx.run(sql, |query| bind_message_key(query, key)).await?;
    }
    for chunk in insert_chunks(new_messages, message_bytes) {
        let sql = insert("messages", &MESSAGE_COLUMNS, chunk.len());
        tx.run(sql, |query| chunk.iter().fold(query, bind_message))
            .await?;
    }
    for row in changed_messages {
        update_message(tx, row).await?;
    }
    for chunk in insert_chunks(new_aliases, |_| 32) {
        let sql = insert(
            "number_aliases",
            &["app_id", "chat_number", "number", "target"],
            chunk.len(),
        );
        tx.run(sql, |query| chunk.iter().fold(query, bind_alias))
            .await?;
    }
    write_ledger(tx, ledger).await
}

pub(super) async fn write_ledger(tx: &mut Tx, ledger: &[LedgerEntry]) -> Result<()> {
    for chunk in insert_chunks(ledger, |_| 32) {
        let sql = insert(
            "count_ledger",
            &["kind", "app_id", "chat_number", "n"],
            chunk.len(),
        );
        tx.run(sql, |query| {
            chunk.iter().fold(query, |query, entry| {
                let (kind, app, chat) = counted_columns(entry.counted);
                query.bind(kind).bind(app).bind(chat).bind(entry.change)
            })
        })
        .await?;
    }
    Ok(())
}

fn bind_alias(query: Query, alias: &Alias) -> Query {
    bind_message_key(query, &alias.key).bind(alias.target.as_i64())
}

fn chat_bytes(row: &ChatRow) -> usize {
    100 + row.name.as_ref().map_or(0, |name| name.as_str().len())
        + metadata_bytes(row.metadata.as_ref())
}

fn message_bytes(row: &MessageRow) -> usize {
    150 + row
        .content
        .as_ref()
        .map_or(0, |content| content.as_str().len())
        + row
            .author
            .as_ref()
            .map_or(0, |author| author.as_str().len())
        + metadata_bytes(row.metadata.as_ref())
}

fn metadata_bytes(metadata: Option<&Metadata>) -> usize {
    metadata.map_or(0, |metadata| metadata.as_str().len())
}

fn bind_chat(query: Query, row: &ChatRow) -> Query {
    let ChatRow {
        key,
        uid,
        fingerprint,
        name,
        name_rev,
        metadata,
        metadata_rev,
        state,
        rev,
        created_at,
        updated_at,
    } = row;
    query
        .bind(key.app.get())
        .bind(key.number.as_i64())
        .bind(uid.map(|uid| uid.as_bytes().to_vec()))
        .bind(fingerprint.map(|fingerprint| fingerprint.as_bytes().to_vec()))
        .bind(name.as_ref().map(|name| name.as_str().to_owned()))
        .bind(name_rev.as_i64())
        .bind(
            metadata
                .as_ref()
                .map(|metadata| metadata.as_str().to_owned()),
        )
        .bind(metadata_rev.as_i64())
        .bind(state_code(*state))
        .bind(rev.as_i64())
        .bind(created_at.get())
        .bind(updated_at.get())
}

fn bind_message(query: Query, row: &MessageRow) -> Query {
    let MessageRow {
        key,
        uid,
        fingerprint,
        author,
        content,
        content_rev,
        metadata,
        metadata_rev,
        reply_to,
        state,
        rev,
        created_at,
        accepted_at,
        stored_at,
        updated_at,
    } = row;
    bind_message_key(query, key)
        .bind(uid.map(|uid| uid.as_bytes().to_vec()))
        .bind(fingerprint.map(|fingerprint| fingerprint.as_bytes().to_vec()))
        .bind(author.as_ref().map(|author| author.as_str().to_owned()))
        .bind(content.as_ref().map(Content::as_str).map(str::to_owned))
        .bind(content_rev.as_i64())
        .bind(
            metadata
                .as_ref()
                .map(|metadata| metadata.as_str().to_owned()),
        )
        .bind(metadata_rev.as_i64())
        .bind(reply_to.map(crate::model::Number::as_i64))
        .bind(state_code(*state))
        .bind(rev.as_i64())
        .bind(created_at.get())
        .bind(accepted_at.get())
        .bind(stored_at.get())
        .bind(updated_at.get())
}

/// Every column after the key, set to what `bind_*` binds; the key is bound once more for the condition.
fn update(table: &str, columns: &[&str], key: &str) -> String {
    let set: Vec<String> = columns
        .iter()
        .map(|column| format!("{column} = ?"))
        .collect();
    format!("UPDATE {table} SET {} WHERE {key}", set.join(", "))
}

async fn update_chat(tx: &mut Tx, row: &ChatRow) -> Result<()> {
    let sql = update("chats", &CHAT_COLUMNS, "app_id = ? AND number = ?");
    tx.run(sql, |query| {
        bind_chat(query, row)
            .bind(row.key.app.get())
            .bind(row.key.number.as_i64())
    })
    .await?;
    Ok(())
}

async fn update_message(tx: &mut Tx, row: &MessageRow) -> Result<()> {
    let sql = update("messages", &MESSAGE_COLUMNS, MESSAGE_KEY);
    tx.run(sql, |query| {
        bind_message_key(bind_message(query, row), &row.key)
    })
    .await?;
    Ok(())
}
