//! Carrying a batch out: refused commands are found by halving, conflicts are tried again, and a commit
//! that nobody heard of is found out about.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::memory_rows::{Ending, MemoryRows, POISON};
use chat::error::Error;
use chat::event::{Command, CreateMessage, Queue};
use chat::model::{AppId, ChatKey, Content, Fingerprint, Millis, Number, Uid};
use chat::ops::persist::{Fate, store};
use chat::rows::Outcome;
use proptest::prelude::*;

const APP: i64 = 7;

fn rows() -> MemoryRows {
    MemoryRows::with_application(AppId::from_stored(APP))
}

fn say(n: u64, text: &str) -> Command {
    let chat = ChatKey {
        app: AppId::from_stored(APP),
        number: Number::new(1).unwrap(),
    };
    Command::CreateMessage(CreateMessage {
        key: chat.message(Number::new(n).unwrap()),
        uid: Uid::from_digest(u128::from(n).to_be_bytes()),
        fingerprint: Fingerprint::of(&[text.as_bytes()]),
        content: Content::parse(text).unwrap(),
        author: None,
        metadata: None,
        reply_to: None,
        created_at: Millis::new(0),
        accepted_at: Millis::new(0),
    })
}

fn batch(size: u64, poisons: &[usize]) -> Vec<Command> {
    (1..=size)
        .map(|n| say(n, "text"))
        .enumerate()
        .map(|(place, command)| match poisons.contains(&place) {
            true => say(place as u64 + 1, POISON),
            false => command,
        })
        .collect()
}

fn is_done(fate: &Fate, expected: Outcome) -> bool {
    matches!(fate, Fate::Done(outcome) if *outcome == expected)
}

fn unknown() -> Error {
    Error::OutcomeUnknown {
        number: None,
        uid: None,
    }
}

fn away() -> Error {
    Error::unavailable("database", "away")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn refused_commands_are_found_and_hold_up_nobody(
        poisons in prop_oneof![Just(1), Just(2), Just(7)]
            .prop_flat_map(|count| prop::sample::subsequence((0..1_000).collect::<Vec<usize>>(), count)),
    ) {
        let rows = rows();
        let commands = batch(1_000, &poisons);
        let (fates, index) = futures::executor::block_on(store(&rows, Queue::Messages, &commands));
        for (place, fate) in fates.iter().enumerate() {
            match poisons.contains(&place) {
                true => prop_assert!(matches!(fate, Fate::Refused(why) if why.contains("poison"))),
                false => prop_assert!(is_done(fate, Outcome::New), "{place}: {fate:?}"),
            }
        }
        prop_assert_eq!(rows.messages().len(), 1_000 - poisons.len());
        prop_assert_eq!(index.len(), 1_000 - poisons.len());
        prop_assert!(rows.counts_are_exact());
        // Both halves at each of the ten levels, for each of them.
        let most = 1 + 2 * 10 * poisons.len();
        prop_assert!(rows.transactions() <= most, "{} of {most}", rows.transactions());
    }
}

#[tokio::test]
async fn a_batch_of_nothing_but_refused_commands_ends() {
    let rows = rows();
    let everything: Vec<usize> = (0..16).collect();
    let (fates, index) = store(&rows, Queue::Messages, &batch(16, &everything)).await;
    assert!(fates.iter().all(|fate| matches!(fate, Fate::Refused(_))));
    assert_eq!(index, []);
    assert_eq!(rows.transactions(), 31);
}

#[tokio::test]
async fn no_commands_are_no_transaction_that_matters() {
    let rows = rows();
    let (fates, index) = store(&rows, Queue::Messages, &[]).await;
    assert!(fates.is_empty() && index.is_empty());
}

#[tokio::test]
async fn conflicts_and_locks_are_tried_again() {
    let busy = || Ending::Fails(Error::Busy("locked".into()));
    let rows = rows().then([
        Ending::Fails(Error::Conflict),
        busy(),
        Ending::Fails(Error::Conflict),
    ]);
    let (fates, index) = store(&rows, Queue::Messages, &batch(3, &[])).await;
    assert!(fates.iter().all(|fate| is_done(fate, Outcome::New)));
    assert_eq!(index.len(), 3);
    assert_eq!(rows.transactions(), 4);
}

#[tokio::test]
async fn conflicts_that_do_not_end_are_given_up_for_now() {
    let rows = rows().then((0..100).map(|_| Ending::Fails(Error::Conflict)));
    let (fates, index) = store(&rows, Queue::Messages, &batch(3, &[])).await;
    let busy = |fate: &Fate| matches!(fate, Fate::NotDone(Error::Busy(_)));
    assert!(fates.iter().all(busy), "{fates:?}");
    assert_eq!(index, []);
    assert!(rows.transactions() < 20);
}

#[tokio::test]
async fn a_commit_nobody_heard_of_is_found_and_not_done_twice() {
    let rows = rows().then([Ending::CommitsSilently]);
    let (fates, index) = store(&rows, Queue::Messages, &batch(3, &[])).await;
    assert!(
        fates.iter().all(|fate| is_done(fate, Outcome::Same)),
        "{fates:?}"
    );
    assert_eq!(index.len(), 3, "the index is told, for nobody else will");
    assert_eq!(rows.messages().len(), 3);
    assert!(rows.counts_are_exact());
}

#[tokio::test]
async fn a_commit_that_was_lost_is_done_again() {
    let rows = rows().then([Ending::Fails(unknown())]);
    let (fates, _) = store(&rows, Queue::Messages, &batch(3, &[])).await;
    assert!(
        fates.iter().all(|fate| is_done(fate, Outcome::New)),
        "{fates:?}"
    );
    assert!(rows.counts_are_exact());
}

#[tokio::test]
async fn a_commit_in_doubt_stays_unknown_when_nobody_can_be_asked() {
    let rows = rows().then([Ending::CommitsSilently, Ending::Fails(away())]);
    let (fates, _) = store(&rows, Queue::Messages, &batch(3, &[])).await;
    let in_doubt = |fate: &Fate| matches!(fate, Fate::NotDone(Error::OutcomeUnknown { .. }));
    assert!(fates.iter().all(in_doubt), "{fates:?}");
}

#[tokio::test]
async fn a_store_that_is_away_is_asked_once() {
    let rows = rows().then([Ending::Fails(away())]);
    let (fates, index) = store(&rows, Queue::Messages, &batch(3, &[])).await;
    let away = |fate: &Fate| matches!(fate, Fate::NotDone(Error::Unavailable { .. }));
    assert!(fates.iter().all(away), "{fates:?}");
    assert_eq!(index, []);
    assert_eq!(rows.transactions(), 1);
}

#[tokio::test]
async fn what_was_committed_before_the_store_went_away_is_done() {
    let refused = Error::Invalid {
        field: "row",
        problem: "refused".into(),
        fix: "change it".into(),
    };
    let rows = rows().then([Ending::Fails(refused), Ending::Works, Ending::Fails(away())]);
    let (fates, index) = store(&rows, Queue::Messages, &batch(4, &[])).await;
    assert!(
        fates[..2].iter().all(|fate| is_done(fate, Outcome::New)),
        "{fates:?}"
    );
    let away = |fate: &Fate| matches!(fate, Fate::NotDone(Error::Unavailable { .. }));
    assert!(fates[2..].iter().all(away), "{fates:?}");
    assert_eq!(index.len(), 2);
}
