//! After a copy took the store's place: nobody knows which numbers were given since it was made, so every
//! scope continues far above them (I3).

use super::{Query, Tx};
use crate::error::Result;

/// A scope whose first number was given after the copy was made has no sequence in it, and would start
/// at 1 again.
const USE_EVERY_SCOPE: [&str; 3] = [
    "INSERT INTO sequences (scope, hi) SELECT a.app_id || ':c', 0 FROM applications a \
     WHERE NOT EXISTS (SELECT 1 FROM sequences s WHERE s.scope = a.app_id || ':c')",
    "INSERT INTO sequences (scope, hi) SELECT c.app_id || ':m:' || c.number, 0 FROM chats c \
     WHERE NOT EXISTS (SELECT 1 FROM sequences s WHERE s.scope = c.app_id || ':m:' || c.number)",
    "INSERT INTO sequences (scope, hi) SELECT c.app_id || ':r:' || c.number, 0 FROM chats c \
     WHERE NOT EXISTS (SELECT 1 FROM sequences s WHERE s.scope = c.app_id || ':r:' || c.number)",
];

/// How far numbers jump after a copy: more than can have been given since it was made.
pub(super) const AFTER_RESTORE: i64 = 1_000_000;

/// Raises each sequence and marks a jump; returns how many there are.
pub(super) async fn raise_every_sequence(tx: &mut Tx) -> Result<u64> {
    for sql in USE_EVERY_SCOPE {
        tx.run(sql.to_owned(), |query| query).await?;
    }
    let jump = |query: Query| query.bind(AFTER_RESTORE);
    let sql = "INSERT INTO number_jumps (scope, at) SELECT scope, hi + ? FROM sequences";
    tx.run(sql.to_owned(), jump).await?;
    tx.run("UPDATE sequences SET hi = hi + ?".to_owned(), jump)
        .await
}
