//! The promises of `Limiter`, in memory.

use chat::adapters::memory_limiter::MemoryLimiter;
use chat::conformance;
use std::sync::Arc;

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            conformance::limiter::$promise(Arc::new(MemoryLimiter::default())).await;
        })*
    };
}

chat::promises_of_limiter!(promises);
