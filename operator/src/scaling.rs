//! How many workers a role should have: the decision alone, from what was seen, what is remembered and the time.
//!
//! It holds while it cannot see, grows fast, and shrinks slowly and only as far as the rest can carry what
//! arrives: scaling on the backlog alone flaps, because once enough workers run the backlog is gone, they are
//! taken away, and it returns. What it remembers is kept in the status of the resource, so a new operator goes
//! on where the old one ended. Sampling the queues and writing replicas are done elsewhere.

mod rates;

pub use rates::{Counters, Rates};

use crate::crd::QueueScaling;
use k8s_openapi::jiff::Timestamp;

/// After a change, so that it shows in the figures, which are up to 8 s late, before they are believed.
const COOLING_SECONDS: i64 = 15;
/// A role without workers gets one after so long without figures.
const BLIND_SECONDS: i64 = 60;
/// How long an observed rate is believed.
const RATE_SECONDS: i64 = 6 * 60 * 60;

/// What the queues of a role said, or that they could not be asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sight {
    /// No valid sample since then.
    Blind { since: Timestamp },
    /// A valid sample.
    Seen {
        /// Ready and unacknowledged commands of all queues of the role.
        backlog: u64,
        /// From this sample and the one before; `None`: there was none, or the broker counts anew.
        rates: Option<Rates>,
    },
}

/// The role's pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// As the Deployment's specification says.
    pub replicas: i32,
    /// Pods that are ready.
    pub ready: i32,
}

/// What has to be remembered between two decisions. Default: nothing is known, as if just scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub last_scale: Option<Timestamp>,
    /// Since when fewer would do, and the most that were needed since.
    pub low: Option<Low>,
    /// What one ready replica has been seen to finish under load.
    pub ack_rate: Option<AckRate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Low {
    pub since: Timestamp,
    pub peak: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckRate {
    /// Commands a second, at least 1.
    pub per_replica: i32,
    pub seen: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Always within the bounds.
    pub replicas: i32,
    pub reason: Reason,
    pub memory: Memory,
}

/// Why a role has as many workers as it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody knows what waits; the number stays.
    Blind,
    /// The bounds of the specification moved.
    BoundsChanged,
    ScaledUp,
    /// More are needed; the last change is too recent.
    Cooling,
    /// More are needed; none of those there are works, so more would not either.
    NoReplicaReady,
    /// As many as are needed.
    Steady,
    AtMinimum,
    /// More would be needed than are allowed.
    AtMaximum,
    /// Fewer would do, not for long enough yet.
    Stabilizing,
    /// Fewer would do for what waits, not for what arrives.
    Carrying,
    ScaledDown,
}

impl Reason {
    /// As the status says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blind => "Blind",
            Self::BoundsChanged => "BoundsChanged",
            Self::ScaledUp => "ScaledUp",
            Self::Cooling => "Cooling",
            Self::NoReplicaReady => "NoReplicaReady",
            Self::Steady => "Steady",
            Self::AtMinimum => "AtMinimum",
            Self::AtMaximum => "AtMaximum",
            Self::Stabilizing => "Stabilizing",
            Self::Carrying => "Carrying",
            Self::ScaledDown => "ScaledDown",
        }
    }
}

/// How many workers the role should have from now on. The bounds hold also while nothing can be seen: whoever
/// moves them means it.
pub fn decide(
    policy: &QueueScaling,
    sight: Sight,
    memory: Memory,
    workload: Workload,
    now: Timestamp,
) -> Decision {
    let mut memory = Memory {
        last_scale: memory.last_scale.or(Some(now)),
        ack_rate: memory
            .ack_rate
            .filter(|rate| seconds(rate.seen, now) <= RATE_SECONDS),
        ..memory
    };
    if let Sight::Seen { backlog, rates } = sight {
        memory.ack_rate = learn(policy, backlog, rates, &memory, workload.ready, now);
    }
    let (replicas, reason, low) = choose(policy, sight, &memory, workload, now);
    memory.low = low;
    if replicas != workload.replicas {
        memory.last_scale = Some(now);
    }
    Decision {
        replicas,
        reason,
        memory,
    }
}

type Choice = (i32, Reason, Option<Low>);

fn choose(
    policy: &QueueScaling,
    sight: Sight,
    memory: &Memory,
    workload: Workload,
    now: Timestamp,
) -> Choice {
    let replicas = workload.replicas;
    let within = replicas.clamp(policy.min_replicas, policy.max_replicas);
    if within != replicas {
        return (within, Reason::BoundsChanged, None);
    }
    match sight {
        Sight::Blind { since } if replicas == 0 && seconds(since, now) >= BLIND_SECONDS => {
            (1, Reason::Blind, None)
        }
        Sight::Blind { .. } => (replicas, Reason::Blind, None),
        Sight::Seen { backlog, rates } => {
            let needed = needed(policy, backlog);
            let want = needed.clamp(policy.min_replicas, policy.max_replicas);
            if want > replicas {
                up(policy, backlog, want, memory, workload, now)
            } else if want < replicas {
                down(policy, want, rates, memory, replicas, now)
            } else if needed > policy.max_replicas {
                (replicas, Reason::AtMaximum, None)
            } else if replicas == policy.min_replicas {
                (replicas, Reason::AtMinimum, None)
            } else {
                (replicas, Reason::Steady, None)
            }
        }
    }
}

fn needed(policy: &QueueScaling, backlog: u64) -> i32 {
    let each = u64::from(policy.backlog_per_replica.unsigned_abs().max(1));
    i32::try_from(backlog.div_ceil(each)).unwrap_or(i32::MAX)
}

fn up(
    policy: &QueueScaling,
    backlog: u64,
    want: i32,
    memory: &Memory,
    workload: Workload,
    now: Timestamp,
) -> Choice {
    let Workload { replicas, ready } = workload;
    let enough = i128::from(policy.backlog_per_replica) * i128::from(replicas);
    // A tenth more than enough is not worth a change.
    let clearly_more = i128::from(backlog) * 10 > enough * 11;
    if !clearly_more {
        (replicas, Reason::Steady, None)
    } else if replicas > 0 && ready == 0 {
        (replicas, Reason::NoReplicaReady, None)
    } else if !has_cooled(memory, now) {
        (replicas, Reason::Cooling, None)
    } else {
        let step = (2 * replicas).max(replicas + 4);
        (want.min(step), Reason::ScaledUp, None)
    }
}

fn down(
    policy: &QueueScaling,
    want: i32,
    rates: Option<Rates>,
    memory: &Memory,
    replicas: i32,
    now: Timestamp,
) -> Choice {
    let low = memory.low.map_or(
        Low {
            since: now,
            peak: want,
        },
        |low| Low {
            peak: low.peak.max(want),
            ..low
        },
    );
    if seconds(low.since, now) < i64::from(policy.scale_down_stabilization_seconds) {
        return (replicas, Reason::Stabilizing, Some(low));
    }
    let anew = Some(Low {
        since: now,
        peak: want,
    });
    let Some(carried) = carried(rates, memory.ack_rate) else {
        // Nothing is known of what arrives; the next sample tells.
        return (replicas, Reason::Carrying, Some(low));
    };
    let fewer = low.peak.max(replicas / 2).max(carried);
    if fewer < replicas {
        (fewer, Reason::ScaledDown, anew)
    } else {
        (replicas, Reason::Carrying, anew)
    }
}

fn has_cooled(memory: &Memory, now: Timestamp) -> bool {
    let waited = memory.last_scale.map_or(0, |last| seconds(last, now));
    waited >= COOLING_SECONDS
}

/// How many replicas what arrives needs, each four fifths busy. `None`: that cannot be told yet.
fn carried(rates: Option<Rates>, ack_rate: Option<AckRate>) -> Option<i32> {
    let Some(ack_rate) = ack_rate else {
        return Some(0);
    };
    let needed = (rates?.publish / (0.8 * f64::from(ack_rate.per_replica))).ceil();
    Some(whole(needed))
}

/// The best rate of one ready replica, as long as it is believed. Right after a change the figures are still those
/// of more or fewer replicas, and would make one look stronger than it is.
fn learn(
    policy: &QueueScaling,
    backlog: u64,
    rates: Option<Rates>,
    memory: &Memory,
    ready: i32,
    now: Timestamp,
) -> Option<AckRate> {
    let known = memory.ack_rate;
    let loaded = backlog >= u64::from(policy.backlog_per_replica.unsigned_abs());
    let (true, true, true, Some(rates)) = (loaded, ready > 0, has_cooled(memory, now), rates)
    else {
        return known;
    };
    let seen = AckRate {
        per_replica: whole(rates.ack / f64::from(ready)),
        seen: now,
    };
    let better = known.is_none_or(|known| seen.per_replica > known.per_replica);
    if better && seen.per_replica >= 1 {
        Some(seen)
    } else {
        known
    }
}

/// Without its fraction, as far as it fits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast of a float saturates, and rates are never so high"
)]
fn whole(number: f64) -> i32 {
    number as i32
}

/// From then to now; 0 where a clock went back.
fn seconds(then: Timestamp, now: Timestamp) -> i64 {
    (now.as_second() - then.as_second()).max(0)
}

#[cfg(test)]
mod tests;
