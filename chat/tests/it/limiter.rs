//! The promises of `Limiter`, in memory.

use chat::adapters::memory_limiter::MemoryLimiter;
use chat::conformance;
use std::sync::Arc;

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            conformance::limiter::$promise(Arc::new(MemoryLimiter::default())).await;
        })*
    };
}

promises!(
    a_burst_is_let_through_and_then_no_more,
    coming_back_when_told_is_let_in_and_not_before,
    a_refused_request_costs_nothing,
    a_bucket_is_empty_again_when_it_said_so,
    in_the_long_run_the_rate_is_kept,
    buckets_do_not_share,
    takers_at_once_get_one_burst_together,
);
