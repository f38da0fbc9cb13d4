//! A worker over the embedded backends, from a request to the store and the index and back.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod faults;
mod flow;
mod restarts;
mod world;
