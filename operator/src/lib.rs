//! From a `ChatSystem` resource to a running chat on Kubernetes.
//!
//! One pipeline, a file for each step: observe, validate, decide, build, apply, status. What decides (`validate`,
//! `scaling`, `build`) is pure: time and everything seen of the world are arguments. Only `apply` and `status` write, and
//! `election` its Lease.

pub mod apply;
pub mod build;
pub mod controller;
pub mod crd;
pub mod election;
pub mod kinds;
pub mod lease;
pub mod manifest;
pub mod metrics;
pub mod observe;
pub mod run;
pub mod sample;
pub mod scaling;
pub mod serve;
pub mod status;
pub mod validate;
