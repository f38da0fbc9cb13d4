//! Rate limit buckets shared by all processes, and the share of one process while Redis is away.

use super::RedisServer;
use super::gather::Gather;
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
    /// Requests that are taken out of the same buckets.
    together: Gather<Buckets, (), Option<Vec<Taken>>>,
    alone: MemoryLimiter,
    replicas: u32,
    by_callers_clock: bool,
}

impl RedisLimiter {
    /// `replicas`: how many processes share the buckets.
    pub fn new(server: RedisServer, replicas: u32) -> Self {
        Self {
            server,
            together: Gather::default(),
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

/// What a request is taken out of.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Buckets {
    /// Nothing for Redis's clock.
    time_us: String,
    keys: Vec<String>,
    rates: Vec<Rate>,
}

/// Whether it was allowed, what remains, when the bucket is full again and when to try again in milliseconds.
type Taken = (bool, u64, u64, u64);

impl Buckets {
    /// As many requests out of them. None: Redis is away.
    async fn take(self, server: RedisServer, requests: usize) -> Option<Vec<Vec<Taken>>> {
        let mut call = TAKE.call();
        for key in &self.keys {
            call = call.key(key);
        }
        call = call.arg(&self.time_us).arg(requests);
        for rate in &self.rates {
            call = call.arg(rate.interval_us()).arg(rate.burst());
        }
        call.try_run(&server).await
    }
}

#[async_trait]
impl Limiter for RedisLimiter {
    async fn take_each(&self, payer: &str, rates: &[(&str, Rate)], now: Millis) -> Vec<Verdict> {
        let buckets = Buckets {
            time_us: match self.by_callers_clock {
                true => (now.get() * 1_000).to_string(),
                false => String::new(),
            },
            keys: rates
                .iter()
                .map(|(name, _)| self.server.limit_key(payer, name))
                .collect(),
            rates: rates.iter().map(|(_, rate)| *rate).collect(),
        };
        let (server, asked) = (self.server.clone(), buckets.clone());
        let take = move |requests: Vec<()>| {
            let taken = asked.clone().take(server.clone(), requests.len());
            async move {
                match taken.await {
                    Some(taken) => taken.into_iter().map(Some).collect(),
                    None => vec![None; requests.len()],
                }
            }
        };
        match self.together.ask(buckets, (), take).await.flatten() {
            Some(taken) => {
                let verdict = |((_, rate), taken): (&(&str, Rate), Taken)| {
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
