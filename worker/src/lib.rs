//! From the queue into the store and the index.
//!
//! A role chooses queues; every worker can carry out every command. `consume` turns deliveries into
//! batches, hands them to the rules and settles each; `batch` gathers, `retry` is pure; `upkeep` is what has
//! to be done again and again.

pub mod batch;
mod consume;
mod retry;
mod running;
mod supervise;
mod upkeep;

pub use batch::BatchLimits;
pub use consume::consume;
pub use running::{Running, start, start_roles};
pub use upkeep::UpkeepSettings;
