//! ChatSystem's library: model, rules, ports and the adapters behind them.
//!
//! One direction: a program calls `ops`, `ops` calls the traits in `ports`, an adapter calls its driver.
//! Without features this crate contains no driver. `embedded` adds SQLite, an in-process queue and an
//! index beside the database, `cluster` adds MySQL, Redis, RabbitMQ and Elasticsearch; `backends` is the only file that names adapters.

pub mod adapters;
pub mod backends;
pub mod clock;
pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod error;
pub mod event;
pub mod metrics;
pub mod model;
pub mod ops;
pub mod ports;
pub mod rows;
pub mod shutdown;
pub mod telemetry;
pub mod traces;
