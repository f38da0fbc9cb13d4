//! The promises of `Search` and `Rebuild` on Elasticsearch.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod faults;
mod index;
mod proxy;
mod rebuild;
mod trust;

use chat::conformance::{self, search::Opened};
use index::TestIndex;
use std::sync::Arc;
use std::time::Duration;

/// A server has other things to do than tests.
const LOOK_EVERY: Duration = Duration::from_millis(200);

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread")] async fn $promise() {
            let Some(index) = TestIndex::new().await else { return };
            conformance::search::$promise(Arc::new(index.open().await)).await;
        })*
    };
}

chat::promises_of_search!(promises);

macro_rules! promises_of_two {
    ($($promise:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread")] async fn $promise() {
            let Some(index) = TestIndex::new().await else { return };
            conformance::search::$promise([opened(&index).await, opened(&index).await]).await;
        })*
    };
}

chat::promises_of_rebuild!(promises_of_two);

async fn opened(index: &TestIndex) -> Opened {
    let index = Arc::new(index.open().await.looking_every(LOOK_EVERY));
    Opened {
        search: index.clone(),
        rebuild: index,
    }
}
