//! Folding the ledger into the counts: few statements, whatever the number of counts.

use super::decode::{Cursor, KIND_CHATS, counted_columns};
use super::statement::{any_of, insert, insert_chunks, marks, select_chunks};
use super::{Query, Tx};
use crate::error::Result;
use crate::model::{AppId, ChatKey};
use crate::rows::Counted;
use std::collections::BTreeMap;

/// Ledger rows deleted by one statement.
const DELETES: usize = 512;
const COUNT_KEY: &str = "kind = ? AND app_id = ? AND chat_number = ?";
/// What is bound for a count.
const COUNT_BYTES: usize = 32;

/// Folds at most `limit` rows of the ledger; returns how many.
///
/// Exactly the rows that were read are deleted: a row committed meanwhile with a smaller id would be
/// lost to `DELETE .. WHERE id <= max`.
pub(super) async fn fold(tx: &mut Tx, limit: u32) -> Result<u32> {
    let sql = format!(
        "SELECT id, n, kind, app_id, chat_number FROM count_ledger ORDER BY id LIMIT ?{}",
        tx.dialect().skip_locked
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
    sums.retain(|_, sum| *sum != 0);
    // In the order of their keys, so that any number of folds lock alike.
    let sums: Vec<(Counted, i64)> = sums.into_iter().collect();
    add_to_counts(tx, &sums).await?;
    remove_zeros(tx, &sums).await?;
    delete_entries(tx, &ids).await?;
    Ok(u32::try_from(ids.len()).expect("at most `limit` rows were read"))
}

async fn add_to_counts(tx: &mut Tx, sums: &[(Counted, i64)]) -> Result<()> {
    for chunk in insert_chunks(sums, |_| COUNT_BYTES) {
        let sql = insert(
            "counts",
            &["kind", "app_id", "chat_number", "n"],
            chunk.len(),
        ) + tx.dialect().or_add_to_n;
        tx.run(sql, |query| {
            chunk.iter().fold(query, |query, (key, n)| {
                bind_count_key(query, *key).bind(*n)
            })
        })
        .await?;
    }
    Ok(())
}

/// No row means none: purging looks for deleted chats that still have one. What was added to is locked, so
/// nobody else changes it meanwhile.
async fn remove_zeros(tx: &mut Tx, sums: &[(Counted, i64)]) -> Result<()> {
    for keys in select_chunks(sums.iter().map(|(key, _)| *key)) {
        let sql = format!(
            "SELECT kind, app_id, chat_number FROM counts{} WHERE n = 0 AND ({})",
            tx.dialect().by_key,
            any_of(COUNT_KEY, keys.len()),
        );
        let zeros = tx
            .fetch_all(sql, |query| {
                keys.iter()
                    .fold(query, |query, key| bind_count_key(query, *key))
            })
            .await?;
        for row in &zeros {
            let key = counted(&mut Cursor::over(row))?;
            let sql = format!("DELETE FROM counts WHERE {COUNT_KEY}");
            tx.run(sql, |query| bind_count_key(query, key)).await?;
        }
    }
    Ok(())
}

/// By their ids, though most of them follow one another: a range makes the database look at the row after it,
/// and wait for whoever is writing that. It would save little, too: the time goes into the rows.
async fn delete_entries(tx: &mut Tx, ids: &[i64]) -> Result<()> {
    for chunk in ids.chunks(DELETES) {
        // Full chunks are one statement, the rest is filled up like any list of keys.
        let lists = match chunk.len() {
            DELETES => vec![chunk.to_vec()],
            _ => select_chunks(chunk.iter().copied()),
        };
        for ids in lists {
            let sql = format!(
                "DELETE FROM count_ledger WHERE id IN ({})",
                marks(ids.len())
            );
            tx.run(sql, |query| {
                ids.iter().fold(query, |query, id| query.bind(*id))
            })
            .await?;
        }
    }
    Ok(())
}

fn bind_count_key(query: Query, counted: Counted) -> Query {
    let (kind, app, chat) = counted_columns(counted);
    query.bind(kind).bind(app).bind(chat)
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
