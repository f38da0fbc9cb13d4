//! Waiting for something that comes by itself: asked again and again up to a deadline, never slept for.

use std::fmt::Debug;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const ASK_AGAIN: Duration = Duration::from_millis(10);

/// The first answer that is right; panics with the last one when none is in time.
#[track_caller]
pub fn eventually<A: Debug, F: Future<Output = A>>(
    within: Duration,
    mut ask: impl FnMut() -> F,
    right: impl Fn(&A) -> bool,
) -> impl Future<Output = A> {
    let caller = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + within;
        loop {
            let answer = ask().await;
            if right(&answer) {
                return answer;
            }
            assert!(
                Instant::now() < deadline,
                "{caller}: not within {within:?}, the last answer was {answer:?}"
            );
            sleep(ASK_AGAIN).await;
        }
    }
}
