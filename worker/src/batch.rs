//! How deliveries become batches: up to a number of them, or what came within a time.

use chat::ports::{Deliveries, Delivery};
use futures::FutureExt;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Deliveries in one batch.
    pub size: usize,
    /// How long a batch waits for more after its first delivery. Zero: whatever is there already, so
    /// what arrives during one commit shares the next.
    pub linger: Duration,
    /// How long to rest after a batch, so that a steady stream shares its commits.
    pub pause: Duration,
}

/// The next batch; empty once the deliveries have ended. Dropping the future gives back what it holds.
pub async fn next(deliveries: &mut dyn Deliveries, limits: BatchLimits) -> Vec<Delivery> {
    let mut batch = Vec::new();
    let Some(first) = deliveries.next().await else {
        return batch;
    };
    batch.push(first);
    let deadline = Instant::now() + limits.linger;
    while batch.len() < limits.size {
        let next = match limits.linger.is_zero() {
            true => deliveries.next().now_or_never(),
            false => tokio::time::timeout_at(deadline, deliveries.next())
                .await
                .ok(),
        };
        match next.flatten() {
            Some(delivery) => batch.push(delivery),
            None => break,
        }
    }
    batch
}
