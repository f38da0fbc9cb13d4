//! What every `GapLedger` promises, and what the gap pass makes of it, one function per promise.
//!
//! The pass asks numbers and queues only how far they are, so two small stand-ins answer for them.

use super::fixture::{NOW, Store, Tenant, again, create_message, edit_message, live, number};
use crate::error::{Error, Result};
use crate::event::{Command, CreateMessage, Queue};
use crate::model::GapCause::{self, BlockLost, Voided};
use crate::model::{ChatKey, Gap, Millis, Scope, State, Uid};
use crate::ops::gaps::{GRACE_MS, pass, walk_at_start};
use crate::ports::{
    Claim, Deliveries, Explanation, Found, Numbers, Reserve, Subscriber, Taken, Watermark,
};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};

/// Numbers that were given elsewhere.
struct GivenElsewhere(BTreeMap<Scope, u64>);

#[async_trait]
impl Numbers for GivenElsewhere {
    async fn take(&self, _: Scope, _: Option<Claim>) -> Result<Taken> {
        Err(Error::internal("the gap pass takes no number"))
    }
    async fn settle(&self, _: Scope, _: Uid) {}

    async fn release(&self, _: Scope, _: Uid) {}
    async fn mark(&self, _: ChatKey, _: State) {}
    async fn last_given(&self, scope: Scope) -> Result<u64> {
        Ok(self.0.get(&scope).copied().unwrap_or(0))
    }
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// Queues that were last seen at rest at this time.
struct AtRest(Millis);

#[async_trait]
impl Subscriber for AtRest {
    async fn consume(&self, _: Queue) -> Result<Box<dyn Deliveries>> {
        Err(Error::internal("the gap pass consumes nothing"))
    }
    async fn at_rest_since(&self, moment: Millis) -> Result<bool> {
        Ok(self.0 >= moment)
    }
}

const ALWAYS: Millis = Millis::new(i64::MAX);
const NEVER: Millis = Millis::new(i64::MIN);

async fn reserve(tenant: &Tenant, scope: Scope, size: u32, expected_lo: Option<u64>) {
    let want = Reserve {
        scope,
        size,
        expected_lo,
    };
    again(|| tenant.store.sequences.reserve(std::slice::from_ref(&want))).await;
}

async fn mark_seen(store: &Store, scope: Scope, seen: u64, now: Millis) {
    let seen = [(scope, seen)];
    again(|| store.gaps.mark_seen(&seen, now)).await;
}

async fn explain(store: &Store, scope: Scope, gaps: &[Gap], through: u64) {
    let explanations = [Explanation {
        scope,
        gaps: gaps.to_vec(),
        through,
    }];
    again(|| store.gaps.explain(&explanations)).await;
}

/// One pass at `now`, when `given` numbers of the scope were given and the queues rested at `rest`.
async fn one_pass(store: &Store, scope: Scope, given: u64, rest: Millis, now: Millis) {
    let numbers = GivenElsewhere([(scope, given)].into());
    let queues = AtRest(rest);
    again(|| pass(&*store.gaps, &numbers, &queues, now)).await;
}

/// Two passes, a grace period apart, with queues at rest.
async fn explain_all(store: &Store, scope: Scope, given: u64) {
    one_pass(store, scope, given, ALWAYS, NOW).await;
    one_pass(store, scope, given, ALWAYS, NOW.plus(GRACE_MS)).await;
}

async fn watermark(store: &Store, scope: Scope) -> Option<Watermark> {
    let mut after = None;
    loop {
        let page = store.gaps.unexplained(after, 2).await.expect("unexplained");
        after = Some(page.last()?.scope);
        if let Some(found) = page.into_iter().find(|found| found.scope == scope) {
            return Some(found);
        }
    }
}

async fn gaps_of(tenant: &Tenant, chat: u64) -> Vec<(u64, u64, GapCause)> {
    let gaps = tenant
        .store
        .reader
        .gaps(tenant.id, number(chat), 0, 1_000)
        .await;
    let gaps = live(gaps.expect("gaps")).data;
    gaps.iter()
        .map(|gap| (gap.from.get(), gap.to.get(), gap.cause))
        .collect()
}

// ------------------------------------------------------------------------------------------- the ledger

pub async fn a_scope_is_unexplained_until_it_is_explained_to_its_end(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let scope = Scope::Messages(tenant.chat(1));
    assert_eq!(watermark(&store, scope).await, None);
    reserve(&tenant, scope, 10, None).await;
    let fresh = Watermark {
        scope,
        high: 10,
        explained: 0,
        seen: None,
    };
    assert_eq!(watermark(&store, scope).await, Some(fresh));
    mark_seen(&store, scope, 4, NOW).await;
    mark_seen(&store, scope, 9, NOW.plus(5)).await;
    let marked = Watermark {
        seen: Some((4, NOW)),
        ..fresh
    };
    assert_eq!(
        watermark(&store, scope).await,
        Some(marked),
        "the first mark waits"
    );
    explain(&store, scope, &[], 4).await;
    let explained = Watermark {
        explained: 4,
        ..fresh
    };
    assert_eq!(watermark(&store, scope).await, Some(explained));
    explain(&store, scope, &[], 2).await;
    assert_eq!(
        watermark(&store, scope).await,
        Some(explained),
        "it never goes back"
    );
    mark_seen(&store, scope, 9, NOW.plus(7)).await;
    explain(&store, scope, &[], 4).await;
    let marked = Watermark {
        seen: Some((9, NOW.plus(7))),
        ..explained
    };
    assert_eq!(
        watermark(&store, scope).await,
        Some(marked),
        "what another pass has seen since is not forgotten"
    );
    explain(&store, scope, &[], 10).await;
    assert_eq!(watermark(&store, scope).await, None);
    reserve(&tenant, scope, 5, Some(10)).await;
    let more = Watermark {
        high: 15,
        explained: 10,
        ..fresh
    };
    assert_eq!(watermark(&store, scope).await, Some(more));
}

pub async fn many_scopes_are_marked_and_explained_at_once(store: Store) {
    let tenant = Tenant::with_chats(&store, 5).await;
    let scopes: Vec<Scope> = (1..=5).map(|n| Scope::Messages(tenant.chat(n))).collect();
    for scope in &scopes {
        reserve(&tenant, *scope, 10, None).await;
    }
    let seen: Vec<(Scope, u64)> = scopes.iter().copied().zip(1..).collect();
    again(|| store.gaps.mark_seen(&seen, NOW)).await;
    for (scope, seen) in &seen {
        let found = watermark(&store, *scope).await;
        assert_eq!(found.and_then(|found| found.seen), Some((*seen, NOW)));
    }
    tenant.say(2, [1]).await;
    let explanation = |(scope, seen): &(Scope, u64)| Explanation {
        scope: *scope,
        gaps: vec![Gap {
            from: number(1),
            to: number(*seen),
            cause: Voided,
            noted_at: NOW,
        }],
        through: *seen,
    };
    let explanations: Vec<Explanation> = seen.iter().map(explanation).collect();
    again(|| store.gaps.explain(&explanations)).await;
    for n in [1, 3, 4, 5] {
        assert_eq!(gaps_of(&tenant, n).await, [(1, n, Voided)]);
    }
    assert_eq!(gaps_of(&tenant, 2).await, [(2, 2, Voided)]);
}

pub async fn revisions_are_not_explained(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    reserve(&tenant, Scope::Revs(tenant.chat(1)), 10, None).await;
    assert_eq!(watermark(&store, Scope::Revs(tenant.chat(1))).await, None);
}

pub async fn scopes_are_walked_in_the_order_of_their_keys(store: Store) {
    let tenant = Tenant::with_chats(&store, 12).await;
    let mut scopes = vec![Scope::Chats(tenant.app())];
    scopes.extend((1..=12).map(|chat| Scope::Messages(tenant.chat(chat))));
    for scope in &scopes {
        reserve(&tenant, *scope, 3, None).await;
    }
    let (mut walked, mut after) = (Vec::new(), None);
    loop {
        let page = store.gaps.unexplained(after, 3).await.expect("unexplained");
        let Some(last) = page.last() else { break };
        after = Some(last.scope);
        walked.extend(page.into_iter().map(|found| found.scope));
    }
    walked.retain(|scope| scopes.contains(scope));
    scopes.sort_by_key(|scope| scope.key());
    assert_eq!(walked, scopes);
}

pub async fn rows_and_aliases_are_present_and_stubs_are_not(store: Store) {
    let tenant = Tenant::with_chats(&store, 3).await;
    let said = tenant.say(1, [1, 2, 5]).await;
    tenant.take_back(1, 1, [2]).await;
    let alias = CreateMessage {
        key: tenant.message(1, 4),
        ..said[0].clone()
    };
    tenant.carry_out([Command::CreateMessage(alias)]).await;
    tenant
        .carry_out([edit_message(tenant.message(1, 3), 2, "stub")])
        .await;
    tenant.say(7, [1]).await; // Chat 7 is a stub.
    let present = |scope, lo, hi, limit| {
        let gaps = store.gaps.clone();
        async move { gaps.present(scope, lo, hi, limit).await.expect("present") }
    };
    let messages = Scope::Messages(tenant.chat(1));
    assert_eq!(present(messages, 0, 10, 10).await, [1, 2, 4, 5]);
    assert_eq!(present(messages, 1, 4, 10).await, [2, 4]);
    assert_eq!(present(messages, 0, 10, 3).await, [1, 2, 4]);
    assert_eq!(
        present(Scope::Chats(tenant.app()), 0, 10, 10).await,
        [1, 2, 3]
    );
}

pub async fn a_number_stored_meanwhile_is_left_out_of_its_gap(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let scope = Scope::Messages(tenant.chat(1));
    reserve(&tenant, scope, 10, None).await;
    tenant.say(1, [3, 6]).await;
    let gaps = [Gap {
        from: number(1),
        to: number(6),
        cause: Voided,
        noted_at: NOW,
    }];
    explain(&store, scope, &gaps, 6).await;
    let expected = [(1, 2, Voided), (4, 5, Voided)];
    assert_eq!(gaps_of(&tenant, 1).await, expected);
    // A pass that died after this one committed does it again.
    explain(&store, scope, &gaps, 6).await;
    assert_eq!(gaps_of(&tenant, 1).await, expected);
}

pub async fn a_row_that_comes_late_is_cut_out_of_its_gap(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let scope = Scope::Messages(tenant.chat(1));
    reserve(&tenant, scope, 10, None).await;
    explain_all(&store, scope, 6).await;
    assert_eq!(gaps_of(&tenant, 1).await, [(1, 6, Voided)]);
    let late = tenant.say(1, [1, 4]).await;
    // The row wins at once.
    live(tenant.read(1, 4).await);
    let alias = CreateMessage {
        key: tenant.message(1, 6),
        ..late[0].clone()
    };
    tenant.carry_out([Command::CreateMessage(alias)]).await;
    live(tenant.read(1, 6).await);
    assert_eq!(again(|| store.gaps.trim()).await, 3);
    assert_eq!(gaps_of(&tenant, 1).await, [(2, 3, Voided), (5, 5, Voided)]);
    assert_eq!(again(|| store.gaps.trim()).await, 0);
}

pub async fn a_stub_in_a_gap_is_removed_and_a_chats_stub_stays(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let messages = Scope::Messages(tenant.chat(1));
    reserve(&tenant, messages, 10, None).await;
    tenant
        .carry_out([edit_message(tenant.message(1, 2), 1, "stub")])
        .await;
    explain_all(&store, messages, 3).await;
    assert_eq!(tenant.read(1, 2).await, Found::NeverStored(Voided));
    let keys = store.across.message_keys(tenant.chat(1), 0, 10).await;
    assert_eq!(keys.expect("message_keys"), []);
    // A chat that never came, with a message that did.
    let chats = Scope::Chats(tenant.app());
    reserve(&tenant, chats, 10, None).await;
    tenant.say(2, [1]).await;
    explain_all(&store, chats, 2).await;
    let keys = store.across.message_keys(tenant.chat(2), 0, 10).await;
    assert_eq!(keys.expect("message_keys"), [tenant.message(2, 1)]);
    let chat = store.reader.chat(tenant.id, number(2)).await.expect("chat");
    assert_eq!(chat, Found::NeverStored(Voided));
}

// ---------------------------------------------------------------------------------------------- the pass

pub async fn nothing_is_explained_before_grace_and_rest(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let scope = Scope::Messages(tenant.chat(1));
    reserve(&tenant, scope, 10, None).await;
    tenant.say(1, [2]).await;
    one_pass(&store, scope, 3, ALWAYS, NOW).await;
    assert_eq!(gaps_of(&tenant, 1).await, []);
    one_pass(&store, scope, 9, ALWAYS, NOW.plus(GRACE_MS - 1)).await;
    assert_eq!(gaps_of(&tenant, 1).await, [], "too early");
    one_pass(&store, scope, 9, NEVER, NOW.plus(GRACE_MS)).await;
    one_pass(&store, scope, 9, NOW.plus(-1), NOW.plus(2 * GRACE_MS)).await;
    assert_eq!(gaps_of(&tenant, 1).await, [], "no rest since");
    one_pass(&store, scope, 9, NOW, NOW.plus(2 * GRACE_MS)).await;
    let expected = [(1, 1, Voided), (3, 3, Voided)];
    assert_eq!(
        gaps_of(&tenant, 1).await,
        expected,
        "as far as was given at the mark"
    );
    assert_eq!(tenant.read(1, 4).await, Found::Absent);
}

pub async fn a_pass_goes_on_where_the_last_one_ended(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let scope = Scope::Messages(tenant.chat(1));
    reserve(&tenant, scope, 10, None).await;
    tenant.say(1, [1]).await;
    let mut now = NOW;
    for given in [2, 4, 4, 7] {
        one_pass(&store, scope, given, ALWAYS, now).await;
        now = now.plus(GRACE_MS);
        one_pass(&store, scope, given, ALWAYS, now).await;
    }
    let expected = [(2, 2, Voided), (3, 4, Voided), (5, 7, Voided)];
    assert_eq!(gaps_of(&tenant, 1).await, expected);
}

pub async fn a_pass_that_explained_looks_again(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let scope = Scope::Messages(tenant.chat(1));
    reserve(&tenant, scope, 10, None).await;
    one_pass(&store, scope, 2, ALWAYS, NOW).await;
    let later = NOW.plus(GRACE_MS);
    one_pass(&store, scope, 7, ALWAYS, later).await;
    let expected = Watermark {
        scope,
        high: 10,
        explained: 2,
        seen: Some((7, later)),
    };
    assert_eq!(watermark(&store, scope).await, Some(expected));
}

pub async fn a_run_up_to_a_jump_is_a_lost_block(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let scope = Scope::Messages(tenant.chat(1));
    reserve(&tenant, scope, 10, None).await;
    tenant.say(1, [1, 3]).await;
    // The process that held 4 to 10 is gone; the next one starts above.
    reserve(&tenant, scope, 10, None).await;
    tenant.say(1, [11, 13]).await;
    explain_all(&store, scope, 13).await;
    let expected = [(2, 2, Voided), (4, 10, BlockLost), (12, 12, Voided)];
    assert_eq!(gaps_of(&tenant, 1).await, expected);
}

pub async fn a_pass_explains_no_more_than_was_reserved(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let scope = Scope::Messages(tenant.chat(1));
    reserve(&tenant, scope, 10, None).await;
    // Whoever cannot say how far it is answers with an upper bound.
    explain_all(&store, scope, u64::MAX >> 8).await;
    assert_eq!(gaps_of(&tenant, 1).await, [(1, 10, Voided)]);
}

pub async fn after_a_pass_every_number_is_there_or_explained(store: Store) {
    const GIVEN: u64 = 200;
    let tenant = Tenant::with_chats(&store, 1).await;
    let scope = Scope::Messages(tenant.chat(1));
    let mut held = None;
    for block in 0..10 {
        reserve(&tenant, scope, 25, held).await;
        held = (block % 3 != 0).then_some((block + 1) * 25);
    }
    let stored: BTreeSet<u64> = (1..=GIVEN).filter(|_| rand::random_ratio(2, 3)).collect();
    let creates = stored
        .iter()
        .map(|n| create_message(tenant.message(1, *n), "text"));
    tenant.carry_out(creates.map(Command::CreateMessage)).await;
    explain_all(&store, scope, GIVEN).await;
    let gaps = gaps_of(&tenant, 1).await;
    assert!(
        gaps.is_sorted_by_key(|(from, ..)| *from) && gaps.iter().all(|(from, to, _)| from <= to)
    );
    let explained: Vec<u64> = gaps.iter().flat_map(|(from, to, _)| *from..=*to).collect();
    let missing: Vec<u64> = (1..=GIVEN).filter(|n| !stored.contains(n)).collect();
    assert_eq!(explained, missing);
}

pub async fn the_walk_at_start_explains_everything_that_was_reserved(store: Store) {
    let tenant = Tenant::with_chats(&store, 2).await;
    let (first, second) = (
        Scope::Messages(tenant.chat(1)),
        Scope::Messages(tenant.chat(2)),
    );
    reserve(&tenant, first, 10, None).await;
    reserve(&tenant, second, 4, None).await;
    tenant.say(1, [1, 2, 5]).await;
    tenant.say(2, 1..=4).await;
    let explained = again(|| walk_at_start(&*store.gaps, NOW)).await;
    assert!(explained >= 7, "two missing and five never given");
    assert_eq!(
        gaps_of(&tenant, 1).await,
        [(3, 4, Voided), (6, 10, BlockLost)]
    );
    assert_eq!(gaps_of(&tenant, 2).await, []);
    assert_eq!(watermark(&store, first).await, None);
    assert_eq!(again(|| walk_at_start(&*store.gaps, NOW)).await, 0);
}

pub async fn the_walk_at_start_spans_a_jump_of_a_million(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let scope = Scope::Messages(tenant.chat(1));
    reserve(&tenant, scope, 1_000_000, None).await;
    let ends = [1, 1_000_000];
    tenant.say(1, ends).await;
    again(|| walk_at_start(&*store.gaps, NOW)).await;
    assert_eq!(gaps_of(&tenant, 1).await, [(2, 999_999, Voided)]);
}

pub async fn a_walk_over_many_stored_numbers_finds_each_gap(store: Store) {
    const LAST: u64 = 10_100;
    let missing = [1, 2, 5_000, 10_000, 10_001, 10_050, LAST];
    let tenant = Tenant::with_chats(&store, 1).await;
    let scope = Scope::Messages(tenant.chat(1));
    reserve(&tenant, scope, 20_000, None).await;
    let stored: Vec<u64> = (1..=LAST).filter(|n| !missing.contains(n)).collect();
    for batch in stored.chunks(1_000) {
        tenant.say(1, batch.iter().copied()).await;
    }
    again(|| walk_at_start(&*store.gaps, NOW)).await;
    let expected = [
        (1, 2, Voided),
        (5_000, 5_000, Voided),
        (10_000, 10_001, Voided),
        (10_050, 10_050, Voided),
        (LAST, 20_000, BlockLost),
    ];
    assert_eq!(gaps_of(&tenant, 1).await, expected);
}
