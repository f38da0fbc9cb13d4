//! What the index tells of its contents, for the comparison with the store.

use super::{Tenant, digest_of, eventually};
use crate::model::{AppId, ChatKey, Number};
use crate::ports::Search;
use std::sync::Arc;

pub async fn digests_are_told_page_by_page(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let mut expected = Vec::new();
    for chat in [300, 2, 1, 257] {
        let messages: Vec<_> = (1..=3)
            .map(|number| tenant.message((chat, number), "word"))
            .collect();
        let entries: Vec<_> = messages.iter().map(|message| message.entry).collect();
        expected.push((tenant.chat(chat), digest_of(&entries)));
        tenant.put(messages).await;
    }
    expected.sort_unstable_by_key(|(chat, _)| *chat);
    eventually("digests", expected.clone(), || tenant.digests()).await;
    let mut after = ChatKey {
        app: AppId::from_stored(tenant.id.app().get() - 1),
        number: Number::MAX,
    };
    for next in &expected {
        let page = search
            .digests(Some(after), 1)
            .await
            .expect("the index compares");
        assert_eq!(page, [*next]);
        after = next.0;
    }
}

pub async fn entries_are_told_page_by_page(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let mut messages: Vec<_> = (1..=10)
        .map(|number| tenant.message((1, number * 100), "word"))
        .collect();
    let expected: Vec<_> = messages.iter().map(|message| message.entry).collect();
    messages.reverse();
    for part in messages.chunks(4) {
        tenant.put(part.to_vec()).await;
    }
    eventually("entries", expected.clone(), || tenant.entries(1)).await;
    let page = |after, limit| search.entries(tenant.chat(1), after, limit);
    assert_eq!(page(0, 4).await.expect("the index lists"), expected[..4]);
    assert_eq!(page(400, 4).await.expect("the index lists"), expected[4..8]);
    assert_eq!(page(399, 2).await.expect("the index lists"), expected[3..5]);
    assert_eq!(page(1000, 4).await.expect("the index lists"), []);
}
