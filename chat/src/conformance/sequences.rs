//! What every `Sequences` promises, one function per promise.

use super::fixture::{Store, Tenant, again, new_uid, number};
use crate::model::{Fingerprint, Scope};
use crate::ports::{Block, Remainder, Reserve, Stored};
use futures::future::join_all;

async fn reserve(store: &Store, scope: Scope, size: u32, expected_lo: Option<u64>) -> Block {
    let want = Reserve {
        scope,
        size,
        expected_lo,
    };
    let blocks = again(|| store.sequences.reserve(std::slice::from_ref(&want))).await;
    assert_eq!(blocks.len(), 1, "one block per want");
    blocks[0]
}

async fn high(store: &Store, scope: Scope) -> u64 {
    store.sequences.high(scope).await.expect("high")
}

async fn jumps(store: &Store, scope: Scope) -> Vec<u64> {
    let jumps = store.gaps.jumps(scope, 0, u64::from(u32::MAX)).await;
    jumps.expect("jumps")
}

pub async fn blocks_follow_one_another(store: Store) {
    let scope = Scope::Chats(Tenant::new(&store).await.app());
    assert_eq!(high(&store, scope).await, 0);
    let first = reserve(&store, scope, 10, None).await;
    let second = reserve(&store, scope, 5, Some(10)).await;
    assert_eq!(first, Block { lo: 0, hi: 10 });
    assert_eq!(second, Block { lo: 10, hi: 15 });
    assert_eq!(high(&store, scope).await, 15);
}

pub async fn scopes_are_counted_apart_and_answered_in_order(store: Store) {
    let tenant = Tenant::new(&store).await;
    let scopes = [
        Scope::Revs(tenant.chat(1)),
        Scope::Chats(tenant.app()),
        Scope::Messages(tenant.chat(12)),
        Scope::Messages(tenant.chat(1)),
    ];
    let wants: Vec<Reserve> = scopes
        .iter()
        .zip(1..)
        .map(|(scope, size)| Reserve {
            scope: *scope,
            size,
            expected_lo: None,
        })
        .collect();
    let blocks = again(|| store.sequences.reserve(&wants)).await;
    let ends: Vec<u64> = blocks.iter().map(|block| block.hi).collect();
    assert_eq!(ends, [1, 2, 3, 4]);
    for (scope, block) in scopes.into_iter().zip(blocks) {
        assert_eq!(high(&store, scope).await, block.hi);
    }
}

pub async fn one_call_may_reserve_a_scope_twice(store: Store) {
    let scope = Scope::Chats(Tenant::new(&store).await.app());
    let want = Reserve {
        scope,
        size: 3,
        expected_lo: None,
    };
    let wants = [want, want];
    let blocks = again(|| store.sequences.reserve(&wants)).await;
    assert_eq!(blocks, [Block { lo: 0, hi: 3 }, Block { lo: 3, hi: 6 }]);
}

pub async fn a_block_that_does_not_continue_the_callers_own_marks_a_jump(store: Store) {
    let scope = Scope::Chats(Tenant::new(&store).await.app());
    reserve(&store, scope, 10, None).await;
    reserve(&store, scope, 10, Some(10)).await;
    assert_eq!(jumps(&store, scope).await, [0_u64; 0]);
    // Another process, which holds nothing; then one that holds an older block.
    reserve(&store, scope, 10, None).await;
    reserve(&store, scope, 10, Some(20)).await;
    reserve(&store, scope, 10, Some(40)).await;
    assert_eq!(jumps(&store, scope).await, [20, 30]);
}

pub async fn no_number_is_in_two_blocks(store: Store) {
    let scope = Scope::Messages(Tenant::new(&store).await.chat(1));
    let takers = (0..16).map(|taker: u32| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut blocks = Vec::new();
            for size in 1..=8 {
                blocks.push(reserve(&store, scope, size + taker % 3, None).await);
            }
            blocks
        })
    });
    let taken = join_all(takers).await;
    let mut blocks: Vec<Block> = taken
        .into_iter()
        .flat_map(|blocks| blocks.expect("no taker panics"))
        .collect();
    blocks.sort_by_key(|block| block.lo);
    assert_eq!(blocks[0].lo, 0);
    assert!(blocks.windows(2).all(|pair| pair[0].hi == pair[1].lo));
    assert_eq!(
        blocks.last().map(|block| block.hi),
        Some(high(&store, scope).await)
    );
}

pub async fn an_unused_rest_is_given_back_only_while_its_block_is_the_last(store: Store) {
    let tenant = Tenant::new(&store).await;
    let (quiet, moved) = (Scope::Chats(tenant.app()), Scope::Revs(tenant.chat(1)));
    reserve(&store, quiet, 10, None).await;
    reserve(&store, moved, 10, None).await;
    reserve(&store, moved, 10, None).await;
    let remainders = [quiet, moved].map(|scope| Remainder {
        scope,
        last: 4,
        block_end: 10,
    });
    again(|| store.sequences.give_back(&remainders)).await;
    assert_eq!(high(&store, quiet).await, 4);
    assert_eq!(high(&store, moved).await, 20);
    // What continues after the last number given is no jump.
    let next = reserve(&store, quiet, 10, None).await;
    assert_eq!(next, Block { lo: 4, hi: 14 });
}

pub async fn the_first_number_bound_to_a_chat_key_stays(store: Store) {
    let tenant = Tenant::new(&store).await;
    let (uid, fingerprint) = (new_uid(), Fingerprint::of(&[b"body"]));
    let other = Fingerprint::of(&[b"other body"]);
    let bind = |n, fingerprint| {
        let sequences = &store.sequences;
        again(move || sequences.bind_chat(tenant.id, uid, number(n), fingerprint))
    };
    let bound = Stored {
        chat: number(7),
        number: number(7),
        fingerprint,
    };
    assert_eq!(bind(7, fingerprint).await, bound);
    assert_eq!(bind(8, other).await, bound);
    assert_eq!(bind(7, fingerprint).await, bound);
    let read = store.reader.chat_by_uid(tenant.id, uid).await;
    assert_eq!(read.expect("chat_by_uid"), Some(bound));
}

pub async fn a_chat_key_bound_at_once_gets_one_number(store: Store) {
    let tenant = Tenant::new(&store).await;
    let (uid, fingerprint) = (new_uid(), Fingerprint::of(&[b"body"]));
    let bound = join_all((1..=16).map(|n| {
        let sequences = &store.sequences;
        again(move || sequences.bind_chat(tenant.id, uid, number(n), fingerprint))
    }))
    .await;
    assert!(bound.iter().all(|stored| *stored == bound[0]), "{bound:?}");
}
