//! What a batch of commands does to the rows that are there: the exactly-once effect.
//!
//! `plan` is pure and may be called again with newer rows. It carries the commands out one after the
//! other on a working copy and returns one final row for each key, so any order and any repetition of
//! the same commands leads to the same rows (PROTOCOLS C and G). `store` is the effect around it: it
//! tries again after conflicts and bisects a batch that the store refuses.

mod plan;
mod store;

pub use plan::{keys, plan};
pub use store::{Fate, store};
