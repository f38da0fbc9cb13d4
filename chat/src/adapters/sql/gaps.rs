//! `GapLedger`: numbers that were given and never stored.

use super::decode::Cursor;
use super::reader::signed;
use super::statement::insert;
use super::{Query, SqlStore, Tx};
use crate::error::Result;
use crate::model::{Gap, Millis, Number, Scope};
use crate::ports::{Explanation, GapLedger, Watermark};
use async_trait::async_trait;
use sqlx::any::AnyRow;

/// Gaps looked at in one step of `trim`.
const TRIM_GAPS: i64 = 1000;

#[async_trait]
impl GapLedger for SqlStore {
    async fn unexplained(&self, after: Option<Scope>, limit: u32) -> Result<Vec<Watermark>> {
        // Revisions have no gap ledger: their scopes hold ":r:".
        let sql = "SELECT s.scope, s.hi, COALESCE(w.explained, 0), w.seen, w.seen_at FROM sequences s \
                   LEFT JOIN gap_watermarks w ON w.scope = s.scope \
                   WHERE s.scope > ? AND s.scope NOT LIKE '%:r:%' AND s.hi > COALESCE(w.explained, 0) \
                   ORDER BY s.scope LIMIT ?";
        let after = after.map(Scope::key).unwrap_or_default();
        let rows = self
            .fetch_all(sql.to_owned(), |query| {
                query.bind(after).bind(i64::from(limit))
            })
            .await?;
        rows.iter()
            .map(|row| {
                let mut row = Cursor::over(row);
                let key: String = row.get()?;
                let scope = Scope::parse(&key).ok_or_else(|| super::decode::broken("a scope"))?;
                let (high, explained) = (row.count()?, row.count()?);
                let seen = row.get::<Option<i64>>()?.map(i64::cast_unsigned);
                let seen_at = row.get::<Option<i64>>()?.map(Millis::new);
                Ok(Watermark {
                    scope,
                    high,
                    explained,
                    seen: seen.zip(seen_at),
                })
            })
            .collect()
    }

    async fn mark_seen(&self, seen: &[(Scope, u64)], now: Millis) -> Result<()> {
        let mut tx = self.begin_write().await?;
        let outcome = mark_all_seen(&mut tx, seen, now).await;
        self.end_write(tx, outcome).await
    }

    async fn present(&self, scope: Scope, lo: u64, hi: u64, limit: u32) -> Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for sql in present_sql(scope) {
            let rows = self
                .fetch_all(format!("{sql} ORDER BY number LIMIT ?"), |query| {
                    bind_range(query, scope, lo, hi).bind(i64::from(limit))
                })
                .await?;
            for row in &rows {
                numbers.push(Cursor::over(row).count()?);
            }
        }
        numbers.sort_unstable();
        numbers.truncate(limit as usize);
        Ok(numbers)
    }

    async fn jumps(&self, scope: Scope, lo: u64, hi: u64) -> Result<Vec<u64>> {
        let sql = "SELECT at FROM number_jumps WHERE scope = ? AND at > ? AND at <= ? ORDER BY at"
            .to_owned();
        let rows = self
            .fetch_all(sql, |query| {
                query.bind(scope.key()).bind(signed(lo)).bind(signed(hi))
            })
            .await?;
        rows.iter().map(|row| Cursor::over(row).count()).collect()
    }

    async fn explain(&self, explanations: &[Explanation]) -> Result<()> {
        let mut tx = self.begin_write().await?;
        let outcome = explain_all(&mut tx, explanations).await;
        self.end_write(tx, outcome).await
    }

    async fn trim(&self) -> Result<u64> {
        let mut trimmed = 0;
        let (mut scope, mut lo) = (String::new(), -1);
        loop {
            // Mostly no gap has come to life, and finding that out must not hold up writers.
            let gaps = self.gaps_after(&scope, lo).await?;
            let Some((last, gap)) = gaps.last() else {
                return Ok(trimmed);
            };
            (scope, lo) = (last.key(), gap.from.as_i64());
            for (scope, gap) in gaps {
                let (from, to) = (gap.from.get() - 1, gap.to.get());
                if !self.present(scope, from, to, 1).await?.is_empty() {
                    let mut tx = self.begin_write().await?;
                    let outcome = trim_one(&mut tx, scope, gap.from).await;
                    trimmed += self.end_write(tx, outcome).await?;
                }
            }
        }
    }
}

/// scope, lo, hi, cause, noted_at.
const GAP: &str = "SELECT scope, lo, hi, cause, noted_at FROM number_gaps";

fn gap(row: &AnyRow) -> Result<(Scope, Gap)> {
    let mut row = Cursor::over(row);
    let key: String = row.get()?;
    let scope = Scope::parse(&key).ok_or_else(|| super::decode::broken("a scope"))?;
    let gap = Gap {
        from: row.number()?,
        to: row.number()?,
        cause: row.cause()?,
        noted_at: row.millis()?,
    };
    Ok((scope, gap))
}

impl SqlStore {
    /// The rest of this scope's gaps, or else the next scopes'.
    async fn gaps_after(&self, scope: &str, lo: i64) -> Result<Vec<(Scope, Gap)>> {
        let same = format!("{GAP} WHERE scope = ? AND lo > ? ORDER BY lo LIMIT ?");
        let bind = |query: Query| query.bind(scope.to_owned()).bind(lo).bind(TRIM_GAPS);
        let mut rows = self.fetch_all(same, bind).await?;
        if rows.is_empty() {
            let next = format!("{GAP} WHERE scope > ? ORDER BY scope, lo LIMIT ?");
            let bind = |query: Query| query.bind(scope.to_owned()).bind(TRIM_GAPS);
            rows = self.fetch_all(next, bind).await?;
        }
        rows.iter().map(gap).collect()
    }
}

/// SELECTs of the numbers in a range that are stored: rows with a uid, and aliases.
fn present_sql(scope: Scope) -> Vec<&'static str> {
    match scope {
        Scope::Chats(_) => {
            vec![
                "SELECT number FROM chats WHERE app_id = ? AND number > ? AND number <= ? AND uid IS NOT NULL",
            ]
        }
        Scope::Messages(_) => vec![
            "SELECT number FROM messages \
             WHERE app_id = ? AND chat_number = ? AND number > ? AND number <= ? AND uid IS NOT NULL",
            "SELECT number FROM number_aliases WHERE app_id = ? AND chat_number = ? AND number > ? AND number <= ?",
        ],
        Scope::Revs(_) => Vec::new(),
    }
}

fn bind_range(query: Query, scope: Scope, lo: u64, hi: u64) -> Query {
    let query = match scope {
        Scope::Chats(app) => query.bind(app.get()),
        Scope::Messages(chat) | Scope::Revs(chat) => {
            query.bind(chat.app.get()).bind(chat.number.as_i64())
        }
    };
    query.bind(signed(lo)).bind(signed(hi))
}

async fn present_in(tx: &mut Tx, scope: Scope, lo: u64, hi: u64) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for sql in present_sql(scope) {
        for row in tx
            .fetch_all(sql.to_owned(), |query| bind_range(query, scope, lo, hi))
            .await?
        {
            numbers.push(Cursor::over(&row).count()?);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

async fn mark_all_seen(tx: &mut Tx, seen: &[(Scope, u64)], now: Millis) -> Result<()> {
    for (scope, seen) in seen {
        mark_seen(tx, *scope, *seen, now).await?;
    }
    Ok(())
}

async fn mark_seen(tx: &mut Tx, scope: Scope, seen: u64, now: Millis) -> Result<()> {
    let scope = scope.key();
    let sql = format!(
        "SELECT explained, seen FROM gap_watermarks WHERE scope = ?{}",
        tx.dialect().lock
    );
    match tx
        .fetch_optional(sql, |query| query.bind(scope.clone()))
        .await?
    {
        None => {
            let sql = insert(
                "gap_watermarks",
                &["scope", "explained", "seen", "seen_at"],
                1,
            );
            tx.run(sql, |query| {
                query
                    .bind(scope)
                    .bind(0_i64)
                    .bind(signed(seen))
                    .bind(now.get())
            })
            .await?;
        }
        Some(row) => {
            let mut row = Cursor::over(&row);
            let (_explained, waiting) = (row.count()?, row.get::<Option<i64>>()?);
            if waiting.is_none() {
                let sql =
                    "UPDATE gap_watermarks SET seen = ?, seen_at = ? WHERE scope = ?".to_owned();
                tx.run(sql, |query| {
                    query.bind(signed(seen)).bind(now.get()).bind(scope)
                })
                .await?;
            }
        }
    }
    Ok(())
}

async fn explain_all(tx: &mut Tx, explanations: &[Explanation]) -> Result<()> {
    for explanation in explanations {
        explain(tx, explanation).await?;
    }
    Ok(())
}

async fn explain(tx: &mut Tx, explanation: &Explanation) -> Result<()> {
    let Explanation {
        scope,
        gaps,
        through,
    } = explanation;
    let (scope, through) = (*scope, *through);
    for gap in gaps {
        let stored = present_in(tx, scope, gap.from.get() - 1, gap.to.get()).await?;
        for gap in without(gap, &stored) {
            insert_gap(tx, &scope.key(), &gap).await?;
            remove_stubs(tx, scope, &gap).await?;
        }
    }
    let key = scope.key();
    let sql = format!(
        "SELECT explained FROM gap_watermarks WHERE scope = ?{}",
        tx.dialect().lock
    );
    match tx
        .fetch_optional(sql, |query| query.bind(key.clone()))
        .await?
    {
        None => {
            let sql = insert("gap_watermarks", &["scope", "explained"], 1);
            tx.run(sql, |query| query.bind(key).bind(signed(through)))
                .await?;
        }
        Some(row) => {
            let explained = Cursor::over(&row).count()?.max(through);
            // What another pass has seen since is still to be explained. MySQL assigns from left to right.
            let sql = "UPDATE gap_watermarks SET explained = ?, \
                       seen_at = CASE WHEN seen > ? THEN seen_at END, \
                       seen = CASE WHEN seen > ? THEN seen END WHERE scope = ?";
            let explained = signed(explained);
            tx.run(sql.to_owned(), |query| {
                query
                    .bind(explained)
                    .bind(explained)
                    .bind(explained)
                    .bind(key)
            })
            .await?;
        }
    }
    Ok(())
}

async fn insert_gap(tx: &mut Tx, scope: &str, gap: &Gap) -> Result<()> {
    let Gap {
        from,
        to,
        cause,
        noted_at,
    } = *gap;
    let sql = format!(
        "SELECT lo FROM number_gaps WHERE scope = ? AND lo = ?{}",
        tx.dialect().lock
    );
    if tx
        .fetch_optional(sql, |query| {
            query.bind(scope.to_owned()).bind(from.as_i64())
        })
        .await?
        .is_some()
    {
        return Ok(());
    }
    tx.run(
        insert(
            "number_gaps",
            &["scope", "lo", "hi", "cause", "noted_at"],
            1,
        ),
        |query| {
            query
                .bind(scope.to_owned())
                .bind(from.as_i64())
                .bind(to.as_i64())
                .bind(cause.as_str())
                .bind(noted_at.get())
        },
    )
    .await?;
    Ok(())
}

async fn remove_stubs(tx: &mut Tx, scope: Scope, gap: &Gap) -> Result<()> {
    let sql = match scope {
        Scope::Messages(_) => {
            "DELETE FROM messages WHERE app_id = ? AND chat_number = ? AND number > ? AND number <= ? AND uid IS NULL"
        }
        // A chat's stub may have messages under it, which are stored; it stays.
        Scope::Chats(_) | Scope::Revs(_) => return Ok(()),
    };
    tx.run(sql.to_owned(), |query| {
        bind_range(query, scope, gap.from.get() - 1, gap.to.get())
    })
    .await?;
    Ok(())
}

/// Cuts what is stored by now out of one gap; returns how many numbers.
async fn trim_one(tx: &mut Tx, scope: Scope, from: Number) -> Result<u64> {
    let key = scope.key();
    let sql = format!("{GAP} WHERE scope = ? AND lo = ?{}", tx.dialect().lock);
    let bind = |query: Query| query.bind(key.clone()).bind(from.as_i64());
    let Some(row) = tx.fetch_optional(sql, bind).await? else {
        return Ok(0);
    };
    let (_, gap) = gap(&row)?;
    let stored = present_in(tx, scope, gap.from.get() - 1, gap.to.get()).await?;
    let sql = "DELETE FROM number_gaps WHERE scope = ? AND lo = ?".to_owned();
    tx.run(sql, bind).await?;
    for rest in without(&gap, &stored) {
        insert_gap(tx, &key, &rest).await?;
    }
    Ok(stored.len() as u64)
}

/// The runs of a gap that are left when some of its numbers turned out to be stored.
fn without(gap: &Gap, stored: &[u64]) -> Vec<Gap> {
    let mut rest = Vec::new();
    let mut from = gap.from.get();
    let ends = stored.iter().copied().chain([gap.to.get() + 1]);
    for end in ends {
        if let (true, Some(from), Some(to)) = (end > from, Number::new(from), Number::new(end - 1))
        {
            rest.push(Gap { from, to, ..*gap });
        }
        from = end + 1;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::GapCause;

    fn gap(from: u64, to: u64) -> Gap {
        let number = |n| Number::new(n).unwrap();
        Gap {
            from: number(from),
            to: number(to),
            cause: GapCause::Voided,
            noted_at: Millis::new(0),
        }
    }

    #[test]
    fn a_gap_without_its_stored_numbers_is_what_is_left() {
        assert_eq!(without(&gap(3, 9), &[]), [gap(3, 9)]);
        assert_eq!(without(&gap(3, 9), &[3, 5, 9]), [gap(4, 4), gap(6, 8)]);
        assert_eq!(without(&gap(3, 3), &[3]), []);
    }
}
