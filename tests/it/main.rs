//! The whole system over HTTP, as programs of their own.

mod flow;
mod kill;
