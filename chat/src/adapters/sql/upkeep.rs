//! `Upkeep`: auditing counts here; folding and purging in files of their own.

use super::decode::{Cursor, LIVE, broken, counted_columns};
use super::fold::fold;
use super::purge::{orphans_sql, purge, remove};
use super::writer::write_ledger;
use super::{Query, SqlStore, Tx};
use crate::error::Result;
use crate::model::{ChatKey, MessageKey, Millis};
use crate::ports::{Audit, Drift, Purged, Upkeep};
use crate::rows::{Counted, LedgerEntry};
use async_trait::async_trait;
use sqlx::any::AnyRow;

#[async_trait]
impl Upkeep for SqlStore {
    async fn fold(&self, limit: u32) -> Result<u32> {
        let mut tx = self.begin_write().await?;
        let outcome = fold(&mut tx, limit).await;
        self.end_write(tx, outcome).await
    }

    async fn to_purge(&self, limit: u32) -> Result<Vec<MessageKey>> {
        let mut messages = Vec::new();
        for chat in self.deleted_chats_with_messages(limit).await? {
            let left = limit.saturating_sub(u32::try_from(messages.len()).unwrap_or(limit));
            if left == 0 {
                break;
            }
            messages.extend(self.live_messages(chat, left).await?);
        }
        Ok(messages)
    }

    async fn purge(&self, messages: &[MessageKey], limit: u32, now: Millis) -> Result<Purged> {
        // Mostly there is nothing to do, and finding that out must not hold up writers.
        let join = self.backend.dialect.join_in_order;
        let orphans = self
            .fetch_all(orphans_sql(join), |query| query.bind(1_i64))
            .await?;
        if orphans.is_empty() && messages.is_empty() {
            return Ok(Purged::default());
        }
        let mut tx = self.begin_write().await?;
        let outcome = purge(&mut tx, messages, limit, now).await;
        self.end_write(tx, outcome).await
    }

    async fn remove(&self, limit: u32, before: Millis) -> Result<u32> {
        let mut tx = self.begin_write().await?;
        let outcome = remove(&mut tx, limit, before).await;
        self.end_write(tx, outcome).await
    }

    async fn audit(&self, after: Option<Counted>, limit: u32) -> Result<Audit> {
        let mut audit = Audit::default();
        for counted in self.counted_after(after, limit).await? {
            let row = self
                .fetch_optional(rows_and_count_sql(counted), |query| {
                    bind_thrice(query, counted)
                })
                .await?;
            audit.checked += 1;
            audit.next = Some(counted);
            audit.drifts.extend(drift(counted, row)?);
        }
        Ok(audit)
    }

    async fn repair(&self, drift: &Drift) -> Result<()> {
        let mut tx = self.begin_write().await?;
        let outcome = repair(&mut tx, drift.counted).await;
        self.end_write(tx, outcome).await
    }
}

impl SqlStore {
    /// What is counted, in order: the chats of each live application, then the messages of each chat.
    async fn counted_after(&self, after: Option<Counted>, limit: u32) -> Result<Vec<Counted>> {
        let mut found = Vec::new();
        let limit = i64::from(limit);
        if !matches!(after, Some(Counted::MessagesOf(_))) {
            let after = after.map(|counted| [counted_columns(counted).1]);
            let select = format!("SELECT app_id FROM applications WHERE state = {LIVE}");
            for row in &self.after(&select, ["app_id"], after, limit).await? {
                found.push(Counted::ChatsOf(Cursor::over(row).app()?));
            }
        }
        let missing = limit - i64::try_from(found.len()).unwrap_or(limit);
        if missing > 0 {
            let after = match after {
                Some(Counted::MessagesOf(chat)) => Some([chat.app.get(), chat.number.as_i64()]),
                _ => None,
            };
            let select = "SELECT app_id, number FROM chats WHERE 0 = 0";
            for row in &self
                .after(select, ["app_id", "number"], after, missing)
                .await?
            {
                let mut row = Cursor::over(row);
                found.push(Counted::MessagesOf(ChatKey {
                    app: row.app()?,
                    number: row.number()?,
                }));
            }
        }
        Ok(found)
    }
}

/// The live rows and the count that is said, in one statement: one snapshot.
fn rows_and_count_sql(counted: Counted) -> String {
    let rows = match counted {
        Counted::ChatsOf(_) => "SELECT COUNT(*) FROM chats WHERE app_id = ? AND 0 = ?",
        Counted::MessagesOf(_) => {
            "SELECT COUNT(*) FROM messages WHERE app_id = ? AND chat_number = ?"
        }
    };
    let (kind, ..) = counted_columns(counted);
    let said = super::reader::count_expression(kind, "?", "?");
    format!("SELECT ({rows} AND state = {LIVE} AND uid IS NOT NULL), {said}")
}

fn bind_thrice(query: Query, counted: Counted) -> Query {
    let (_, app, chat) = counted_columns(counted);
    (0..3).fold(query, |query, _| query.bind(app).bind(chat))
}

fn drift(counted: Counted, row: Option<AnyRow>) -> Result<Option<Drift>> {
    let row = row.ok_or_else(|| broken("no row of a SELECT without FROM"))?;
    let mut row = Cursor::over(&row);
    let (rows, said) = (row.get()?, row.get()?);
    let drift = Drift {
        counted,
        said,
        rows,
    };
    Ok((rows != said).then_some(drift))
}

/// Writes the difference there is now: whoever repairs the same again finds none.
async fn repair(tx: &mut Tx, counted: Counted) -> Result<()> {
    let row = tx
        .fetch_optional(rows_and_count_sql(counted), |query| {
            bind_thrice(query, counted)
        })
        .await?;
    let Some(Drift { said, rows, .. }) = drift(counted, row)? else {
        return Ok(());
    };
    let change = rows - said;
    write_ledger(tx, &[LedgerEntry { counted, change }]).await
}
