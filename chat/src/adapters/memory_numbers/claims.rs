//! What idempotency keys stand for right now. The truth of a key is its row; this only covers the time
//! until the row is there, and a while after.

use crate::adapters::memory_queue::PUBLISH_DEADLINE;
use crate::model::{Fingerprint, Millis, Number, Uid};
use crate::ports::{Claim, Taken};
use std::collections::{HashMap, VecDeque};

/// Claims kept; the oldest go first. A create that was forgotten is found by its row, an edit that was
/// forgotten is carried out again, which changes nothing.
const MOST_CLAIMS: usize = 65_536;

#[derive(Default)]
pub(in crate::adapters) struct Claims {
    by_uid: HashMap<Uid, Record>,
    oldest_first: VecDeque<Uid>,
}

struct Record {
    fingerprint: Fingerprint,
    /// `None` while the number is being taken.
    number: Option<Number>,
    settled: bool,
    at: Millis,
}

pub(in crate::adapters) enum Seen {
    Never,
    Before(Taken),
}

impl Claims {
    /// Enters a claim, or says what it led to before.
    pub(in crate::adapters) fn begin(&mut self, claim: &Claim) -> Seen {
        let deadline_ms = i64::try_from(PUBLISH_DEADLINE.as_millis()).unwrap_or(i64::MAX);
        if let Some(record) = self.by_uid.get_mut(&claim.uid) {
            let left_ms = record.at.get() + deadline_ms - claim.now.get();
            if record.fingerprint != claim.fingerprint {
                return Seen::Before(Taken::Mismatch);
            }
            match record.number {
                Some(number) if record.settled => return Seen::Before(Taken::Replay(number)),
                _ if left_ms > 0 => {
                    return Seen::Before(Taken::InFlight {
                        retry_after_ms: left_ms.cast_unsigned(),
                    });
                }
                Some(number) => {
                    record.at = claim.now;
                    return Seen::Before(Taken::Unsettled(number));
                }
                // Its request ended before it had a number.
                None => {}
            }
        } else {
            self.make_room();
            self.oldest_first.push_back(claim.uid);
        }
        let record = Record {
            fingerprint: claim.fingerprint,
            number: None,
            settled: false,
            at: claim.now,
        };
        self.by_uid.insert(claim.uid, record);
        Seen::Never
    }

    pub(in crate::adapters) fn given(&mut self, uid: Uid, number: Number) {
        if let Some(record) = self.by_uid.get_mut(&uid) {
            record.number = Some(number);
        }
    }

    pub(in crate::adapters) fn settled(&mut self, uid: Uid) {
        if let Some(record) = self.by_uid.get_mut(&uid) {
            record.settled = true;
        }
    }

    /// As if its deadline had passed.
    pub(in crate::adapters) fn released(&mut self, uid: Uid) {
        if let Some(record) = self.by_uid.get_mut(&uid) {
            record.at = Millis::new(i64::MIN / 2);
        }
    }

    pub(in crate::adapters) fn forget(&mut self, uid: Uid) {
        self.by_uid.remove(&uid);
        self.oldest_first.retain(|kept| *kept != uid);
    }

    fn make_room(&mut self) {
        while self.oldest_first.len() >= MOST_CLAIMS {
            if let Some(oldest) = self.oldest_first.pop_front() {
                self.by_uid.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(uid: u8, body: &[u8], now: i64) -> Claim {
        Claim {
            uid: Uid::from_digest([uid; 16]),
            fingerprint: Fingerprint::of(&[body]),
            now: Millis::new(now),
        }
    }

    #[test]
    fn a_claim_is_in_flight_then_unsettled_then_replayed() {
        let mut claims = Claims::default();
        let first = claim(1, b"a", 0);
        let number = Number::new(7).unwrap();
        assert!(matches!(claims.begin(&first), Seen::Never));
        assert!(matches!(
            claims.begin(&claim(1, b"a", 1)),
            Seen::Before(Taken::InFlight { .. })
        ));
        claims.given(first.uid, number);
        assert!(matches!(
            claims.begin(&claim(1, b"a", 1)),
            Seen::Before(Taken::InFlight { .. })
        ));
        assert!(matches!(
            claims.begin(&claim(1, b"b", 1)),
            Seen::Before(Taken::Mismatch)
        ));
        let late = i64::try_from(PUBLISH_DEADLINE.as_millis()).unwrap();
        assert!(
            matches!(claims.begin(&claim(1, b"a", late)), Seen::Before(Taken::Unsettled(n)) if n == number)
        );
        assert!(matches!(
            claims.begin(&claim(1, b"a", late)),
            Seen::Before(Taken::InFlight { .. })
        ));
        claims.released(first.uid);
        assert!(matches!(
            claims.begin(&claim(1, b"a", late)),
            Seen::Before(Taken::Unsettled(n)) if n == number
        ));
        claims.settled(first.uid);
        assert!(
            matches!(claims.begin(&claim(1, b"a", late)), Seen::Before(Taken::Replay(n)) if n == number)
        );
    }

    #[test]
    fn the_oldest_claims_make_room() {
        let mut claims = Claims::default();
        for n in 0..=MOST_CLAIMS as u128 {
            let uid = Uid::from_digest(n.to_be_bytes());
            claims.begin(&Claim {
                uid,
                ..claim(0, b"", 0)
            });
        }
        assert_eq!(claims.by_uid.len(), MOST_CLAIMS);
    }
}
