//! The program as people start it: its commands, its messages, its end.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod backup;
mod chat;
mod http;
mod lifecycle;
mod refusals;
mod settings;
