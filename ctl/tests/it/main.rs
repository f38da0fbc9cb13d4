//! chatctl as people run it, against a server of its own for each test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod chatctl;
mod commands;
mod export;
mod import;
