//! What the ports promise, on real servers; see `conformance::servers` for where these are.

mod elasticsearch;
mod mysql;
mod rabbitmq;
mod redis;
