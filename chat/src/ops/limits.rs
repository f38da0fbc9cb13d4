//! How many requests a bucket lets through: GCRA (the leaky bucket as a meter, ITU-T I.371 annex A) as
//! one pure function, and the setting that names the rates.
//!
//! A bucket is one number, the *theoretical arrival time* (tat): when it will be empty again. Where that
//! number is kept is the business of a `Limiter`. Times are arguments; all arithmetic is in whole
//! microseconds, so that a script inside Redis computes the same.

use crate::model::Millis;

/// How fast a bucket drains and how much it holds: a rate, and a burst of twice that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    interval_us: i64,
    burst: i64,
}

/// What a bucket says to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub allowed: bool,
    /// How many requests the bucket holds when empty.
    pub limit: u64,
    /// How many more would be let through right now.
    pub remaining: u64,
    /// When the bucket will be empty again if nobody asks any more.
    pub reset_ms: u64,
    /// When to come back; 0 when allowed.
    pub retry_after_ms: u64,
}

impl Rate {
    pub const MAX_PER_SECOND: u32 = 100_000;
    /// How long a full bucket takes to drain, in seconds.
    pub const WINDOW_S: u32 = 2;

    /// `None` unless 1 to `MAX_PER_SECOND`.
    pub fn per_second(requests: u32) -> Option<Self> {
        let valid = (1..=Self::MAX_PER_SECOND).contains(&requests);
        valid.then(|| Self {
            interval_us: 1_000_000 / i64::from(requests),
            burst: 2 * i64::from(requests),
        })
    }

    /// The share of one of `replicas` processes that cannot ask one another. At least one request
    /// always fits.
    pub fn shared_by(self, replicas: u32) -> Self {
        let replicas = i64::from(replicas.max(1));
        Self {
            interval_us: self.interval_us * replicas,
            burst: (self.burst / replicas).max(1),
        }
    }

    pub fn burst(self) -> u64 {
        self.burst.cast_unsigned()
    }

    pub fn interval_us(self) -> i64 {
        self.interval_us
    }
}

/// One request at `now` for a bucket whose tat is `tat_us` (0 for one never used). Returns the verdict
/// and the new tat; a refused request leaves the bucket as it was.
pub fn take(tat_us: i64, rate: Rate, now: Millis) -> (Verdict, i64) {
    let now_us = now.get() * 1_000;
    let capacity_us = rate.interval_us * rate.burst;
    let before = tat_us.max(now_us);
    let after = before + rate.interval_us;
    let early_us = after - capacity_us - now_us;
    let allowed = early_us <= 0;
    let tat = if allowed { after } else { before };
    let verdict = Verdict {
        allowed,
        limit: rate.burst(),
        remaining: ((capacity_us - (tat - now_us)).max(0) / rate.interval_us).cast_unsigned(),
        reset_ms: millis_up(tat - now_us),
        retry_after_ms: if allowed { 0 } else { millis_up(early_us) },
    };
    (verdict, tat)
}

fn millis_up(us: i64) -> u64 {
    us.max(0).cast_unsigned().div_ceil(1_000)
}

/// The rates of one process, as `CHAT_RATE_LIMIT` names them; a rate that is absent does not limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Every request.
    pub general: Option<Rate>,
    /// Requests that create something, in addition.
    pub create: Option<Rate>,
}

impl Rates {
    pub const OFF: Self = Self {
        general: None,
        create: None,
    };

    /// `off`, or `general=100/s,create=50/s` with one of the two or both. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::OFF);
        }
        let mut rates = Self::OFF;
        for part in text.split(',') {
            let (name, value) = part
                .trim()
                .split_once('=')
                .ok_or_else(|| format!("'{part}' is not name=N/s"))?;
            let place = match name {
                "general" => &mut rates.general,
                "create" => &mut rates.create,
                _ => return Err(format!("'{name}' is neither general nor create")),
            };
            let rate = value
                .strip_suffix("/s")
                .and_then(|number| number.parse().ok())
                .and_then(Rate::per_second);
            let rate = rate.ok_or_else(|| {
                format!(
                    "'{value}' is not a rate from 1/s to {}/s",
                    Rate::MAX_PER_SECOND
                )
            })?;
            if place.replace(rate).is_some() {
                return Err(format!("'{name}' is given twice"));
            }
        }
        Ok(rates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis::new(1_700_000_000_000);

    fn rate(requests: u32) -> Rate {
        Rate::per_second(requests).unwrap()
    }

    /// How many of `requests` at one moment pass, and the tat after them.
    fn passed(mut tat: i64, rate: Rate, now: Millis, requests: u32) -> (u32, i64) {
        let mut passed = 0;
        for _ in 0..requests {
            let (verdict, after) = take(tat, rate, now);
            tat = after;
            passed += u32::from(verdict.allowed);
        }
        (passed, tat)
    }

    #[test]
    fn a_fresh_bucket_lets_a_burst_of_twice_the_rate_through() {
        assert_eq!(passed(0, rate(50), START, 1_000).0, 100);
    }

    #[test]
    fn afterwards_exactly_the_rate_gets_through() {
        let (_, mut tat) = passed(0, rate(50), START, 1_000);
        let mut total = 0;
        for tick in 1..=1_000 {
            let (count, after) = passed(tat, rate(50), START.plus(tick * 10), 5);
            tat = after;
            total += count;
        }
        assert_eq!(total, 500);
    }

    #[test]
    fn a_verdict_says_what_is_left_and_when_to_come_back() {
        let (first, tat) = take(0, rate(2), START);
        assert_eq!(
            first,
            Verdict {
                allowed: true,
                limit: 4,
                remaining: 3,
                reset_ms: 500,
                retry_after_ms: 0
            }
        );
        let (_, tat) = passed(tat, rate(2), START, 3);
        let (refused, same) = take(tat, rate(2), START.plus(100));
        assert_eq!(
            refused,
            Verdict {
                allowed: false,
                limit: 4,
                remaining: 0,
                reset_ms: 1_900,
                retry_after_ms: 400
            }
        );
        assert_eq!(same, tat);
        assert!(take(tat, rate(2), START.plus(500)).0.allowed);
    }

    #[test]
    fn a_clock_that_steps_back_never_opens_a_bucket() {
        let (_, tat) = passed(0, rate(2), START, 4);
        assert!(!take(tat, rate(2), START.plus(-60_000)).0.allowed);
    }

    #[test]
    fn replicas_share_a_rate_and_each_keeps_at_least_one() {
        assert_eq!(passed(0, rate(100).shared_by(4), START, 1_000).0, 50);
        assert_eq!(passed(0, rate(1).shared_by(100), START, 1_000).0, 1);
    }

    #[test]
    fn rates_parse_from_their_setting() {
        let both = Rates {
            general: Some(rate(100)),
            create: Some(rate(50)),
        };
        assert_eq!(Rates::parse("general=100/s,create=50/s"), Ok(both));
        assert_eq!(Rates::parse("off"), Ok(Rates::OFF));
        assert_eq!(
            Rates::parse("create=5/s"),
            Ok(Rates {
                general: None,
                create: Some(rate(5))
            })
        );
    }

    #[test]
    fn a_wrong_rate_is_named() {
        for (text, word) in [
            ("", "name=N/s"),
            ("on", "name=N/s"),
            ("general=0/s", "'0/s'"),
            ("general=100", "'100'"),
            ("general=100/m", "'100/m'"),
            ("general=1000000/s", "100000/s"),
            ("general=1/s,general=2/s", "twice"),
            ("read=1/s", "'read'"),
        ] {
            assert!(Rates::parse(text).unwrap_err().contains(word), "{text}");
        }
    }
}
