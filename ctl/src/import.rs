//! Reading JSON Lines into chats: lines, what they say, their keys, their new numbers, and whose turn it is.
//!
//! All of it is pure apart from `report`; `commands/import.rs` connects it to the input and the server.
//! The format is explained in `chatctl import --help`.

pub(crate) mod keys;
pub(crate) mod lanes;
pub(crate) mod line;
pub(crate) mod lines;
mod renumber;
pub(crate) mod report;
