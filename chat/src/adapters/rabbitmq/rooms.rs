//! Room for publishes: a window for each channel, so that what is under way is bounded. Pure but for waiting.

use super::publish::{CHANNELS, WINDOW};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for one publish on one channel.
pub(super) struct Room {
    pub(super) channel: usize,
    rooms: Arc<Rooms>,
    // Returned after the channel is free again: see `Drop`.
    permit: Option<OwnedSemaphorePermit>,
}

pub(super) struct Rooms {
    permits: Arc<Semaphore>,
    /// A channel for each permit, longest unused first.
    free: Mutex<VecDeque<usize>>,
}

impl Default for Rooms {
    fn default() -> Self {
        let free = (0..WINDOW).flat_map(|_| 0..CHANNELS).collect();
        Self {
            permits: Arc::new(Semaphore::new(CHANNELS * WINDOW)),
            free: Mutex::new(free),
        }
    }
}

impl Rooms {
    /// Waits for room.
    pub(super) async fn enter(rooms: &Arc<Self>) -> Room {
        let permit = rooms.permits.clone().acquire_owned().await;
        Self::with(rooms, permit.expect("the semaphore is never closed"))
    }

    /// Room, if there is some now.
    pub(super) fn try_enter(rooms: &Arc<Self>) -> Option<Room> {
        let permit = rooms.permits.clone().try_acquire_owned();
        Some(Self::with(rooms, permit.ok()?))
    }

    fn with(rooms: &Arc<Self>, permit: OwnedSemaphorePermit) -> Room {
        let channel = rooms.free().pop_front();
        Room {
            channel: channel.expect("there is a channel for each permit"),
            rooms: rooms.clone(),
            permit: Some(permit),
        }
    }

    fn free(&self) -> std::sync::MutexGuard<'_, VecDeque<usize>> {
        self.free.lock().expect("nothing panics under this lock")
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.rooms.free().push_back(self.channel);
        self.permit.take();
    }
}
