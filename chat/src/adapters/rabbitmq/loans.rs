//! How many deliveries are in a worker's hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// How many deliveries are out.
#[derive(Default)]
pub(super) struct Loans {
    out: AtomicUsize,
    back: Notify,
}

impl Loans {
    /// Whether any is.
    pub(super) fn any(&self) -> bool {
        self.out.load(Ordering::Acquire) > 0
    }

    /// Waits until none is.
    pub(super) async fn all_back(&self) {
        loop {
            let back = self.back.notified();
            if !self.any() {
                return;
            }
            back.await;
        }
    }
}

/// One of them, until it is dropped.
pub(super) struct Counted(Arc<Loans>);

impl Counted {
    pub(super) fn new(loans: &Arc<Loans>) -> Self {
        loans.out.fetch_add(1, Ordering::AcqRel);
        Self(loans.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.out.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.back.notify_waiters();
        }
    }
}
