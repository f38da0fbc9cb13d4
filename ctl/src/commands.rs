//! What each command does, one file for each group.

pub(crate) mod app;
pub(crate) mod chat;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod message;
pub(crate) mod search;
pub(crate) mod tail;

/// A key for one create typed by a person: it only has to survive being sent again by this process.
fn random_key() -> String {
    format!("chatctl-{:032x}", rand::random::<u128>())
}
