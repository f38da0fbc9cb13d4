//! Every promise of every port, as functions that run against any adapter.
//!
//! One function per promise, named after it. A test of an adapter calls them all with a fresh instance;
//! a promise that an adapter breaks panics with what was promised.

pub mod search;
