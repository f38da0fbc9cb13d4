//! Model X2: accept, publish, insert, count, index.
//!
//! One client sends one message with an idempotency key and tries up to three times; an unrelated
//! client sends one without. The queue delivers in any order, a worker may crash after every step and
//! Redis may lose everything. Index commands are repeated freely and carry no state, so the indexer is
//! one step. Earlier systems are the same model with bad habits switched on.

mod accept;
mod habits;
mod state;
mod work;

use crate::explore::explore;
use habits::{Counts, Habits, Numbers, RIGHT, SEED_FLOW};
use state::Violation::{AcceptedLost, CountDrift, NeverIndexed, NumberShared, SilentAck, TwoRows};
use state::{ALL, Action, NUMBERS, State, Violation};

/// Every habit must be seen to be bad.
fn assert_bad(habits: Habits, violation: Violation) {
    habits.explore(&[violation]).assert_caught();
}

#[test]
fn an_accepted_message_is_stored_once_counted_once_and_found() {
    let states = RIGHT.explore(&ALL).assert_clean();
    assert!(
        states > 10_000,
        "only {states} states: the bounds leave too little to happen"
    );
}

#[test]
fn a_second_number_for_the_same_message_does_happen() {
    let aliased = |state: &State| {
        (state.aliases != [0; NUMBERS] && state.answered.count_ones() == 2).then_some(())
    };
    explore(State::initial(), |state| RIGHT.next(state), aliased).assert_caught();
}

#[test]
fn the_seed_flow_loses_shares_miscounts_and_hides_messages() {
    for violation in [
        AcceptedLost,
        TwoRows,
        NumberShared,
        CountDrift,
        NeverIndexed,
        SilentAck,
    ] {
        assert_bad(SEED_FLOW, violation);
    }
}

#[test]
fn answering_without_a_confirm_loses_accepted_messages() {
    assert_bad(
        Habits {
            confirm: false,
            ..RIGHT
        },
        AcceptedLost,
    );
}

#[test]
fn a_counter_that_starts_again_gives_one_number_to_two_clients() {
    assert_bad(
        Habits {
            numbers: Numbers::Incr,
            ..RIGHT
        },
        NumberShared,
    );
    assert_bad(
        Habits {
            numbers: Numbers::SeededFromRows,
            ..RIGHT
        },
        NumberShared,
    );
}

#[test]
fn a_shared_number_loses_the_second_message_even_if_nobody_acks_it_as_existing() {
    assert_bad(
        Habits {
            numbers: Numbers::SeededFromRows,
            ..RIGHT
        },
        AcceptedLost,
    );
}

#[test]
fn acking_what_exists_drops_a_message_silently_or_never_indexes_it() {
    assert_bad(
        Habits {
            acks_exists: true,
            ..RIGHT
        },
        NeverIndexed,
    );
    assert_bad(
        Habits {
            acks_exists: true,
            numbers: Numbers::Incr,
            ..RIGHT
        },
        SilentAck,
    );
}

#[test]
fn counting_after_the_commit_drifts_with_one_crash_of_a_worker() {
    for counts in [Counts::EveryDelivery, Counts::NewRows] {
        let habits = Habits { counts, ..RIGHT };
        let only_crashes = |state: &State| {
            let harmless = |action: &Action| *action != Action::RedisLosesEverything;
            habits
                .next(state)
                .into_iter()
                .filter(|(action, _)| harmless(action))
                .collect()
        };
        let drift = |state: &State| {
            habits
                .violated(state, CountDrift)
                .then_some(state.counted > state.row_count())
        };
        let trace = explore(State::initial(), only_crashes, drift).assert_caught();
        let too_high = trace.kind;
        assert_eq!(too_high, counts == Counts::EveryDelivery);
    }
}

#[test]
fn not_indexing_a_redelivered_message_hides_it_for_ever() {
    assert_bad(
        Habits {
            index_again: false,
            ..RIGHT
        },
        NeverIndexed,
    );
}

#[test]
fn acking_before_the_index_command_is_confirmed_hides_messages() {
    assert_bad(
        Habits {
            index_confirm: false,
            ..RIGHT
        },
        NeverIndexed,
    );
}

#[test]
fn without_ids_from_keys_a_retry_is_a_second_message() {
    assert_bad(
        Habits {
            uid_from_key: false,
            ..RIGHT
        },
        TwoRows,
    );
}

#[test]
fn without_aliases_an_accepted_number_leads_nowhere() {
    assert_bad(
        Habits {
            aliases: false,
            ..RIGHT
        },
        AcceptedLost,
    );
}
