//! Model X1: fenced numbers.
//!
//! One sequence, its row in SQL, one or two living Redis processes, API processes that reserve blocks
//! and install them late or never. Redis may restart with any record it ever held, fail over while the
//! old master lives on, or lose everything. A *run* stands for Redis's `run_id`. The embedded numbers
//! are the same protocol with one process, which also stops in good order and gives numbers back.

mod protocol;
mod state;

use crate::explore::explore;
use protocol::{Lease, Protocol, RIGHT};
use state::{Action, BLOCK, Block, State, Violation};

const UNSAFE: [Violation; 2] = [Violation::Duplicate, Violation::Disorder];

#[test]
fn numbers_are_unique_and_rise_through_crashes_failovers_and_late_installs() {
    let states = RIGHT.explore(&UNSAFE).assert_clean();
    assert!(
        states > 100_000,
        "only {states} states: the bounds leave too little to happen"
    );
}

#[test]
fn with_one_reserver_at_a_time_numbers_have_no_holes_while_nothing_fails() {
    let all = [Violation::Duplicate, Violation::Disorder, Violation::Hole];
    Protocol {
        lease: Lease::Everybody,
        redis_faults: 1,
        ..RIGHT
    }
    .explore(&all)
    .assert_clean();
}

#[test]
fn reserving_early_without_the_lease_leaves_holes_though_nothing_failed() {
    let broken = Protocol {
        lease: Lease::WhoeverNeeds,
        redis_faults: 0,
        ..RIGHT
    };
    broken.explore(&UNSAFE).assert_clean();
    broken.explore(&[Violation::Hole]).assert_caught();
}

#[test]
fn an_api_killed_between_reserve_and_install_holds_nobody_up() {
    let protocol = Protocol {
        lease: Lease::Everybody,
        redis_faults: 0,
        ..RIGHT
    };
    let block = Block {
        lo: 0,
        hi: BLOCK,
        run: 0,
    };
    let killed = protocol.follow(&[
        Action::Reserve { process: 0 },
        Action::ApiKilledBeforeInstall { block },
    ]);
    let next = |state: &State| protocol.next(state);
    explore(killed.clone(), next, |state| {
        UNSAFE.into_iter().find(|violation| state.has(*violation))
    })
    .assert_clean();
    let goes_on =
        |state: &State| (state.given.count_ones() == protocol.numbers).then_some("goes on");
    explore(killed, next, goes_on).assert_caught();
}

#[test]
fn without_the_fence_a_number_is_given_twice() {
    let trace = Protocol {
        fence: false,
        ..RIGHT
    }
    .explore(&[Violation::Duplicate])
    .assert_caught();
    assert_eq!(trace.steps.len(), 5);
}

#[test]
fn without_the_run_check_at_install_numbers_fall_but_stay_unique() {
    let broken = Protocol {
        run_check: false,
        redis_faults: 1,
        ..RIGHT
    };
    broken.explore(&[Violation::Disorder]).assert_caught();
    broken.explore(&[Violation::Duplicate]).assert_clean();
}

#[test]
fn a_retried_install_and_a_flush_give_a_number_twice() {
    let broken = Protocol {
        install_retried: true,
        flush: true,
        ..RIGHT
    };
    let trace = broken.explore(&[Violation::Duplicate]).assert_caught();
    assert_eq!(trace.steps.len(), 6);
}

#[test]
fn a_flush_alone_lets_numbers_fall_but_they_stay_unique() {
    let broken = Protocol {
        flush: true,
        redis_faults: 0,
        ..RIGHT
    };
    broken.explore(&[Violation::Disorder]).assert_caught();
    broken.explore(&[Violation::Duplicate]).assert_clean();
}

#[test]
fn a_table_restored_to_an_older_state_gives_nothing_twice_after_it_was_raised() {
    Protocol {
        restores: 1,
        redis_faults: 1,
        ..RIGHT
    }
    .explore(&UNSAFE)
    .assert_clean();
}

#[test]
fn a_table_restored_and_not_raised_is_refused_as_long_as_redis_remembers() {
    Protocol {
        restores: 1,
        redis_faults: 0,
        after_restore: false,
        ..RIGHT
    }
    .explore(&UNSAFE)
    .assert_clean();
}

#[test]
fn a_table_restored_and_not_raised_gives_a_number_twice_once_redis_forgets() {
    let broken = Protocol {
        restores: 1,
        after_restore: false,
        ..RIGHT
    };
    broken.explore(&[Violation::Duplicate]).assert_caught();
}

#[test]
fn numbers_given_back_at_a_stop_are_given_again_without_a_hole() {
    let protocol = Protocol {
        lease: Lease::Everybody,
        redis_faults: 0,
        stops: 2,
        ..RIGHT
    };
    protocol
        .explore(&[Violation::Duplicate, Violation::Disorder, Violation::Hole])
        .assert_clean();
    Protocol {
        stops: 1,
        redis_faults: 1,
        ..RIGHT
    }
    .explore(&UNSAFE)
    .assert_clean();
}

#[test]
fn giving_back_what_is_not_the_last_block_gives_a_number_twice() {
    let broken = Protocol {
        stops: 1,
        redis_faults: 1,
        give_back_checked: false,
        ..RIGHT
    };
    broken.explore(&[Violation::Duplicate]).assert_caught();
}
