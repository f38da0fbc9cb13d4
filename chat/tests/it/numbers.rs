//! The promises of `Numbers`, in memory over blocks of SQLite, in blocks of several sizes.

use chat::adapters::memory_numbers::MemoryNumbers;
use chat::adapters::sql::open_sqlite;
use chat::conformance;
use chat::ports::Numbers;
use std::sync::Arc;

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        promises!(@in blocks_of_one, 1, $($promise),*);
        promises!(@in blocks_of_seven, 7, $($promise),*);
        promises!(@in blocks_of_256, 256, $($promise),*);
    };
    (@in $blocks:ident, $size:literal, $($promise:ident),*) => {
        mod $blocks {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let dir = tempfile::tempdir().unwrap();
                let store = open_sqlite(&dir.path().join("chat.db"), None).await.unwrap();
                let sequences = Arc::new(store.clone());
                let open = move || -> Arc<dyn Numbers> {
                    Arc::new(MemoryNumbers::new(sequences.clone(), $size))
                };
                conformance::numbers::$promise(Box::new(open)).await;
                store.close().await;
            })*
        }
    };
}

promises!(
    numbers_start_at_one_and_leave_none_out,
    numbers_are_unique_and_rising_for_many_at_once,
    scopes_are_numbered_apart,
    a_taker_that_gives_up_costs_at_most_its_number,
    the_last_number_given_is_known,
    a_chat_is_numbered_once_it_is_marked,
    a_deleted_chat_stays_deleted,
    a_claim_is_in_flight_then_unsettled_then_replayed,
    a_claim_for_another_request_is_a_mismatch,
    a_claim_made_many_times_at_once_gets_one_number,
    a_claim_that_got_no_number_can_be_made_again_at_once,
    a_released_claim_gets_its_number_again_at_once,
    settling_what_nobody_claimed_changes_nothing,
    a_process_that_died_leaves_gaps_and_never_a_number_twice,
    a_process_that_was_closed_leaves_no_gap,
    a_process_that_gave_nothing_closes_without_a_trace,
    a_number_taken_while_closing_is_not_given_again,
);
