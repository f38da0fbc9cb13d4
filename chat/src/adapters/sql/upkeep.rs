//! `Upkeep`: folding the ledger, purging under deleted parents, auditing counts.

use super::decode::{Cursor, DELETED, KIND_CHATS, KIND_MESSAGES, LIVE, broken, counted_columns};
use super::statement::{insert, marks};
use super::writer::{bind_message_key, write_ledger};
use super::{Query, SqlStore, WriteTx};
use crate::error::Result;
use crate::model::{AppId, ChatKey, MessageKey, Millis};
use crate::ports::{Audit, Drift, Purged, Upkeep};
use crate::rows::{Counted, LedgerEntry};
use async_trait::async_trait;
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

#[async_trait]
impl Upkeep for SqlStore {
    async fn fold(&self, limit: u32) -> Result<u32> {
        let mut tx = self.begin_write().await?;
        let outcome = fold(&mut tx, limit).await;
        self.end_write(tx, outcome).await
    }

    async fn purge(&self, limit: u32, now: Millis) -> Result<Purged> {
        // Mostly there is nothing to do, and finding that out must not hold up writers.
        let orphans = self
            .fetch_all(orphans_sql(""), |query| query.bind(1_i64))
            .await?;
        let chats = self.deleted_chats_with_messages(limit).await?;
        if orphans.is_empty() && chats.is_empty() {
            return Ok(Purged::default());
        }
        let mut tx = self.begin_write().await?;
        let outcome = purge(&mut tx, &chats, limit, now).await;
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

    /// Counts are exact, so a deleted chat with live messages has a count or an open ledger row. So has
    /// one that was purged and not folded yet: its messages are asked too.
    async fn deleted_chats_with_messages(&self, limit: u32) -> Result<BTreeSet<ChatKey>> {
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
                "SELECT DISTINCT c.app_id, c.number FROM chats c CROSS JOIN counts k ON {same} \
                 WHERE {asked} AND {} LIMIT ?",
                live("k.app_id", "k.chat_number")
            ),
            format!(
                "SELECT DISTINCT c.app_id, c.number FROM count_ledger k CROSS JOIN chats c ON {same} \
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
async fn repair(tx: &mut WriteTx, counted: Counted) -> Result<()> {
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

fn counted(row: &mut Cursor<'_>) -> Result<Counted> {
    let kind: i64 = row.get()?;
    let app: AppId = row.app()?;
    Ok(if kind == KIND_CHATS {
        Counted::ChatsOf(app)
    } else {
        Counted::MessagesOf(ChatKey {
            app,
            number: row.number()?,
        })
    })
}

/// Exactly the rows that were read are deleted: a row committed meanwhile with a smaller id would be
/// lost to `DELETE .. WHERE id <= max`.
async fn fold(tx: &mut WriteTx, limit: u32) -> Result<u32> {
    let sql = format!(
        "SELECT id, n, kind, app_id, chat_number FROM count_ledger ORDER BY id LIMIT ?{}",
        tx.dialect.skip_locked
    );
    let rows = tx
        .fetch_all(sql, |query| query.bind(i64::from(limit)))
        .await?;
    let mut ids: Vec<i64> = Vec::with_capacity(rows.len());
    let mut sums: BTreeMap<Counted, i64> = BTreeMap::new();
    for row in &rows {
        let mut row = Cursor::over(row);
        ids.push(row.get()?);
        let n: i64 = row.get()?;
        *sums.entry(counted(&mut row)?).or_default() += n;
    }
    for (counted, sum) in sums {
        add_to_count(tx, counted, sum).await?;
    }
    for chunk in ids.chunks(512) {
        let sql = format!(
            "DELETE FROM count_ledger WHERE id IN ({})",
            marks(chunk.len())
        );
        tx.run(sql, |query| {
            chunk.iter().fold(query, |query, id| query.bind(*id))
        })
        .await?;
    }
    Ok(u32::try_from(ids.len()).expect("at most `limit` rows were read"))
}

async fn add_to_count(tx: &mut WriteTx, counted: Counted, change: i64) -> Result<()> {
    if change == 0 {
        return Ok(());
    }
    let (kind, app, chat) = counted_columns(counted);
    let key = |query: Query| query.bind(kind).bind(app).bind(chat);
    let condition = "kind = ? AND app_id = ? AND chat_number = ?";
    let sql = format!("SELECT n FROM counts WHERE {condition}{}", tx.dialect.lock);
    let Some(row) = tx.fetch_optional(sql, key).await? else {
        tx.run(
            insert("counts", &["kind", "app_id", "chat_number", "n"], 1),
            |query| key(query).bind(change),
        )
        .await?;
        return Ok(());
    };
    let n: i64 = Cursor::over(&row).get::<i64>()? + change;
    if n == 0 {
        // No row means none: purging looks for deleted chats that still have one.
        tx.run(format!("DELETE FROM counts WHERE {condition}"), key)
            .await?;
    } else {
        tx.run(
            format!("UPDATE counts SET n = ? WHERE {condition}"),
            |query| key(query.bind(n)),
        )
        .await?;
    }
    Ok(())
}

/// Live chats of deleted applications. The order of the join is spelled out: of the live chats there
/// are many, and it is asked every second.
fn orphans_sql(lock: &str) -> String {
    format!(
        "SELECT c.app_id, c.number, CASE WHEN c.uid IS NULL THEN 0 ELSE 1 END FROM applications a \
         CROSS JOIN chats c ON c.app_id = a.app_id AND c.state = {LIVE} WHERE a.state = {DELETED} LIMIT ?{lock}"
    )
}

/// Chats first: the chats of a deleted application become deleted chats, whose messages come next.
async fn purge(
    tx: &mut WriteTx,
    chats: &BTreeSet<ChatKey>,
    limit: u32,
    now: Millis,
) -> Result<Purged> {
    let mut purged = Purged {
        rows: purge_chats(tx, limit, now).await?,
        messages: Vec::new(),
    };
    for chat in chats {
        let left = limit.saturating_sub(purged.rows);
        if left == 0 {
            break;
        }
        let messages = purge_messages(tx, *chat, left, now).await?;
        purged.rows += u32::try_from(messages.len()).expect("at most `limit` rows were read");
        purged.messages.extend(messages);
    }
    Ok(purged)
}

async fn purge_chats(tx: &mut WriteTx, limit: u32, now: Millis) -> Result<u32> {
    let sql = orphans_sql(tx.dialect.lock);
    let rows = tx
        .fetch_all(sql, |query| query.bind(i64::from(limit)))
        .await?;
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
    tx: &mut WriteTx,
    chat: ChatKey,
    limit: u32,
    now: Millis,
) -> Result<Vec<MessageKey>> {
    let sql = format!(
        "SELECT app_id, chat_number, number FROM messages \
         WHERE app_id = ? AND chat_number = ? AND state = {LIVE} AND uid IS NOT NULL ORDER BY number LIMIT ?{}",
        tx.dialect.lock
    );
    let rows = tx
        .fetch_all(sql, |query| {
            query
                .bind(chat.app.get())
                .bind(chat.number.as_i64())
                .bind(i64::from(limit))
        })
        .await?;
    let keys = rows
        .iter()
        .map(|row| Cursor::over(row).message_key())
        .collect::<Result<Vec<_>>>()?;
    for key in &keys {
        // The next rev, so that the index takes the removal for newer than what it has.
        let sql = format!(
            "UPDATE messages SET state = {DELETED}, content = NULL, author = NULL, metadata = NULL, rev = rev + 1, \
             updated_at = ? WHERE app_id = ? AND chat_number = ? AND number = ?"
        );
        tx.run(sql, |query| bind_message_key(query.bind(now.get()), key))
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
async fn remove(tx: &mut WriteTx, limit: u32, before: Millis) -> Result<u32> {
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

async fn remove_messages(tx: &mut WriteTx, app: i64, limit: u32) -> Result<u32> {
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
