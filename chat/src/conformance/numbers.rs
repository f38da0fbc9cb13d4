//! What every `Numbers` promises, one function per promise.
//!
//! Each takes `open`: what starts another process's numbers on the same store. Where processes share
//! their numbers it may give out the same instance.

use super::fixture::{NOW, PATIENCE, new_uid, number};
use crate::model::{AppId, ChatKey, Fingerprint, Scope, State};
use crate::ports::{Claim, Numbers, Taken};
use futures::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

type Open = Box<dyn Fn() -> Arc<dyn Numbers> + Send + Sync>;

fn new_app() -> AppId {
    AppId::from_random(rand::random())
}

fn new_chat() -> ChatKey {
    ChatKey {
        app: new_app(),
        number: number(1),
    }
}

fn claim() -> Claim {
    Claim {
        uid: new_uid(),
        fingerprint: Fingerprint::of(&[b"body"]),
        now: NOW,
    }
}

async fn take(numbers: &dyn Numbers, scope: Scope) -> u64 {
    match numbers.take(scope, None).await {
        Ok(Taken::Given(number)) => number.get(),
        other => panic!("a number is given: {other:?}"),
    }
}

async fn take_claimed(numbers: &dyn Numbers, scope: Scope, claim: Claim) -> Taken {
    let taken = numbers.take(scope, Some(claim)).await;
    taken.expect("a claim is answered")
}

async fn last_given(numbers: &dyn Numbers, scope: Scope) -> u64 {
    numbers.last_given(scope).await.expect("last_given")
}

/// A claim so much later that whatever was under way has ended, by the clock of whoever makes it.
fn much_later(claim: Claim) -> Claim {
    let patience = i64::try_from(PATIENCE.as_millis()).expect("some seconds");
    Claim {
        now: claim.now.plus(patience),
        ..claim
    }
}

/// Takes with this claim until nothing is under way any more, by whichever clock the adapter goes.
async fn take_when_over(numbers: &dyn Numbers, scope: Scope, claim: Claim) -> Taken {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let taken = take_claimed(numbers, scope, claim).await;
        if !matches!(taken, Taken::InFlight { .. }) {
            return taken;
        }
        assert!(
            Instant::now() < deadline,
            "it is still under way: {taken:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

// --------------------------------------------------------------------------------------------- numbers

pub async fn numbers_start_at_one_and_leave_none_out(open: Open) {
    let numbers = open();
    let scope = Scope::Chats(new_app());
    for expected in 1..=100 {
        assert_eq!(take(&*numbers, scope).await, expected);
    }
}

pub async fn numbers_are_unique_and_rising_for_many_at_once(open: Open) {
    const TAKERS: u64 = 64;
    const EACH: u64 = 25;
    let numbers = open();
    let scope = Scope::Chats(new_app());
    let highest = Arc::new(AtomicU64::new(0));
    let takers = (0..TAKERS).map(|_| {
        let (numbers, highest) = (numbers.clone(), highest.clone());
        tokio::spawn(async move {
            let mut taken = Vec::new();
            for _ in 0..EACH {
                // What anybody was answered before this request began is below its answer.
                let before = highest.load(Ordering::SeqCst);
                let number = take(&*numbers, scope).await;
                assert!(number > before, "{number} after {before}");
                highest.fetch_max(number, Ordering::SeqCst);
                taken.push(number);
            }
            taken
        })
    });
    let taken = join_all(takers).await;
    let mut all: Vec<u64> = taken
        .into_iter()
        .flat_map(|taken| taken.expect("numbers rise"))
        .collect();
    all.sort_unstable();
    assert_eq!(all, (1..=TAKERS * EACH).collect::<Vec<_>>());
}

pub async fn scopes_are_numbered_apart(open: Open) {
    let numbers = open();
    let chat = new_chat();
    numbers.mark(chat, State::Live).await;
    let scopes = [
        Scope::Chats(chat.app),
        Scope::Messages(chat),
        Scope::Revs(chat),
        Scope::Chats(new_app()),
    ];
    for scope in scopes {
        assert_eq!(take(&*numbers, scope).await, 1);
        assert_eq!(take(&*numbers, scope).await, 2);
    }
}

pub async fn a_taker_that_gives_up_costs_at_most_its_number(open: Open) {
    let numbers = open();
    let scope = Scope::Chats(new_app());
    let mut last = 0;
    for round in 0..40 {
        let cut_off = tokio::spawn({
            let numbers = numbers.clone();
            async move { numbers.take(scope, None).await }
        });
        for _ in 0..round % 5 {
            tokio::task::yield_now().await;
        }
        cut_off.abort();
        let _ = cut_off.await;
        let next = take(&*numbers, scope).await;
        assert!(next > last, "{next} after {last}");
        last = next;
    }
}

pub async fn the_last_number_given_is_known(open: Open) {
    let numbers = open();
    let scope = Scope::Chats(new_app());
    assert_eq!(last_given(&*numbers, scope).await, 0);
    for _ in 0..7 {
        let number = take(&*numbers, scope).await;
        assert_eq!(last_given(&*numbers, scope).await, number);
    }
}

// ------------------------------------------------------------------------------------------- existence

pub async fn a_chat_is_numbered_once_it_is_marked(open: Open) {
    let numbers = open();
    let chat = new_chat();
    for scope in [Scope::Messages(chat), Scope::Revs(chat)] {
        let taken = numbers.take(scope, None).await.expect("take");
        assert_eq!(taken, Taken::UnknownChat);
    }
    assert_eq!(last_given(&*numbers, Scope::Messages(chat)).await, 0);
    numbers.mark(chat, State::Live).await;
    numbers.mark(chat, State::Live).await;
    assert_eq!(take(&*numbers, Scope::Messages(chat)).await, 1);
    assert_eq!(take(&*numbers, Scope::Revs(chat)).await, 1);
}

pub async fn a_deleted_chat_stays_deleted(open: Open) {
    let numbers = open();
    let (used, unused) = (new_chat(), new_chat());
    numbers.mark(used, State::Live).await;
    take(&*numbers, Scope::Messages(used)).await;
    for chat in [used, unused] {
        numbers.mark(chat, State::Deleted).await;
        numbers.mark(chat, State::Live).await;
        for scope in [Scope::Messages(chat), Scope::Revs(chat)] {
            let taken = numbers.take(scope, Some(claim())).await.expect("take");
            assert_eq!(taken, Taken::Gone);
        }
    }
}

// ---------------------------------------------------------------------------------------------- claims

pub async fn a_claim_is_in_flight_then_unsettled_then_replayed(open: Open) {
    let numbers = open();
    let (scope, claim) = (Scope::Chats(new_app()), claim());
    let Taken::Given(number) = take_claimed(&*numbers, scope, claim).await else {
        panic!("a new claim gets a number");
    };
    let again = take_claimed(&*numbers, scope, claim).await;
    let Taken::InFlight { retry_after_ms } = again else {
        panic!("its publish may still be under way: {again:?}");
    };
    assert!(retry_after_ms > 0);
    let late = much_later(claim);
    let taken = take_when_over(&*numbers, scope, late).await;
    assert_eq!(taken, Taken::Unsettled(number));
    // That one publishes now; the others wait for it.
    let taken = take_claimed(&*numbers, scope, late).await;
    assert!(matches!(taken, Taken::InFlight { .. }), "{taken:?}");
    numbers.settle(scope, claim.uid).await;
    for claim in [claim, late, much_later(late)] {
        let taken = take_claimed(&*numbers, scope, claim).await;
        assert_eq!(taken, Taken::Replay(number));
    }
    assert_eq!(
        last_given(&*numbers, scope).await,
        number.get(),
        "one number for one claim"
    );
}

pub async fn a_claim_for_another_request_is_a_mismatch(open: Open) {
    let numbers = open();
    let (scope, claim) = (Scope::Chats(new_app()), claim());
    take_claimed(&*numbers, scope, claim).await;
    let other = Claim {
        fingerprint: Fingerprint::of(&[b"other body"]),
        ..claim
    };
    for other in [other, much_later(other)] {
        let taken = take_claimed(&*numbers, scope, other).await;
        assert_eq!(taken, Taken::Mismatch);
    }
    numbers.settle(scope, claim.uid).await;
    let taken = take_claimed(&*numbers, scope, other).await;
    assert_eq!(taken, Taken::Mismatch);
}

pub async fn a_claim_made_many_times_at_once_gets_one_number(open: Open) {
    let numbers = open();
    let (scope, claim) = (Scope::Chats(new_app()), claim());
    let takers = (0..32).map(|_| {
        let numbers = numbers.clone();
        tokio::spawn(async move { take_claimed(&*numbers, scope, claim).await })
    });
    let taken = join_all(takers).await;
    let given: Vec<Taken> = taken
        .into_iter()
        .map(|taken| taken.expect("no taker panics"))
        .filter(|taken| !matches!(taken, Taken::InFlight { .. }))
        .collect();
    assert_eq!(given, [Taken::Given(number(1))]);
}

pub async fn a_claim_that_got_no_number_can_be_made_again_at_once(open: Open) {
    let numbers = open();
    let (chat, claim) = (new_chat(), claim());
    let scope = Scope::Messages(chat);
    let taken = take_claimed(&*numbers, scope, claim).await;
    assert_eq!(taken, Taken::UnknownChat);
    numbers.mark(chat, State::Live).await;
    let taken = take_claimed(&*numbers, scope, claim).await;
    assert_eq!(taken, Taken::Given(number(1)));
}

pub async fn a_released_claim_gets_its_number_again_at_once(open: Open) {
    let numbers = open();
    let (scope, claim) = (Scope::Chats(new_app()), claim());
    let given = take_claimed(&*numbers, scope, claim).await;
    assert_eq!(given, Taken::Given(number(1)));
    for _ in 0..3 {
        numbers.release(scope, claim.uid).await;
        let again = take_claimed(&*numbers, scope, claim).await;
        assert_eq!(again, Taken::Unsettled(number(1)));
        // And is under way again.
        let meanwhile = take_claimed(&*numbers, scope, claim).await;
        assert!(matches!(meanwhile, Taken::InFlight { .. }), "{meanwhile:?}");
    }
    numbers.settle(scope, claim.uid).await;
    let replay = take_claimed(&*numbers, scope, claim).await;
    assert_eq!(replay, Taken::Replay(number(1)));
}

pub async fn settling_what_nobody_claimed_changes_nothing(open: Open) {
    let numbers = open();
    let (scope, claim) = (Scope::Chats(new_app()), claim());
    numbers.settle(scope, claim.uid).await;
    let taken = take_claimed(&*numbers, scope, claim).await;
    assert_eq!(taken, Taken::Given(number(1)));
}

// -------------------------------------------------------------------------------------------- restarts

pub async fn a_process_that_died_leaves_gaps_and_never_a_number_twice(open: Open) {
    let scope = Scope::Chats(new_app());
    let mut last = 0;
    for process in 1..=5 {
        let numbers = open();
        // An upper bound, before it has given any number itself.
        assert!(last_given(&*numbers, scope).await >= last);
        for _ in 0..process * 3 {
            let number = take(&*numbers, scope).await;
            assert!(number > last, "{number} after {last}");
            last = number;
        }
        drop(numbers);
    }
}

pub async fn a_process_that_was_closed_leaves_no_gap(open: Open) {
    let (scope, other) = (Scope::Chats(new_app()), Scope::Chats(new_app()));
    let mut expected = 1;
    for process in 1..=5 {
        let numbers = open();
        for _ in 0..process * 3 {
            assert_eq!(take(&*numbers, scope).await, expected);
            expected += 1;
        }
        assert_eq!(take(&*numbers, other).await, process);
        numbers.close().await.expect("close");
    }
}

pub async fn a_process_that_gave_nothing_closes_without_a_trace(open: Open) {
    let scope = Scope::Chats(new_app());
    let first = open();
    take(&*first, scope).await;
    first.close().await.expect("close");
    let idle = open();
    assert_eq!(last_given(&*idle, scope).await, 1);
    idle.close().await.expect("close");
    assert_eq!(take(&*open(), scope).await, 2);
}

pub async fn a_number_taken_while_closing_is_not_given_again(open: Open) {
    let scope = Scope::Chats(new_app());
    let mut all = Vec::new();
    for _ in 0..10 {
        let numbers = open();
        let takers: Vec<_> = (0..4)
            .map(|_| {
                let numbers = numbers.clone();
                tokio::spawn(async move {
                    let mut taken = Vec::new();
                    for _ in 0..20 {
                        taken.push(take(&*numbers, scope).await);
                        tokio::task::yield_now().await;
                    }
                    taken
                })
            })
            .collect();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        numbers.close().await.expect("close");
        for taken in join_all(takers).await {
            all.extend(taken.expect("numbers are given"));
        }
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!((count, all.len()), (800, 800), "a number was given twice");
}
