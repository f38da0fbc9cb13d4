//! Whose messages are found, and how a search is narrowed.

use super::{Tenant, again, number_of};
use crate::model::Millis;
use crate::ports::{IndexDocument, Search, SearchRequest};
use std::sync::Arc;

pub async fn no_tenant_finds_what_another_wrote(search: Arc<dyn Search>) {
    let [mine, other] = [Tenant::new(&search), Tenant::new(&search)];
    mine.put([mine.message((1, 1), "shared word")]).await;
    other
        .put([
            other.message((1, 1), "shared secret"),
            other.message((1, 2), "secrets shared"),
        ])
        .await;
    for query in [
        "secret",
        "secre",
        "secrte",
        "\"shared secret\"",
        "shared -word",
    ] {
        mine.expect(query, &[]).await;
    }
    other.expect("secret", &[(1, 1), (1, 2)]).await;
    mine.expect("shared", &[(1, 1)]).await;
    assert_eq!(mine.ask(&mine.request("shared")).await.total, 1);
    let foreign = other.entries(1).await[0];
    let key = mine.chat(1).message(foreign.key.number);
    assert_eq!(again(|| search.version(key, foreign.uid)).await, None);
    assert_eq!(mine.digests().await.len(), 1);
}

pub async fn a_search_within_a_chat_stays_there(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    tenant
        .put([(1, 1), (2, 1), (2, 2), (22, 1)].map(|place| tenant.message(place, "word")))
        .await;
    tenant
        .expect("word", &[(1, 1), (2, 1), (2, 2), (22, 1)])
        .await;
    let within = |chat| SearchRequest {
        chat: Some(number_of(chat)),
        ..tenant.request("word")
    };
    tenant.expect_places(within(2), &[(2, 1), (2, 2)]).await;
    tenant.expect_places(within(3), &[]).await;
    assert_eq!(tenant.ask(&within(2)).await.total, 2);
}

pub async fn author_and_time_narrow_a_search(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let by = |number, author: &str| {
        let author = Some(author.to_owned());
        IndexDocument {
            author,
            ..tenant.message((1, number), "word")
        }
    };
    tenant
        .put([
            by(1, "Ada"),
            by(2, "ada"),
            by(3, "Ada Lovelace"),
            tenant.message((1, 4), "word Ada"),
        ])
        .await;
    tenant
        .expect("word", &[(1, 1), (1, 2), (1, 3), (1, 4)])
        .await;
    let word = || tenant.request("word");
    let moment = |millis| Some(Millis::new(millis));
    let author = |name: &str| SearchRequest {
        author: Some(name.to_owned()),
        ..word()
    };
    tenant.expect_places(author("Ada"), &[(1, 1)]).await;
    tenant
        .expect_places(author("Ada Lovelace"), &[(1, 3)])
        .await;
    tenant.expect_places(author("Lovelace"), &[]).await;
    tenant
        .expect_places(
            SearchRequest {
                since: moment(2000),
                ..word()
            },
            &[(1, 2), (1, 3), (1, 4)],
        )
        .await;
    tenant
        .expect_places(
            SearchRequest {
                until: moment(2000),
                ..word()
            },
            &[(1, 1)],
        )
        .await;
    tenant
        .expect_places(
            SearchRequest {
                since: moment(1001),
                until: moment(3001),
                ..word()
            },
            &[(1, 2), (1, 3)],
        )
        .await;
    tenant
        .expect_places(
            SearchRequest {
                since: moment(9000),
                ..author("Ada")
            },
            &[],
        )
        .await;
}
