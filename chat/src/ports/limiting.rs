//! Buckets of rate limits.

use crate::model::Millis;
use crate::ops::limits::{Rate, Verdict};
use async_trait::async_trait;

/// Buckets for rate limits, shared by whoever shares the adapter.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Takes one request out of a bucket of `payer` for each named rate, in order, up to the first that
    /// refuses; says of each what is left. Never fails: an adapter that cannot reach its store counts for
    /// itself. `now` is the caller's time; buckets that processes share may go by a clock these share instead.
    async fn take_each(&self, payer: &str, rates: &[(&str, Rate)], now: Millis) -> Vec<Verdict>;

    /// Out of the only bucket of `payer`.
    async fn take(&self, payer: &str, rate: Rate, now: Millis) -> Verdict {
        let taken = self.take_each(payer, &[("only", rate)], now).await;
        *taken
            .first()
            .expect("there is a verdict for the first rate")
    }
}
