//! Rate limit buckets of one process, in memory.
//!
//! Bounded: when there are too many buckets, the empty ones go first, then the emptier half. Losing a
//! bucket lets its owner have one burst more; it never locks anybody out.

use crate::model::Millis;
use crate::ops::limits::{self, Rate, Verdict};
use crate::ports::Limiter;
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

const DEFAULT_CAPACITY: usize = 100_000;

pub struct MemoryLimiter {
    capacity: usize,
    /// By bucket: when it will be empty, in microseconds (`limits::take`).
    tats: Mutex<HashMap<Box<str>, i64>>,
}

impl Default for MemoryLimiter {
    fn default() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }
}

impl MemoryLimiter {
    /// Keeps at most `capacity` buckets.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(2),
            tats: Mutex::default(),
        }
    }
}

#[async_trait]
impl Limiter for MemoryLimiter {
    async fn take_each(&self, payer: &str, rates: &[(&str, Rate)], now: Millis) -> Vec<Verdict> {
        // A panic between lock and unlock cannot leave a half-written number behind.
        let mut tats = self.tats.lock().unwrap_or_else(PoisonError::into_inner);
        let mut verdicts = Vec::with_capacity(rates.len());
        for (name, rate) in rates {
            let bucket = format!("{payer}:{name}");
            let verdict = take(&mut tats, self.capacity, &bucket, *rate, now);
            verdicts.push(verdict);
            if !verdict.allowed {
                break;
            }
        }
        verdicts
    }
}

fn take(
    tats: &mut HashMap<Box<str>, i64>,
    capacity: usize,
    bucket: &str,
    rate: Rate,
    now: Millis,
) -> Verdict {
    if let Some(tat) = tats.get_mut(bucket) {
        let (verdict, after) = limits::take(*tat, rate, now);
        *tat = after;
        return verdict;
    }
    if tats.len() >= capacity {
        make_room(tats, capacity, now);
    }
    let (verdict, after) = limits::take(0, rate, now);
    tats.insert(bucket.into(), after);
    verdict
}

fn make_room(tats: &mut HashMap<Box<str>, i64>, capacity: usize, now: Millis) {
    let now_us = now.get() * 1_000;
    tats.retain(|_, tat| *tat > now_us);
    if tats.len() <= capacity / 2 {
        return;
    }
    let mut ends: Vec<i64> = tats.values().copied().collect();
    let middle = ends.len() / 2;
    let (_, median, _) = ends.select_nth_unstable(middle);
    let median = *median;
    tats.retain(|_, tat| *tat > median);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis::new(1_700_000_000_000);

    fn rate() -> Rate {
        Rate::per_second(1).unwrap()
    }

    #[tokio::test]
    async fn buckets_are_counted_apart() {
        let limiter = MemoryLimiter::default();
        for _ in 0..2 {
            assert!(limiter.take("a", rate(), NOW).await.allowed);
        }
        assert!(!limiter.take("a", rate(), NOW).await.allowed);
        assert!(limiter.take("b", rate(), NOW).await.allowed);
        assert!(limiter.take("a", rate(), NOW.plus(1_000)).await.allowed);
    }

    #[tokio::test]
    async fn memory_is_bounded_and_the_fullest_bucket_is_kept() {
        let limiter = MemoryLimiter::with_capacity(100);
        for _ in 0..2 {
            limiter.take("loud", rate(), NOW).await;
        }
        for number in 0..10_000 {
            limiter.take(&format!("quiet {number}"), rate(), NOW).await;
        }
        assert!(limiter.tats.lock().unwrap().len() <= 100);
        assert!(!limiter.take("loud", rate(), NOW).await.allowed);
    }
}
