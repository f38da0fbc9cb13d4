//! The operator on a real API server without nodes: `make test-control-plane`.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod drift;
mod install;
mod kill;
mod kubelet;
mod mutate;
mod plane;
mod process;
mod program;
mod rest;
mod roll;
mod room;
mod rules;
mod scale;
mod state;
