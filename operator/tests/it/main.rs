//! The operator without a cluster.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod children;
mod definition;
mod environment;
mod invalid;
mod program;
mod rights;
mod samples;
