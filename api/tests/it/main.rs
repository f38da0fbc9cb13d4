//! The HTTP contract, route by route, over the embedded backends in one process. Every answer that a
//! test sees is held against the OpenAPI document.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in the functions it calls"
)]

mod applications;
mod auth;
mod bad_input;
mod chats;
mod contract;
mod document;
mod faults;
mod idempotency;
mod limits;
mod logs;
mod messages;
mod parking;
mod search;
mod serving;
mod surroundings;
mod system;
mod tenants;
