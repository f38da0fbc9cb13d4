//! What stands behind the ports. Only `backends.rs` names these.

pub mod memory_limiter;
pub mod memory_numbers;
pub mod memory_queue;
pub mod memory_search;
#[cfg(feature = "embedded")]
pub mod sql;
#[cfg(feature = "embedded")]
pub mod tantivy;
