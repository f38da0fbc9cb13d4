//! Whether confirms come at all.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::time::Instant;

/// Shorter than a publish may take: whoever comes after one that was not confirmed is refused.
const SILENCE_MS: u64 = 1_500;

/// A broker that was stopped, or an alarm that is not announced yet, would otherwise cost a number for
/// each request until the heartbeat tells.
pub(super) struct Pulse {
    start: Instant,
    under_way: AtomicUsize,
    /// Milliseconds since `start`: when something was confirmed last, or started after nothing was
    /// under way.
    last_ms: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            under_way: AtomicUsize::new(0),
            last_ms: AtomicU64::new(0),
        }
    }
}

impl Pulse {
    /// A publish is under way.
    pub(super) fn started(&self) {
        if self.under_way.fetch_add(1, Ordering::Relaxed) == 0 {
            self.beat();
        }
    }

    /// It has its confirm, or its channel is gone.
    pub(super) fn ended(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        self.beat();
    }

    fn beat(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Publishes wait, and nothing was confirmed for too long.
    pub(super) fn is_stalled(&self) -> bool {
        let silent = self
            .now_ms()
            .saturating_sub(self.last_ms.load(Ordering::Relaxed));
        self.under_way.load(Ordering::Relaxed) > 0 && silent > SILENCE_MS
    }
}
