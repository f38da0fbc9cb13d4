//! The promises of `Publisher` and `Subscriber`, in memory.

use chat::adapters::memory_queue::MemoryQueue;
use chat::conformance::queue::{self, Line};

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            queue::$promise(Line::of(MemoryQueue::default())).await;
        })*
    };
}

promises!(
    a_command_arrives_whole_in_its_queue,
    commands_wait_for_a_consumer,
    what_is_given_back_comes_again_or_its_publisher_is_told_why,
    what_is_dropped_comes_again_or_its_publisher_knows_that_nobody_knows,
    what_is_set_aside_does_not_come_again,
    nothing_is_lost_whatever_becomes_of_deliveries,
    consumers_share_a_queue,
    a_cancelled_consumer_hands_out_what_it_has_and_leaves_the_rest,
    waiting_for_a_delivery_can_be_given_up_without_losing_one,
    room_is_bounded_and_comes_back,
    a_delivery_nobody_answered_yet_is_not_rest,
    rows_for_the_index_all_arrive,
    rows_that_were_given_back_or_dropped_come_again,
);
