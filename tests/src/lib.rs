//! The whole system from outside: what tests of several programs share.

pub mod checker;
pub mod client;
pub mod cluster;
pub mod collector;
pub mod contract;
pub mod ending;
pub mod eventually;
pub mod gate;
pub mod kubernetes;
pub mod load;
pub mod metrics;
pub mod place;
pub mod process;
pub mod program;
pub mod proxy;
pub mod queues;
pub mod seed;
pub mod url;
