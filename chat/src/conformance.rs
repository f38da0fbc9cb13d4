//! Every promise of every port, as functions that run against any adapter.
//!
//! One function per promise, named after it. A test of an adapter calls them all with a fresh instance;
//! a promise that an adapter breaks panics with what was promised.

mod fixture;
pub mod gaps;
pub mod limiter;
pub mod numbers;
mod promises;
pub mod queue;
pub mod reader;
pub mod search;
pub mod sequences;
pub mod servers;
pub mod tenant_cache;
pub mod tenants;
pub mod upkeep;
pub mod writer;

pub use fixture::Store;
