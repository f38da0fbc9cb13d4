//! Model X2b: creates, edits, deletes and a cascade, out of order, at two workers at once.
//!
//! A keyed create was accepted under two numbers because Redis lost its record in between; edits,
//! deletes and the delete of the chat are on their way too. Workers take commands in any order and
//! read and write in separate steps; what they write is decided by the planner of the library itself.
//! A write that finds a row where it inserts one is a conflict: the command goes back. Rows and
//! commands are kept in a few bytes here and translated for the planner.

mod check;
mod commands;
mod protocol;
mod rows;
mod state;

use chat::event::Command;
use check::ALL;
use check::Violation::{EditLost, LiveUnderDeleted, TwoMeanings};
use commands::{
    Field, create_chat, create_message, delete_chat, delete_message, edit_chat, edit_message,
};
use protocol::{Locks, Protocol, RIGHT};

/// One message, accepted as 1 and 2; edits of both fields through both numbers.
fn edits() -> Vec<Command> {
    vec![
        create_message(1),
        create_message(2),
        edit_message(1, 1, Field::Text),
        edit_message(2, 2, Field::Metadata),
        edit_message(2, 3, Field::Text),
    ]
}

/// A chat that is edited and deleted while a message is on its way.
fn cascades() -> Vec<Command> {
    vec![
        create_chat(),
        create_message(1),
        edit_message(1, 1, Field::Metadata),
        edit_chat(2, Field::Text),
        delete_chat(3),
    ]
}

/// Some of everything.
fn everything() -> Vec<Command> {
    vec![
        create_chat(),
        create_message(1),
        create_message(2),
        edit_message(1, 1, Field::Text),
        edit_message(2, 2, Field::Metadata),
        delete_message(1, 3),
        delete_chat(4),
    ]
}

#[test]
fn any_order_at_two_workers_gives_the_same_rows_counts_and_index() {
    let states = RIGHT.explore(&everything(), &ALL).assert_clean();
    assert!(
        states > 100_000,
        "only {states} states: the bounds leave too little to happen"
    );
}

#[test]
fn batches_give_what_single_commands_give() {
    Protocol { batch: 2, ..RIGHT }
        .explore(&edits(), &ALL)
        .assert_clean();
    Protocol { batch: 2, ..RIGHT }
        .explore(&cascades(), &ALL)
        .assert_clean();
}

#[test]
fn without_row_locks_an_edit_is_lost() {
    Protocol {
        locks: Locks::Nothing,
        ..RIGHT
    }
    .explore(&edits(), &[EditLost])
    .assert_caught();
}

#[test]
fn without_the_lock_of_the_chat_a_number_becomes_an_alias_and_a_row() {
    Protocol {
        locks: Locks::AllButChats,
        ..RIGHT
    }
    .explore(&edits(), &[TwoMeanings])
    .assert_caught();
}

#[test]
fn with_one_rev_per_row_an_edit_of_the_other_field_is_lost() {
    Protocol {
        field_revs: false,
        ..RIGHT
    }
    .explore(&edits(), &[EditLost])
    .assert_caught();
}

#[test]
fn an_alias_that_merges_no_stub_loses_what_was_done_through_it() {
    Protocol {
        aliases_merge: false,
        ..RIGHT
    }
    .explore(&edits(), &[EditLost])
    .assert_caught();
}

#[test]
fn a_cascade_that_runs_once_leaves_a_message_in_a_deleted_chat() {
    Protocol {
        cascade_repeats: false,
        ..RIGHT
    }
    .explore(&cascades(), &[LiveUnderDeleted])
    .assert_caught();
}
