//! What every `Limiter` promises, one function per promise.

use super::fixture::NOW;
use crate::model::Millis;
use crate::ops::limits::{Rate, Verdict};
use crate::ports::Limiter;
use futures::future::join_all;
use std::sync::Arc;

fn rate() -> Rate {
    Rate::per_second(10).expect("a rate in range")
}

fn new_bucket() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn after(now: Millis, wait_ms: u64) -> Millis {
    now.plus(i64::try_from(wait_ms).expect("a short wait"))
}

/// Takes until it is refused; how many were let through, and the refusal.
async fn exhaust(limiter: &dyn Limiter, bucket: &str, now: Millis) -> (u64, Verdict) {
    let mut allowed = 0;
    loop {
        let verdict = limiter.take(bucket, rate(), now).await;
        if !verdict.allowed {
            return (allowed, verdict);
        }
        allowed += 1;
        assert!(allowed <= rate().burst(), "more than a burst");
    }
}

pub async fn a_burst_is_let_through_and_then_no_more(limiter: Arc<dyn Limiter>) {
    let bucket = new_bucket();
    let first = limiter.take(&bucket, rate(), NOW).await;
    assert!(first.allowed);
    assert_eq!(
        (first.limit, first.remaining),
        (rate().burst(), rate().burst() - 1)
    );
    assert_eq!(first.retry_after_ms, 0);
    let (more, refusal) = exhaust(&*limiter, &bucket, NOW).await;
    assert_eq!(more, rate().burst() - 1);
    assert_eq!((refusal.limit, refusal.remaining), (rate().burst(), 0));
    assert!(refusal.retry_after_ms > 0 && refusal.reset_ms >= refusal.retry_after_ms);
}

pub async fn coming_back_when_told_is_let_in_and_not_before(limiter: Arc<dyn Limiter>) {
    let bucket = new_bucket();
    let (_, refusal) = exhaust(&*limiter, &bucket, NOW).await;
    let too_early = after(NOW, refusal.retry_after_ms - 1);
    assert!(!limiter.take(&bucket, rate(), too_early).await.allowed);
    let in_time = after(NOW, refusal.retry_after_ms);
    assert!(limiter.take(&bucket, rate(), in_time).await.allowed);
    assert!(!limiter.take(&bucket, rate(), in_time).await.allowed);
}

pub async fn rates_are_taken_in_order_up_to_the_first_that_refuses(limiter: Arc<dyn Limiter>) {
    let payer = new_bucket();
    let narrow = Rate::per_second(1).expect("a rate in range");
    let rates = [("narrow", narrow), ("wide", rate())];
    for left in [1, 2] {
        let taken = limiter.take_each(&payer, &rates, NOW).await;
        let remaining: Vec<_> = taken.iter().map(|taken| taken.remaining).collect();
        assert_eq!(remaining, [narrow.burst() - left, rate().burst() - left]);
        assert_eq!(taken[1].limit, rate().burst());
    }
    let refused = limiter.take_each(&payer, &rates, NOW).await;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(!refused[0].allowed);
    let wide = limiter.take_each(&payer, &rates[1..], NOW).await;
    assert_eq!(wide[0].remaining, rate().burst() - 3, "it was spared");
}

pub async fn a_refused_request_costs_nothing(limiter: Arc<dyn Limiter>) {
    let bucket = new_bucket();
    let (_, first) = exhaust(&*limiter, &bucket, NOW).await;
    for _ in 0..50 {
        assert_eq!(limiter.take(&bucket, rate(), NOW).await, first);
    }
}

pub async fn a_bucket_is_empty_again_when_it_said_so(limiter: Arc<dyn Limiter>) {
    let bucket = new_bucket();
    let (_, refusal) = exhaust(&*limiter, &bucket, NOW).await;
    let later = after(NOW, refusal.reset_ms);
    assert_eq!(exhaust(&*limiter, &bucket, later).await.0, rate().burst());
}

pub async fn in_the_long_run_the_rate_is_kept(limiter: Arc<dyn Limiter>) {
    let bucket = new_bucket();
    let mut allowed = 0;
    for tick in 0..1_000 {
        let verdict = limiter.take(&bucket, rate(), NOW.plus(tick * 10)).await;
        allowed += u64::from(verdict.allowed);
    }
    // Ten seconds at ten a second, and the burst on top.
    let expected = 100 + rate().burst();
    assert!(
        (expected - 1..=expected + 1).contains(&allowed),
        "{allowed} of {expected}"
    );
}

pub async fn buckets_do_not_share(limiter: Arc<dyn Limiter>) {
    let (loud, quiet) = (new_bucket(), new_bucket());
    exhaust(&*limiter, &loud, NOW).await;
    assert!(limiter.take(&quiet, rate(), NOW).await.allowed);
}

pub async fn takers_at_once_get_one_burst_together(limiter: Arc<dyn Limiter>) {
    let bucket = new_bucket();
    let takers = (0..64).map(|_| {
        let (limiter, bucket) = (limiter.clone(), bucket.clone());
        tokio::spawn(async move { limiter.take(&bucket, rate(), NOW).await.allowed })
    });
    let allowed = join_all(takers).await;
    let allowed = allowed
        .into_iter()
        .filter(|taken| matches!(taken, Ok(true)));
    assert_eq!(allowed.count() as u64, rate().burst());
}
