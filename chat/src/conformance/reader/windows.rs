//! Windows of a chat, what is complete in them, and what explains the rest.

use super::{explain, numbers, page};
use crate::conformance::fixture::{Store, Tenant, edit_message, live, number};
use crate::event::{Command, CreateMessage};
use crate::model::{Gap, GapCause, Number};
use crate::ports::{Found, MessagePage, Window};

/// A chat in which a page of two often finds nothing live: 1 to 60 without every seventh, of which only
/// every eighth is left.
async fn fill_a_chat_with_few_left(tenant: &Tenant) -> Vec<u64> {
    let stored: Vec<u64> = (1..=60).filter(|n| n % 7 != 0).collect();
    tenant.say(1, stored.iter().copied()).await;
    let (left, gone): (Vec<u64>, Vec<u64>) = stored.iter().partition(|n| **n % 8 == 1);
    tenant.take_back(1, 1, gone).await;
    // Stubs in the holes, and many after the end.
    for n in [7, 14, 21, 28].into_iter().chain(61..=90) {
        tenant
            .carry_out([edit_message(tenant.message(1, n), 1_000, "stub")])
            .await;
    }
    tenant.say(1, [91]).await;
    [left, vec![91]].concat()
}

pub async fn windows_forward_show_each_live_message_once(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let left = fill_a_chat_with_few_left(&tenant).await;
    for limit in [1, 2, 3, 100] {
        let (mut walked, mut after) = (Vec::new(), 0);
        loop {
            let page = page(&tenant, 1, Window::After(after), limit).await;
            assert!(page.data.len() <= limit as usize);
            walked.extend(numbers(&page.data));
            let Some(next) = page.next else { break };
            assert!(next.get() > after, "a cursor that goes on");
            after = next.get();
        }
        assert_eq!(walked, left, "in pages of {limit}");
    }
}

pub async fn windows_backward_show_each_live_message_once(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let left = fill_a_chat_with_few_left(&tenant).await;
    for limit in [1, 2, 3, 100] {
        let (mut walked, mut before) = (Vec::new(), Number::MAX);
        loop {
            let page = page(&tenant, 1, Window::Before(before), limit).await;
            assert!(page.data.len() <= limit as usize);
            assert!(numbers(&page.data).is_sorted(), "a window is ascending");
            walked = [numbers(&page.data), walked].concat();
            let Some(next) = page.next else { break };
            assert!(next < before, "a cursor that goes on");
            before = next;
        }
        assert_eq!(walked, left, "in pages of {limit}");
    }
}

pub async fn a_window_before_ends_just_before_it(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    tenant.say(1, 1..=9).await;
    let page = page(&tenant, 1, Window::Before(number(7)), 3).await;
    assert_eq!(numbers(&page.data), [4, 5, 6]);
    assert_eq!(page.next, Some(number(4)));
}

pub async fn an_empty_chat_has_an_empty_window(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    for window in [Window::After(0), Window::Before(number(5))] {
        let expected = MessagePage {
            data: Vec::new(),
            next: None,
            complete_through: 0,
        };
        assert_eq!(page(&tenant, 1, window, 10).await, expected);
    }
    assert_eq!(
        page(&tenant, 1, Window::After(17), 10)
            .await
            .complete_through,
        17
    );
}

pub async fn complete_through_ends_before_the_first_number_that_may_still_come(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let complete = |after: u64, limit| {
        let tenant = tenant.clone();
        async move {
            page(&tenant, 1, Window::After(after), limit)
                .await
                .complete_through
        }
    };
    let said = tenant.say(1, [1, 2, 4]).await;
    assert_eq!(complete(0, 10).await, 2);
    assert_eq!(complete(2, 10).await, 2);
    // Deleted ones and aliases are there; a stub is not.
    tenant.take_back(1, 1, [2]).await;
    tenant
        .carry_out([edit_message(tenant.message(1, 3), 2, "stub")])
        .await;
    assert_eq!(complete(0, 10).await, 2);
    tenant.say(1, [3]).await;
    assert_eq!(complete(0, 10).await, 4);
    let alias = CreateMessage {
        key: tenant.message(1, 5),
        ..said[0].clone()
    };
    tenant.carry_out([Command::CreateMessage(alias)]).await;
    assert_eq!(complete(0, 10).await, 5);
    // Explained gaps count, also beyond the last row, and next to other explained ones.
    explain(&tenant, 1, &[(6, 8)], 8).await;
    assert_eq!(complete(0, 10).await, 8);
    assert_eq!(complete(7, 10).await, 8);
    tenant.say(1, [9, 10, 12]).await;
    assert_eq!(complete(0, 10).await, 10);
    assert_eq!(complete(10, 10).await, 10);
    assert_eq!(complete(11, 10).await, 12);
    // Never beyond what the page looked at, when there is more.
    let first = page(&tenant, 1, Window::After(0), 2).await;
    let next = first.next.map(Number::get);
    assert!(
        first.complete_through <= next.expect("there is more"),
        "{first:?}"
    );
}

pub async fn complete_through_never_falls_behind_the_pages_of_a_walk(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    tenant.say(1, 1..=40).await;
    tenant.take_back(1, 1, 10..=35).await;
    // As `tail` does it: always on from what is complete.
    for limit in [1, 2, 7] {
        let (mut seen, mut after) = (Vec::new(), 0);
        loop {
            let page = page(&tenant, 1, Window::After(after), limit).await;
            seen.extend(
                numbers(&page.data)
                    .into_iter()
                    .filter(|n| *n <= page.complete_through),
            );
            if page.complete_through == after {
                break;
            }
            after = page.complete_through;
        }
        let left: Vec<u64> = (1..=9).chain(36..=40).collect();
        assert_eq!((after, seen), (40, left), "in pages of {limit}");
    }
}

pub async fn a_number_in_the_gap_ledger_was_never_stored(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    tenant.say(1, [1, 5]).await;
    explain(&tenant, 1, &[(2, 4)], 5).await;
    for n in 2..=4 {
        assert_eq!(
            tenant.read(1, n).await,
            Found::NeverStored(GapCause::Voided)
        );
    }
    live(tenant.read(1, 1).await);
    live(tenant.read(1, 5).await);
    assert_eq!(tenant.read(1, 6).await, Found::Absent);
}

pub async fn gaps_are_listed_ascending_page_by_page(store: Store) {
    let tenant = Tenant::with_chats(&store, 2).await;
    let gaps = [(2, 4), (6, 6), (9, 20)];
    explain(&tenant, 1, &gaps, 20).await;
    explain(&tenant, 2, &[(1, 3)], 3).await;
    let list = |after, limit| {
        let reader = store.reader.clone();
        async move {
            live(
                reader
                    .gaps(tenant.id, number(1), after, limit)
                    .await
                    .expect("gaps"),
            )
        }
    };
    let ends = |gaps: &[Gap]| -> Vec<(u64, u64)> {
        gaps.iter()
            .map(|gap| (gap.from.get(), gap.to.get()))
            .collect()
    };
    let (mut listed, mut after) = (Vec::new(), 0);
    loop {
        let page = list(after, 1).await;
        listed.extend(ends(&page.data));
        let Some(next) = page.next else { break };
        after = next.get();
    }
    assert_eq!(listed, gaps);
    assert_eq!(ends(&list(3, 10).await.data), gaps);
    assert_eq!(ends(&list(4, 10).await.data), gaps[1..]);
    assert_eq!(ends(&list(20, 10).await.data), []);
}
