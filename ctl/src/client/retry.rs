//! When to ask again: pure, the time is an argument.

use std::time::Duration;

/// Why a request has no final answer yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setback {
    /// No answer, or not a whole one.
    Lost,
    /// The server cannot now.
    Busy,
    /// The server can, but not as fast as we ask.
    Limited,
}

/// The patience left for one request.
#[derive(Debug)]
pub(super) struct Retries {
    patience: Duration,
    rounds: u32,
    limited: Duration,
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Being slowed down is no failure, so it has a patience of its own.
const PATIENCE_WITH_LIMITS: Duration = Duration::from_secs(600);

impl Retries {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            rounds: 0,
            limited: Duration::ZERO,
        }
    }

    /// Whether anything went wrong so far.
    pub(super) fn any(&self) -> bool {
        self.rounds > 0
    }

    /// How long to wait before the next try; `None` to give up. `elapsed` counts from the first try.
    pub(super) fn pause(
        &mut self,
        elapsed: Duration,
        setback: Setback,
        retry_after: Option<Duration>,
    ) -> Option<Duration> {
        let backoff = FIRST_PAUSE
            .saturating_mul(1 << self.rounds.min(10))
            .min(LONGEST_PAUSE);
        self.rounds += 1;
        let pause = retry_after.unwrap_or(Duration::ZERO).max(backoff);
        let patient = if setback == Setback::Limited {
            self.limited += pause;
            self.limited <= PATIENCE_WITH_LIMITS
        } else {
            elapsed.saturating_sub(self.limited) + pause <= self.patience
        };
        patient.then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn pauses_grow_to_two_seconds_and_end_with_the_patience() {
        let mut retries = Retries::new(seconds(10));
        let mut elapsed = Duration::ZERO;
        let mut pauses = Vec::new();
        while let Some(pause) = retries.pause(elapsed, Setback::Lost, None) {
            pauses.push(pause.as_millis());
            elapsed += pause;
        }
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000]);
    }

    #[test]
    fn the_server_may_ask_for_a_longer_pause_but_not_beyond_the_patience() {
        let mut retries = Retries::new(seconds(10));
        assert_eq!(
            retries.pause(seconds(0), Setback::Busy, Some(seconds(5))),
            Some(seconds(5))
        );
        assert_eq!(
            retries.pause(seconds(5), Setback::Busy, Some(seconds(6))),
            None
        );
    }

    #[test]
    fn being_slowed_down_costs_no_patience_and_still_ends() {
        let mut retries = Retries::new(seconds(1));
        let mut elapsed = Duration::ZERO;
        while let Some(pause) = retries.pause(elapsed, Setback::Limited, Some(seconds(60))) {
            elapsed += pause;
        }
        assert_eq!(elapsed, seconds(600));
        let mut retries = Retries::new(seconds(1));
        retries.pause(seconds(0), Setback::Limited, Some(seconds(60)));
        assert!(retries.pause(seconds(60), Setback::Lost, None).is_some());
    }

    #[test]
    fn no_patience_means_one_try() {
        assert_eq!(
            Retries::new(Duration::ZERO).pause(Duration::ZERO, Setback::Lost, None),
            None
        );
    }
}
