//! Rate limit buckets shared by all processes, and the share of one process while Redis is away.

use super::RedisServer;
use super::script::Script;
use crate::adapters::memory_limiter::MemoryLimiter;
use crate::model::Millis;
use crate::ops::limits::{Rate, Verdict};
use crate::ports::Limiter;
use async_trait::async_trait;
use std::sync::LazyLock;

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("limiter/take.lua")));

/// Buckets in Redis, by Redis's clock: a process whose own clock is wrong neither opens a bucket nor
/// locks others out. While Redis is away, each process lets its share through.
pub struct RedisLimiter {
    server: RedisServer,
    alone: MemoryLimiter,
    replicas: u32,
    by_callers_clock: bool,
}

impl RedisLimiter {
    /// `replicas`: how many processes share the buckets.
    pub fn new(server: RedisServer, replicas: u32) -> Self {
        Self {
            server,
            alone: MemoryLimiter::default(),
            replicas,
            by_callers_clock: false,
        }
    }

    /// Goes by the times it is given, for callers who have one clock among them.
    pub fn by_callers_clock(self) -> Self {
        Self {
            by_callers_clock: true,
            ..self
        }
    }
}

#[async_trait]
impl Limiter for RedisLimiter {
    async fn take_each(&self, payer: &str, rates: &[(&str, Rate)], now: Millis) -> Vec<Verdict> {
        let time_us = match self.by_callers_clock {
            true => (now.get() * 1_000).to_string(),
            false => String::new(),
        };
        let mut call = TAKE.call();
        for (name, _) in rates {
            call = call.key(&self.server.limit_key(payer, name));
        }
        call = call.arg(time_us);
        for (_, rate) in rates {
            call = call.arg(rate.interval_us()).arg(rate.burst());
        }
        match call.try_run::<Vec<_>>(&self.server).await {
            Some(taken) => {
                let verdict = |((_, rate), taken): (&(&str, Rate), _)| {
                    let (allowed, remaining, reset_ms, retry_after_ms) = taken;
                    Verdict {
                        allowed,
                        limit: rate.burst(),
                        remaining,
                        reset_ms,
                        retry_after_ms,
                    }
                };
                rates.iter().zip(taken).map(verdict).collect()
            }
            None => {
                let share = |(name, rate): &(_, Rate)| (*name, rate.shared_by(self.replicas));
                let shares: Vec<_> = rates.iter().map(share).collect();
                self.alone.take_each(payer, &shares, now).await
            }
        }
    }
}
