//! Who of several operators acts: the decision alone, from the Lease as it was read and the time.
//!
//! Election is economy, not safety: clocks differ, and two that act at once write the same. Whoever writes what is
//! decided here names the resourceVersion it read, so that one of two wins; whoever finds that it lost ends.

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// A holder that was not seen for so long is gone.
pub const DURATION_SECONDS: i32 = 15;
/// How often its holder renews it.
pub const RENEW_SECONDS: i64 = 5;

/// What to do about the Lease.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// Nobody holds it: write this, and act once that was accepted.
    Take(LeaseSpec),
    /// It is ours: write this and go on.
    Renew(LeaseSpec),
    /// Somebody else holds it: do nothing, and look again then.
    Wait { until: Timestamp },
}

/// `lease` is absent where there is none yet.
pub fn evaluate(lease: Option<&LeaseSpec>, me: &str, now: Timestamp) -> Turn {
    let lease = lease.cloned().unwrap_or_default();
    let holder = lease
        .holder_identity
        .as_deref()
        .filter(|holder| !holder.is_empty());
    match (holder, expiry(&lease)) {
        (Some(holder), _) if holder == me => Turn::Renew(LeaseSpec {
            renew_time: Some(MicroTime(now)),
            ..lease
        }),
        (Some(_), Some(until)) if now < until => Turn::Wait { until },
        _ => Turn::Take(LeaseSpec {
            holder_identity: Some(me.to_owned()),
            lease_duration_seconds: Some(DURATION_SECONDS),
            acquire_time: Some(MicroTime(now)),
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(lease.lease_transitions.map_or(0, |times| times + 1)),
            ..lease
        }),
    }
}

/// What its holder writes when it ends on purpose, so that nobody has to wait. `None`: it is not ours to give back.
pub fn give_back(lease: &LeaseSpec, me: &str) -> Option<LeaseSpec> {
    (lease.holder_identity.as_deref() == Some(me)).then(|| LeaseSpec {
        holder_identity: None,
        renew_time: None,
        ..lease.clone()
    })
}

/// Its holder's own duration counts: it may be of another version.
fn expiry(lease: &LeaseSpec) -> Option<Timestamp> {
    let renewed = lease.renew_time.as_ref()?.0;
    let seconds = lease.lease_duration_seconds.unwrap_or(DURATION_SECONDS);
    renewed
        .checked_add(SignedDuration::from_secs(seconds.into()))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn held_by(holder: &str, renewed: i64) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            acquire_time: Some(MicroTime(at(-100))),
            renew_time: Some(MicroTime(at(renewed))),
            lease_transitions: Some(4),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn the_first_takes_it() {
        let Turn::Take(taken) = evaluate(None, "a", at(0)) else {
            panic!("it is free");
        };
        let expected = LeaseSpec {
            acquire_time: Some(MicroTime(at(0))),
            lease_transitions: Some(0),
            ..held_by("a", 0)
        };
        assert_eq!(taken, expected);
    }

    #[test]
    fn the_holder_renews_it_even_late() {
        for renewed in [-5, -100] {
            let turn = evaluate(Some(&held_by("a", renewed)), "a", at(0));
            assert_eq!(turn, Turn::Renew(held_by("a", 0)));
        }
    }

    #[test]
    fn another_waits_until_its_holder_is_gone() {
        let lease = held_by("a", -14);
        assert_eq!(
            evaluate(Some(&lease), "b", at(0)),
            Turn::Wait { until: at(1) }
        );
        let Turn::Take(taken) = evaluate(Some(&lease), "b", at(1)) else {
            panic!("its holder is gone");
        };
        assert_eq!(taken.holder_identity.as_deref(), Some("b"));
        assert_eq!(taken.lease_transitions, Some(5));
    }

    #[test]
    fn a_lease_that_was_given_back_is_free_at_once() {
        let free = give_back(&held_by("a", 0), "a").unwrap();
        assert!(matches!(evaluate(Some(&free), "b", at(0)), Turn::Take(_)));
        assert_eq!(give_back(&held_by("a", 0), "b"), None);
    }

    #[test]
    fn a_lease_without_times_is_free() {
        let odd = LeaseSpec {
            holder_identity: Some("a".to_owned()),
            ..LeaseSpec::default()
        };
        assert!(matches!(evaluate(Some(&odd), "b", at(0)), Turn::Take(_)));
    }
}
