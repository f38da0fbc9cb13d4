//! The promises of `Search` on Elasticsearch.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod index;

use chat::conformance;
use index::TestIndex;
use std::sync::Arc;

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread")] async fn $promise() {
            let Some(index) = TestIndex::new().await else { return };
            conformance::search::$promise(Arc::new(index.open().await)).await;
        })*
    };
}

chat::promises_of_search!(promises);
