//! The order of hits, their pages and how many there are.

use super::{Place, Tenant, eventually};
use crate::ports::{Hits, Search, SearchRequest, Sort};
use std::sync::Arc;

pub async fn words_as_typed_come_before_longer_and_mistyped_ones(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    tenant
        .put([
            tenant.message((1, 1), "kernal panic here"),
            tenant.message((1, 2), "kernel panic here"),
            tenant.message((1, 3), "kernels panic here"),
        ])
        .await;
    let request = SearchRequest {
        sort: Sort::Relevance,
        ..tenant.request("kernel")
    };
    tenant
        .expect_places(request.clone(), &[(1, 2), (1, 3), (1, 1)])
        .await;
    let scores: Vec<f32> = tenant
        .ask(&request)
        .await
        .hits
        .iter()
        .map(|hit| hit.score)
        .collect();
    assert!(scores.is_sorted_by(|a, b| a > b), "{scores:?}");
}

pub async fn among_equals_the_newer_comes_first(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    for place in [(2, 1), (1, 3), (1, 1), (1, 2), (2, 2)] {
        tenant.put([tenant.message(place, "equal words")]).await;
    }
    let newer_first = [(2, 2), (2, 1), (1, 3), (1, 2), (1, 1)];
    tenant
        .expect_places(
            SearchRequest {
                sort: Sort::Relevance,
                ..tenant.request("equal")
            },
            &newer_first,
        )
        .await;
    let ascending = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)];
    tenant
        .expect_places(
            SearchRequest {
                sort: Sort::Number,
                ..tenant.request("equal")
            },
            &ascending,
        )
        .await;
}

pub async fn pages_follow_one_another_without_gap_or_repetition(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    for part in [1..=10, 11..=25] {
        tenant
            .put(part.map(|number| tenant.message((1, number), "word")))
            .await;
    }
    let all: Vec<Place> = (1..=25).map(|number| (1, number)).collect();
    tenant.expect("word", &all).await;
    for sort in [Sort::Number, Sort::Relevance] {
        let mut seen = Vec::new();
        for page in 0..4 {
            let request = SearchRequest {
                sort,
                offset: page * 7,
                limit: 7,
                ..tenant.request("word")
            };
            assert_eq!(tenant.ask(&request).await.total, 25);
            seen.extend(tenant.places(&request).await);
        }
        seen.sort_unstable();
        assert_eq!(seen, all);
    }
    let beyond = SearchRequest {
        offset: 900,
        ..tenant.request("word")
    };
    let Hits {
        total,
        total_capped,
        hits,
    } = tenant.ask(&beyond).await;
    assert_eq!((total, total_capped, hits), (25, false, vec![]));
}

pub async fn hits_are_counted_to_a_thousand(search: Arc<dyn Search>) {
    let tenant = Tenant::new(&search);
    let request = tenant.request("word");
    let total = || async {
        let hits = tenant.ask(&request).await;
        (hits.total, hits.total_capped)
    };
    tenant
        .put((1..=1000).map(|number| tenant.message((1, number), "word")))
        .await;
    eventually("a thousand", (1000, false), total).await;
    tenant.put([tenant.message((1, 1001), "word")]).await;
    eventually("one more", (1000, true), total).await;
    let last = SearchRequest {
        offset: 990,
        limit: 10,
        ..tenant.request("word")
    };
    let expected: Vec<Place> = (991..=1000).map(|number| (1, number)).collect();
    tenant.expect_places(last, &expected).await;
}
