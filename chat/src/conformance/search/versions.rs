//! What stays when writes arrive in any order and more than once.

use super::{Tenant, again, digest_of, edited, removed};
use crate::ports::{IndexWrite, Search};
use std::sync::Arc;

pub async fn what_was_put_is_found_and_told(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let message = tenant.message((3, 7), "Hello, brave new world!");
    tenant.put([message.clone()]).await;
    tenant.expect("brave", &[(3, 7)]).await;
    assert_eq!(
        again(|| search.version(message.entry.key, message.entry.uid)).await,
        Some(1)
    );
    assert_eq!(tenant.entries(3).await, [message.entry]);
    assert_eq!(
        tenant.digests().await,
        [(tenant.chat(3), digest_of(&[message.entry]))]
    );
    search
        .ready()
        .await
        .expect("an index that just answered is ready");
}

pub async fn what_was_removed_is_found_and_told_nowhere(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let [gone, stays] = [(1, 1), (1, 2)].map(|place| tenant.message(place, "word"));
    let never = tenant.message((2, 1), "word");
    tenant.put([gone.clone(), stays.clone()]).await;
    tenant.expect("word", &[(1, 1), (1, 2)]).await;
    tenant.write(&[removed(&gone, 2), removed(&never, 5)]).await;
    tenant.expect("word", &[(1, 2)]).await;
    assert_eq!(tenant.ask(&tenant.request("word")).await.total, 1);
    for message in [&gone, &never] {
        assert_eq!(
            again(|| search.version(message.entry.key, message.entry.uid)).await,
            None
        );
    }
    assert_eq!(tenant.entries(1).await, [stays.entry]);
    assert_eq!(tenant.entries(2).await, []);
    assert_eq!(
        tenant.digests().await,
        [(tenant.chat(1), digest_of(&[stays.entry]))]
    );
}

pub async fn a_lower_version_never_replaces_a_higher_one(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    let mut edits = Vec::new();
    for (number, order) in (1..).zip(orders) {
        let message = tenant.message((1, number), "first");
        let last = edited(&message, 3, "third");
        let writes = [
            IndexWrite::Put(message.clone()),
            IndexWrite::Put(edited(&message, 2, "second")),
            IndexWrite::Put(last.clone()),
        ];
        for index in order {
            tenant.write(&writes[index..=index]).await;
        }
        edits.push(last.entry);
    }
    let mut removals = Vec::new();
    for (number, order) in (7..).zip(orders) {
        let message = tenant.message((1, number), "first");
        let writes = [
            IndexWrite::Put(message.clone()),
            IndexWrite::Put(edited(&message, 2, "second")),
            removed(&message, 3),
        ];
        for index in order {
            tenant.write(&writes[index..=index]).await;
        }
        removals.push(message.entry);
    }
    tenant
        .expect("third", &[(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (1, 6)])
        .await;
    tenant.expect("first", &[]).await;
    tenant.expect("second", &[]).await;
    assert_eq!(tenant.entries(1).await, edits);
    for entry in removals {
        assert_eq!(again(|| search.version(entry.key, entry.uid)).await, None);
    }
}

pub async fn a_removal_can_be_followed_by_a_higher_version(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let message = tenant.message((1, 1), "first");
    tenant.write(&[removed(&message, 2)]).await;
    tenant.put([message.clone()]).await;
    tenant.put([edited(&message, 3, "third")]).await;
    tenant.expect("third", &[(1, 1)]).await;
    tenant.expect("first", &[]).await;
}

pub async fn of_the_same_version_the_removal_stays(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let [before, after, other] =
        [(1, 1), (1, 2), (1, 3)].map(|place| tenant.message(place, "word"));
    tenant.write(&[removed(&after, 1)]).await;
    tenant.put([before.clone(), after, other]).await;
    tenant.write(&[removed(&before, 1)]).await;
    tenant.expect("word", &[(1, 3)]).await;
}

pub async fn one_batch_may_hold_a_message_many_times(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let [edit, remove] = [(1, 1), (1, 2)].map(|place| tenant.message(place, "first"));
    tenant
        .write(&[
            IndexWrite::Put(edited(&edit, 2, "second")),
            IndexWrite::Put(edit.clone()),
            removed(&remove, 2),
            IndexWrite::Put(remove.clone()),
            IndexWrite::Put(edited(&edit, 2, "second")),
        ])
        .await;
    tenant.expect("second", &[(1, 1)]).await;
    tenant.expect("first", &[]).await;
    assert_eq!(tenant.entries(1).await.len(), 1);
    tenant.write(&[]).await;
}
