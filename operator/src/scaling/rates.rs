//! Commands a second, from two readings of the broker's counters.

use k8s_openapi::jiff::Timestamp;

/// What the broker has counted since it started, summed over the queues of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    pub read: Timestamp,
    pub published: u64,
    pub acked: u64,
}

/// Commands a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    pub publish: f64,
    pub ack: f64,
}

impl Rates {
    /// `None` where no time passed, or the broker began to count anew.
    #[expect(
        clippy::cast_precision_loss,
        reason = "differences of seconds are far below 2^52"
    )]
    pub fn between(earlier: Counters, later: Counters) -> Option<Self> {
        let seconds = (later.read - earlier.read)
            .total(k8s_openapi::jiff::Unit::Second)
            .ok()?;
        let published = later.published.checked_sub(earlier.published)?;
        let acked = later.acked.checked_sub(earlier.acked)?;
        (seconds > 0.0).then(|| Self {
            publish: published as f64 / seconds,
            ack: acked as f64 / seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(millisecond: i64, published: u64, acked: u64) -> Counters {
        let read = Timestamp::from_millisecond(millisecond).unwrap();
        Counters {
            read,
            published,
            acked,
        }
    }

    #[test]
    fn two_readings_make_rates() {
        let rates = Rates::between(counters(1_000, 100, 50), counters(3_500, 350, 100));
        let expected = Rates {
            publish: 100.0,
            ack: 20.0,
        };
        assert_eq!(rates, Some(expected));
    }

    #[test]
    fn a_broker_that_counts_anew_makes_no_rates() {
        assert_eq!(
            Rates::between(counters(1_000, 100, 50), counters(6_000, 2, 60)),
            None
        );
        assert_eq!(
            Rates::between(counters(1_000, 100, 50), counters(6_000, 200, 0)),
            None
        );
        assert_eq!(
            Rates::between(counters(1_000, 1, 1), counters(1_000, 2, 2)),
            None
        );
    }
}
