//! A task that panics starts again: one command that meets a bug must not end the work on all others.

use crate::retry::Backoff;
use chat::error::Error;
use std::future::Future;
use tokio_util::sync::CancellationToken;

/// Runs `start()` until it ends by itself; what it held when it panicked is given back by its drop. Once
/// `stop` is cancelled, a panic is the end.
pub(crate) async fn supervise<F>(
    name: &'static str,
    stop: CancellationToken,
    start: impl Fn() -> F,
) -> Result<F::Output, Error>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut backoff = Backoff::default();
    loop {
        match tokio::spawn(start()).await {
            Ok(ended) => return Ok(ended),
            Err(panic) if stop.is_cancelled() => return Err(Error::internal(panic)),
            Err(panic) => {
                tracing::error!(task = name, %panic, "a task panicked; it starts again");
                let _ = tokio::time::timeout(backoff.failed(), stop.cancelled()).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn a_task_that_panics_starts_again_until_it_ends() {
        let starts = Arc::new(AtomicU32::new(0));
        let ended = supervise("test", CancellationToken::new(), || {
            let starts = starts.clone();
            async move {
                let start = starts.fetch_add(1, Ordering::Relaxed);
                assert!(start >= 2, "a bug");
                start
            }
        });
        assert_eq!(ended.await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_panic_after_the_stop_is_the_end() {
        let stop = CancellationToken::new();
        stop.cancel();
        let ended = supervise("test", stop, || async { panic!("a bug") });
        assert!(matches!(ended.await, Err(Error::Internal(_))));
    }
}
