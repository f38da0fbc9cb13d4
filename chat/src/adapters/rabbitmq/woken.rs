//! Which of the futures of one task were woken, so that it need not poll all of them each time.
//!
//! Other than a set of futures that is asked for the next one, it tells when everything that was woken
//! has been looked at: outcomes of publishes mean something only together (`confirms.rs`).

use futures::task::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Wake, Waker};

/// How many futures can be told apart.
pub(super) const PLACES: usize = u64::BITS as usize;

/// The places are numbers, told apart by their remainder.
pub(super) struct Woken {
    shared: Arc<Shared>,
    wakers: Vec<Waker>,
}

#[derive(Default)]
struct Shared {
    /// A bit for each place that was woken.
    woken: AtomicU64,
    task: AtomicWaker,
}

struct Place {
    shared: Arc<Shared>,
    bit: u64,
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.shared.woken.fetch_or(self.bit, Ordering::AcqRel);
        self.shared.task.wake();
    }
}

impl Default for Woken {
    fn default() -> Self {
        let shared = Arc::<Shared>::default();
        let wakers = (0..PLACES).map(|place| {
            let shared = shared.clone();
            let bit = 1 << place;
            Waker::from(Arc::new(Place { shared, bit }))
        });
        Self {
            wakers: wakers.collect(),
            shared,
        }
    }
}

impl Woken {
    /// The task that is woken from now on.
    pub(super) fn register(&self, task: &Waker) {
        self.shared.task.register(task);
    }

    /// As if it was woken: to be polled for the first time.
    pub(super) fn wake(&self, number: u64) {
        self.shared
            .woken
            .fetch_or(1 << place(number), Ordering::AcqRel);
    }

    /// Those that were woken since this was asked before; `None` when none was.
    pub(super) fn take(&self) -> Option<Taken> {
        let woken = self.shared.woken.swap(0, Ordering::AcqRel);
        (woken != 0).then_some(Taken(woken))
    }

    /// What a future is polled with.
    pub(super) fn context(&self, number: u64) -> Context<'_> {
        Context::from_waker(&self.wakers[place(number)])
    }
}

pub(super) struct Taken(u64);

impl Taken {
    pub(super) fn holds(&self, number: u64) -> bool {
        self.0 & (1 << place(number)) != 0
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number % PLACES as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_what_was_woken_is_told_once() {
        let woken = Woken::default();
        woken.wake(3);
        woken.context(70).waker().wake_by_ref();
        let taken = woken.take().unwrap();
        let told: Vec<u64> = (64..128).filter(|&number| taken.holds(number)).collect();
        assert_eq!(told, [67, 70]);
        assert!(woken.take().is_none());
    }
}
