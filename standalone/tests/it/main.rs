//! The program as people start it: its commands, its messages, its end.

mod backup;
mod chat;
mod http;
mod lifecycle;
mod refusals;
mod settings;
