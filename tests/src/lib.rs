//! The whole system from outside: what tests of several programs share.

pub mod checker;
