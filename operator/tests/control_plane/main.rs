//! The operator on a real API server without nodes: `make test-control-plane`.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod bench;
mod definition;
mod drift;
mod faults;
mod install;
mod kill;
mod kinds;
mod kubelet;
#[expect(dead_code, reason = "`make bench` asks it for more")]
#[path = "../../../tests/bench/machine.rs"]
mod machine;
mod mutate;
mod past;
mod plane;
mod process;
mod program;
mod random;
mod rest;
mod rights;
mod roll;
mod room;
mod rules;
mod scale;
mod state;
mod wire;
