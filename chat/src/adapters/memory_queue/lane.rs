//! First in, first out, for any number of producers and consumers.

use std::collections::VecDeque;
use std::sync::Mutex;
use tokio::sync::Notify;

pub(super) struct Lane<T> {
    items: Mutex<VecDeque<T>>,
    pushed: Notify,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self {
            items: Mutex::default(),
            pushed: Notify::new(),
        }
    }
}

impl<T> Lane<T> {
    pub(super) fn push(&self, item: T) {
        self.items
            .lock()
            .expect("nothing panics while holding this lock")
            .push_back(item);
        self.pushed.notify_one();
    }

    pub(super) fn try_pop(&self) -> Option<T> {
        self.items
            .lock()
            .expect("nothing panics while holding this lock")
            .pop_front()
    }

    /// Waits for an item. Dropping the future loses none.
    pub(super) async fn pop(&self) -> T {
        loop {
            // A permit left by `notify_one` is kept, so a push between the two lines is not missed.
            if let Some(item) = self.try_pop() {
                return item;
            }
            self.pushed.notified().await;
        }
    }
}
