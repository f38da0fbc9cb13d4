//! The whole system over HTTP, as programs of their own.

mod bad_day;
mod cluster;
mod commands;
mod connections;
mod contract;
mod crash_points;
mod deliveries;
mod docs;
mod flow;
mod kill;
mod kubernetes;
mod monitoring;
mod naughty;
mod readme;
mod restart;
mod restore;
mod soak;
mod tenants;
mod traces;
mod under_load;
