//! What the ports promise, run against every adapter that needs no server; and what the rules make of
//! the rows behind them.

mod bisect;
mod copies;
mod full_disk;
mod history;
mod index;
mod limiter;
mod memory_rows;
mod migrations;
mod numbers;
mod plan;
mod queue;
mod search;
mod store;
mod tenants;
