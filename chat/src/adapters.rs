//! What stands behind the ports. Only `backends.rs` names these.

#[cfg(feature = "cluster")]
pub mod elasticsearch;
pub mod endpoint;
pub mod memory_limiter;
pub mod memory_numbers;
pub mod memory_queue;
pub mod memory_search;
pub mod memory_tenants;
#[cfg(feature = "cluster")]
pub mod rabbitmq;
#[cfg(feature = "cluster")]
pub mod redis;
mod reserver;
#[cfg(any(feature = "cluster", feature = "embedded"))]
pub mod sql;
#[cfg(feature = "embedded")]
pub mod tantivy;
