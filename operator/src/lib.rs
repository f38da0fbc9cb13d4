//! From a `ChatSystem` resource to a running chat on Kubernetes.
//!
//! One pipeline, a file for each step: observe, validate, decide, build, apply, status. What decides (`validate`,
//! `scaling`, `build`) is pure: time and everything seen of the world are arguments.

pub mod build;
pub mod crd;
pub mod lease;
pub mod manifest;
pub mod sample;
pub mod scaling;
pub mod status;
pub mod validate;
