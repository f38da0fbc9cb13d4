//! What differs between databases, and nothing else.

use crate::error::Error;

pub(super) struct Dialect {
    /// Said once on every new connection.
    pub(super) begin_session: &'static str,
    /// Starts a transaction that reads one snapshot.
    pub(super) begin_read: &'static str,
    /// Starts a transaction that may write.
    pub(super) begin_write: &'static str,
    /// Appended to a SELECT whose rows are decided upon: locks them. In SQLite the write transaction is the lock.
    pub(super) lock: &'static str,
    /// The same, but others may lock the rows this way at the same time; nobody may change them.
    pub(super) share_lock: &'static str,
    /// The same as `lock`, but leaves out rows somebody else has locked.
    pub(super) skip_locked: &'static str,
    /// After a table's name: its rows are found by their key. A scan would lock, and wait for, rows it
    /// only passes by.
    pub(super) by_key: &'static str,
    /// The same for their uid.
    pub(super) by_uid: &'static str,
    /// Joins in the order as written.
    pub(super) join_in_order: &'static str,
    /// Ends an INSERT of counts: one that is there already grows by the new row's `n` instead.
    pub(super) or_add_to_n: &'static str,
    /// What an error of a statement means.
    pub(super) classify: fn(sqlx::Error) -> Error,
    /// What an error of COMMIT means: nothing was written, or nobody knows.
    pub(super) classify_commit: fn(sqlx::Error) -> Error,
}
