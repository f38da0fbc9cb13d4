//! The promises of `Limiter`, and that the script computes what the rules do.

use super::Shared;
use chat::adapters::redis::RedisLimiter;
use chat::conformance;
use chat::model::Millis;
use chat::ops::limits::{self, Rate};
use chat::ports::Limiter;
use std::sync::Arc;

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            let Some(shared) = Shared::new() else { return };
            let limiter = RedisLimiter::new(shared.open(), 1).by_callers_clock();
            conformance::limiter::$promise(Arc::new(limiter)).await;
        })*
    };
}

chat::promises_of_limiter!(promises);

#[tokio::test]
async fn the_script_computes_what_the_rules_do() {
    const CASES: usize = 200;
    const REQUESTS: usize = 25;
    let Some(shared) = Shared::new() else { return };
    let limiter = RedisLimiter::new(shared.open(), 1).by_callers_clock();
    for case in 0..CASES {
        let per_second = [1, 2, 3, 7, 50, 999, 100_000][rand::random_range(0..7)];
        let rate = Rate::per_second(per_second).unwrap();
        let rate = rate.shared_by(rand::random_range(1..5));
        let mut now = Millis::new(rand::random_range(1_600_000_000_000..2_000_000_000_000));
        let (bucket, mut tat) = (format!("case {case}"), 0);
        for _ in 0..REQUESTS {
            // Also back in time, as clocks do.
            let step = rand::random_range(-200..[2, 700, 5_000][rand::random_range(0..3)]);
            now = now.plus(step);
            let (expected, after) = limits::take(tat, rate, now);
            tat = after;
            let verdict = limiter.take(&bucket, rate, now).await;
            assert_eq!(verdict, expected, "{rate:?} at {now:?}");
        }
    }
}

#[tokio::test]
async fn a_process_whose_clock_is_wrong_locks_nobody_out() {
    let Some(shared) = Shared::new() else { return };
    let limiter = RedisLimiter::new(shared.open(), 1);
    let rate = Rate::per_second(1).unwrap();
    for clock in [0, 1_700_000_000_000, 9_000_000_000_000] {
        let verdict = limiter.take("bucket", rate, Millis::new(clock)).await;
        assert_eq!(verdict.limit, 2, "by the shared bucket");
        assert!(verdict.reset_ms <= 2_000, "{verdict:?}");
    }
}
