//! What every `Rebuild` promises. Each function takes an index of its own, as two programs have it open.

use super::{Place, Tenant, eventually, removed};
use crate::error::Error;
use crate::model::Millis;
use crate::ports::{IndexWrite, NewIndex, Rebuild, Search};
use std::sync::Arc;

/// An index as one program has it open.
#[derive(Clone)]
pub struct Opened {
    pub search: Arc<dyn Search>,
    pub rebuild: Arc<dyn Rebuild>,
}

const DAY_MS: i64 = 24 * 3_600_000;

async fn begun(by: &Opened) -> NewIndex {
    by.rebuild.begin().await.expect("an index can be built")
}

/// Both programs have written since the new index was there, so they know of it.
async fn seen(opened: &[&Opened]) {
    tokio::time::sleep(opened[0].rebuild.lead()).await;
}

pub async fn an_index_that_was_begun_is_begun_once([one, other]: [Opened; 2]) {
    let name = begun(&one).await.name;
    assert_eq!(begun(&other).await.name, name);
    assert_eq!(begun(&one).await.name, name);
}

pub async fn what_is_written_meanwhile_is_in_both([one, other]: [Opened; 2]) {
    let [before, after] = [&one, &other].map(|opened| Tenant::new(&opened.search));
    let [old, gone] = [(1, 1), (1, 2)].map(|place| before.message(place, "word"));
    before.put([old.clone(), gone.clone()]).await;
    before.expect("word", &[(1, 1), (1, 2)]).await;
    let next = begun(&one).await;
    seen(&[&one, &other]).await;
    let in_next = Tenant {
        search: next.search.clone(),
        id: before.id,
    };
    // In the order that is worst: the removal comes before what it removes is copied.
    other
        .search
        .write(&[removed(&gone, 2)])
        .await
        .expect("the index takes writes");
    after.put([after.message((1, 1), "word")]).await;
    in_next.put([old, gone]).await;
    in_next.expect("word", &[(1, 1)]).await;
    before.expect("word", &[(1, 1)]).await;
    let of_other = Tenant {
        search: next.search,
        id: after.id,
    };
    of_other.expect("word", &[(1, 1)]).await;
    after.expect("word", &[(1, 1)]).await;
}

pub async fn a_finished_index_is_the_one_in_use_for_everybody([one, other]: [Opened; 2]) {
    let tenant = Tenant::new(&other.search);
    tenant.put([tenant.message((1, 1), "old")]).await;
    tenant.expect("old", &[(1, 1)]).await;
    let NewIndex { name, search } = begun(&one).await;
    seen(&[&one, &other]).await;
    let next = Tenant {
        search,
        id: tenant.id,
    };
    next.put([tenant.message((1, 2), "new")]).await;
    next.expect("new", &[(1, 2)]).await;
    tenant.expect("new", &[]).await;
    one.rebuild.finish(&name).await.expect("it is finished");
    tenant.expect("new", &[(1, 2)]).await;
    tenant.expect("old", &[]).await;
    // Who still thinks that there are two writes all the same.
    tenant.put([tenant.message((1, 3), "newer")]).await;
    tenant.expect("new", &[(1, 2), (1, 3)]).await;
    assert_eq!(other.rebuild.size().await.expect("it is counted"), 2);
    assert_eq!(other.rebuild.unfilled().await.expect("it is known"), None);
    assert_ne!(begun(&other).await.name, name);
}

pub async fn only_the_index_that_is_being_built_can_be_finished([one, other]: [Opened; 2]) {
    let tenant = Tenant::new(&one.search);
    tenant.put([tenant.message((1, 1), "word")]).await;
    let given_up = begun(&one).await.name;
    other.rebuild.give_up().await.expect("it is given up");
    let refused = one.rebuild.finish(&given_up).await;
    assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
    let next = begun(&other).await.name;
    other.rebuild.finish(&next).await.expect("it is finished");
    let refused = one.rebuild.finish(&next).await;
    assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
    eventually("the new index is in use", 0, || async {
        one.rebuild.size().await.expect("it is counted")
    })
    .await;
}

pub async fn an_index_that_was_given_up_is_gone_and_writing_goes_on([one, other]: [Opened; 2]) {
    let tenant = Tenant::new(&other.search);
    one.rebuild.give_up().await.expect("nothing is given up");
    let next = begun(&one).await;
    seen(&[&one, &other]).await;
    tenant.put([tenant.message((1, 1), "word")]).await;
    one.rebuild.give_up().await.expect("it is given up");
    tenant.put([tenant.message((1, 2), "word")]).await;
    tenant.expect("word", &[(1, 1), (1, 2)]).await;
    let write = IndexWrite::Put(tenant.message((1, 3), "word"));
    let refused = next.search.write(&[write]).await;
    assert!(
        matches!(refused, Err(Error::Unavailable { .. })),
        "{refused:?}"
    );
}

pub async fn an_index_out_of_use_is_kept_for_a_day([one, other]: [Opened; 2]) {
    let tenant = Tenant::new(&one.search);
    tenant.put([tenant.message((1, 1), "word")]).await;
    let name = begun(&one).await.name;
    one.rebuild.finish(&name).await.expect("it is finished");
    let building = begun(&one).await.name;
    let sweep =
        async |by: &Opened, at: i64| by.rebuild.sweep(Millis::new(at)).await.expect("sweeps");
    assert_eq!(sweep(&one, 5_000).await, 0);
    assert_eq!(sweep(&other, 5_000 + DAY_MS - 1).await, 0);
    assert_eq!(sweep(&other, 5_000 + DAY_MS).await, 1);
    assert_eq!(sweep(&one, 9_000 + 2 * DAY_MS).await, 0);
    assert_eq!(begun(&other).await.name, building);
}

pub async fn an_index_is_unfilled_until_somebody_filled_it([one, other]: [Opened; 2]) {
    let name = one.rebuild.unfilled().await.expect("it is known");
    let name = name.expect("an index made empty is not filled");
    other
        .rebuild
        .filled("nothing-messages-v1")
        .await
        .expect("nothing happens");
    assert_eq!(
        other.rebuild.unfilled().await.expect("it is known"),
        Some(name.clone())
    );
    other.rebuild.filled(&name).await.expect("it is noted");
    assert_eq!(one.rebuild.unfilled().await.expect("it is known"), None);
}

pub async fn the_messages_in_use_are_counted([one, other]: [Opened; 2]) {
    let tenant = Tenant::new(&one.search);
    let messages: Vec<_> = (1..=7)
        .map(|number| tenant.message((1, number), "word"))
        .collect();
    let gone = removed(&messages[0], 2);
    tenant.put(messages).await;
    tenant.write(&[gone]).await;
    let places: Vec<Place> = (2..=7).map(|number| (1, number)).collect();
    tenant.expect("word", &places).await;
    assert_eq!(other.rebuild.size().await.expect("it is counted"), 6);
}
