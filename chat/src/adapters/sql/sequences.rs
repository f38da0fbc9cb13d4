//! `Sequences`: blocks of numbers, jump marks, and the numbers keyed chats are bound to.

use super::decode::{Cursor, broken};
use super::statement::insert;
use super::{SqlStore, Tx};
use crate::error::{Error, Result};
use crate::model::{Fingerprint, Number, Problem, Scope, TenantId, Uid};
use crate::ports::{Block, Remainder, Reserve, Sequences, Stored};
use async_trait::async_trait;

/// How often a reservation is tried while others reserve.
const TRIES: u32 = 4;

#[async_trait]
impl Sequences for SqlStore {
    async fn reserve(&self, wants: &[Reserve]) -> Result<Vec<Block>> {
        for _ in 1..TRIES {
            match self.reserve_once(wants).await {
                // Two who reserve a scope for the first time, or several scopes at once: nothing was written.
                Err(Error::Conflict | Error::Busy(_)) => {}
                settled => return settled,
            }
        }
        self.reserve_once(wants).await
    }

    async fn high(&self, scope: Scope) -> Result<u64> {
        let sql = "SELECT hi FROM sequences WHERE scope = ?".to_owned();
        let row = self
            .fetch_optional(sql, |query| query.bind(scope.key()))
            .await?;
        row.as_ref().map_or(Ok(0), |row| Cursor::over(row).count())
    }

    async fn give_back(&self, remainders: &[Remainder]) -> Result<()> {
        let mut tx = self.begin_write().await?;
        let outcome = give_back_all(&mut tx, remainders).await;
        self.end_write(tx, outcome).await
    }

    async fn bind_chat(
        &self,
        tenant: TenantId,
        uid: Uid,
        number: Number,
        fingerprint: Fingerprint,
    ) -> Result<Stored> {
        let mut tx = self.begin_write().await?;
        let outcome = bind_chat(&mut tx, tenant, uid, number, fingerprint).await;
        self.end_write(tx, outcome).await
    }
}

impl SqlStore {
    async fn reserve_once(&self, wants: &[Reserve]) -> Result<Vec<Block>> {
        let mut tx = self.begin_write().await?;
        let outcome = reserve_all(&mut tx, wants).await;
        self.end_write(tx, outcome).await
    }
}

/// In the order of the scopes, so that two who reserve the same ones do not wait for each other; the
/// blocks are in the order of the wants.
async fn reserve_all(tx: &mut Tx, wants: &[Reserve]) -> Result<Vec<Block>> {
    let mut in_order: Vec<usize> = (0..wants.len()).collect();
    in_order.sort_by_key(|place| wants[*place].scope.key());
    let mut blocks = vec![Block { lo: 0, hi: 0 }; wants.len()];
    for place in in_order {
        blocks[place] = reserve(tx, &wants[place]).await?;
    }
    Ok(blocks)
}

async fn reserve(tx: &mut Tx, want: &Reserve) -> Result<Block> {
    let scope = want.scope.key();
    let (lo, hi) = raise(tx, &scope, want.size).await?;
    if lo != 0 && want.expected_lo != Some(lo) {
        let at = i64::try_from(lo).expect("lo is below hi");
        mark_jump(tx, &scope, at).await?;
    }
    Ok(Block { lo, hi })
}

/// The next number of a scope, for whoever takes them one by one: no block, so no jump either.
pub(super) async fn next_number(tx: &mut Tx, scope: Scope) -> Result<Number> {
    let (_, hi) = raise(tx, &scope.key(), 1).await?;
    Number::new(hi).ok_or_else(|| broken("a sequence beyond 2^53-1"))
}

/// The end of the sequence before and after.
async fn raise(tx: &mut Tx, scope: &str, by: u32) -> Result<(u64, u64)> {
    let sql = format!(
        "SELECT hi FROM sequences WHERE scope = ?{}",
        tx.dialect().lock
    );
    let row = tx
        .fetch_optional(sql, |query| query.bind(scope.to_owned()))
        .await?;
    let old = row
        .as_ref()
        .map(|row| Cursor::over(row).count())
        .transpose()?;
    let lo = old.unwrap_or(0);
    let hi = lo + u64::from(by);
    if hi > Number::MAX.get() {
        return Err(Error::invalid(
            "scope",
            Problem::new("all 2^53-1 numbers are used", "start another chat"),
        ));
    }
    let stored = i64::try_from(hi).expect("2^53-1 fits into an i64");
    match old {
        None => {
            tx.run(insert("sequences", &["scope", "hi"], 1), |query| {
                query.bind(scope.to_owned()).bind(stored)
            })
            .await?
        }
        Some(_) => {
            let sql = "UPDATE sequences SET hi = ? WHERE scope = ?".to_owned();
            tx.run(sql, |query| query.bind(stored).bind(scope.to_owned()))
                .await?
        }
    };
    Ok((lo, hi))
}

async fn mark_jump(tx: &mut Tx, scope: &str, at: i64) -> Result<()> {
    // Whoever marks a jump holds the scope's sequence.
    let sql = "SELECT at FROM number_jumps WHERE scope = ? AND at = ?".to_owned();
    if tx
        .fetch_optional(sql, |query| query.bind(scope.to_owned()).bind(at))
        .await?
        .is_none()
    {
        tx.run(insert("number_jumps", &["scope", "at"], 1), |query| {
            query.bind(scope.to_owned()).bind(at)
        })
        .await?;
    }
    Ok(())
}

async fn give_back_all(tx: &mut Tx, remainders: &[Remainder]) -> Result<()> {
    for Remainder {
        scope,
        last,
        block_end,
    } in remainders
    {
        let sql = "UPDATE sequences SET hi = ? WHERE scope = ? AND hi = ?".to_owned();
        let last = i64::try_from(*last).map_err(Error::internal)?;
        let block_end = i64::try_from(*block_end).map_err(Error::internal)?;
        tx.run(sql, |query| {
            query.bind(last).bind(scope.key()).bind(block_end)
        })
        .await?;
    }
    Ok(())
}

async fn bind_chat(
    tx: &mut Tx,
    tenant: TenantId,
    uid: Uid,
    number: Number,
    fingerprint: Fingerprint,
) -> Result<Stored> {
    // A binding never changes, and two who bind at once clash.
    let sql = "SELECT number, fingerprint FROM chat_keys WHERE uid = ? AND app_id = ?".to_owned();
    let bound = tx
        .fetch_optional(sql, |query| {
            query.bind(uid.as_bytes().to_vec()).bind(tenant.app().get())
        })
        .await?;
    if let Some(row) = bound {
        let mut row = Cursor::over(&row);
        let number = row.number()?;
        let fingerprint = row
            .fingerprint()?
            .ok_or_else(|| broken("a chat key without a fingerprint"))?;
        return Ok(Stored {
            chat: number,
            number,
            fingerprint,
        });
    }
    tx.run(
        insert("chat_keys", &["uid", "app_id", "number", "fingerprint"], 1),
        |query| {
            query
                .bind(uid.as_bytes().to_vec())
                .bind(tenant.app().get())
                .bind(number.as_i64())
                .bind(fingerprint.as_bytes().to_vec())
        },
    )
    .await?;
    Ok(Stored {
        chat: number,
        number,
        fingerprint,
    })
}
