//! What the index does when its server has a bad day, or forgets.

use super::index::TestIndex;
use super::proxy::{Fault, Proxy};
use chat::adapters::elasticsearch::ElasticIndex;
use chat::error::Error;
use chat::model::{AppId, ChatKey, MessageKey, Millis, Number, Uid};
use chat::ports::{IndexDocument, IndexEntry, IndexWrite, Search};
use reqwest::Method;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);

fn key(number: u64) -> MessageKey {
    let chat = ChatKey {
        app: AppId::from_stored(7),
        number: Number::new(1).unwrap(),
    };
    chat.message(Number::new(number).unwrap())
}

fn uid(number: u64) -> Uid {
    Uid::from_digest([u8::try_from(number).unwrap(); 16])
}

fn entry(number: u64, version: u64) -> IndexEntry {
    IndexEntry {
        key: key(number),
        uid: uid(number),
        version,
    }
}

fn put(number: u64, version: u64) -> IndexWrite {
    put_words(number, version, "word".to_owned())
}

fn put_words(number: u64, version: u64, words: String) -> IndexWrite {
    IndexWrite::Put(IndexDocument {
        entry: entry(number, version),
        words,
        author: None,
        created_at: Millis::new(0),
    })
}

async fn numbers(index: &dyn Search) -> Vec<u64> {
    let entries = index.entries(key(1).chat, 0, 100).await.unwrap();
    entries.iter().map(|entry| entry.key.number.get()).collect()
}

async fn expect_numbers(index: &dyn Search, expected: &[u64]) {
    let start = Instant::now();
    loop {
        let now = numbers(index).await;
        if now == expected {
            return;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "{now:?} instead of {expected:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An index, and the same behind a proxy.
async fn behind_proxy() -> Option<(TestIndex, ElasticIndex, Proxy)> {
    let index = TestIndex::new().await?;
    index.open().await;
    let proxy = Proxy::before(&index.server.url, None).await;
    let through = index.open_at(&proxy.url());
    // So that the next request is the one that the test makes.
    through.write(&[put(99, 1)]).await.unwrap();
    through
        .write(&[IndexWrite::Remove(entry(99, 2))])
        .await
        .unwrap();
    Some((index, through, proxy))
}

/// Names the server and says what to do, and keeps the password to itself.
pub(super) fn assert_speaks(error: &Error, advice: &str) {
    let text = format!("{error} {error:?}");
    assert!(text.contains("127.0.0.1"), "{text}");
    assert!(text.contains(advice), "{text}");
    assert!(!text.contains("cret"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_bulk_only_what_was_refused_is_to_be_tried_again() {
    let Some((_index, through, proxy)) = behind_proxy().await else {
        return;
    };
    let writes: Vec<IndexWrite> = (1..=5).map(|number| put(number, 1)).collect();
    for (status, victim) in [(429, 2), (503, 4), (403, 5)] {
        proxy.next([Fault::Documents(vec![uid(victim).to_string()], status)]);
        let results = through.write(&writes).await.unwrap();
        for (number, result) in (1..).zip(results) {
            match result {
                Err(Error::Busy(_)) => assert_eq!(number, victim),
                other => assert!(other.is_ok() && number != victim, "{number}: {other:?}"),
            }
        }
    }
    expect_numbers(&through, &[1, 2, 3, 4, 5]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_the_mapping_refuses_is_invalid_and_the_others_are_written() {
    let Some((_index, through, proxy)) = behind_proxy().await else {
        return;
    };
    proxy.next([Fault::Documents(vec![uid(2).to_string()], 400)]);
    let results = through
        .write(&[put(1, 1), put(2, 1), put(3, 1)])
        .await
        .unwrap();
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    assert!(
        matches!(results[1], Err(Error::Invalid { .. })),
        "{results:?}"
    );
    expect_numbers(&through, &[1, 3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_that_is_too_large_is_sent_in_parts() {
    let Some((_index, through, proxy)) = behind_proxy().await else {
        return;
    };
    let large = put_words(9, 1, "x ".repeat(2_000));
    let mut writes: Vec<IndexWrite> = (1..=8).map(|number| put(number, 1)).collect();
    writes.insert(5, large);
    proxy.always(Some(Fault::LargerThan(1_500)));
    let results = through.write(&writes).await.unwrap();
    assert_eq!(results.len(), 9);
    for (place, result) in results.iter().enumerate() {
        let refused = matches!(result, Err(Error::Invalid { .. }));
        assert_eq!(refused, place == 5, "{place}: {result:?}");
    }
    proxy.always(None);
    expect_numbers(&through, &[1, 2, 3, 4, 5, 6, 7, 8]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_overwhelmed_is_busy_and_one_that_is_away_unavailable() {
    let Some((_index, through, proxy)) = behind_proxy().await else {
        return;
    };
    proxy.always(Some(Fault::Refused(429, "es_rejected_execution_exception")));
    for error in [
        through.write(&[put(1, 1)]).await.unwrap_err(),
        through.entries(key(1).chat, 0, 9).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Busy(_)), "{error}");
        assert_speaks(&error, "es_rejected_execution_exception");
    }
    proxy.always(Some(Fault::Late(Duration::from_secs(2))));
    let error = through.version(key(1), uid(1)).await.unwrap_err();
    assert!(matches!(error, Error::Busy(_)), "{error}");
    assert_speaks(&error, "800 ms");
    for (fault, advice) in [
        (Fault::Refused(503, "no_master"), "503 no_master"),
        (Fault::Refused(401, "security_exception"), "check the user"),
        (Fault::Cut, "check that it runs"),
        (Fault::Endless, "more than"),
    ] {
        proxy.always(Some(fault));
        for error in [
            through.write(&[put(1, 1)]).await.unwrap_err(),
            through.digests(None, 9).await.unwrap_err(),
            through.ready().await.unwrap_err(),
        ] {
            assert!(
                matches!(error, Error::Unavailable { part: "index", .. }),
                "{error}"
            );
            assert_speaks(&error, advice);
        }
    }
    proxy.always(None);
    through.ready().await.unwrap();
    assert!(through.write(&[put(1, 1)]).await.unwrap()[0].is_ok());
    drop(proxy);
    let gone = through.ready().await.unwrap_err();
    assert!(matches!(gone, Error::Unavailable { .. }), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_come_in_smaller_pages_from_an_index_that_is_overwhelmed() {
    let Some((_index, through, proxy)) = behind_proxy().await else {
        return;
    };
    through.write(&[put(1, 1)]).await.unwrap();
    expect_numbers(&through, &[1]).await;
    proxy.next([Fault::Refused(429, ""), Fault::Refused(429, "")]);
    assert_eq!(through.digests(None, 1_000).await.unwrap().len(), 1);
    proxy.always(Some(Fault::Refused(429, "")));
    let busy = through.digests(None, 1_000).await;
    assert!(matches!(busy, Err(Error::Busy(_))), "{busy:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_was_lost_is_done_once_more_and_is_once_there() {
    let Some((_index, through, proxy)) = behind_proxy().await else {
        return;
    };
    proxy.next([Fault::CutAfter]);
    let lost = through
        .write(&[put(1, 1), IndexWrite::Remove(entry(2, 3))])
        .await;
    assert!(matches!(lost, Err(Error::Unavailable { .. })), "{lost:?}");
    let again = through.write(&[put(1, 1), put(2, 2)]).await.unwrap();
    assert!(again.iter().all(Result::is_ok), "{again:?}");
    expect_numbers(&through, &[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_message_stays_removed_when_the_server_forgets() {
    let Some(test) = TestIndex::new().await else {
        return;
    };
    let index = test.open().await;
    index.write(&[put(1, 1), put(2, 1)]).await.unwrap();
    index
        .write(&[IndexWrite::Remove(entry(1, 2))])
        .await
        .unwrap();
    // Reopening forgets what was deleted as a restart does.
    for name in test.server.indices(&test.prefix).await {
        for action in ["_flush", "_close", "_open?wait_for_active_shards=1"] {
            let path = format!("{name}/{action}");
            let (status, answer) = test.server.ask(Method::POST, &path, None).await;
            assert!(status.is_success(), "{answer}");
        }
    }
    let late = index.write(&[put(1, 1), put(3, 1)]).await.unwrap();
    assert!(late.iter().all(Result::is_ok), "{late:?}");
    expect_numbers(&index, &[2, 3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_deleted_is_made_again_by_the_next_write() {
    let Some(test) = TestIndex::new().await else {
        return;
    };
    let index = Arc::new(test.open().await);
    index.write(&[put(1, 1)]).await.unwrap();
    for name in test.server.indices(&test.prefix).await {
        test.server.remove(&name).await;
    }
    let missing = index.ready().await.unwrap_err();
    assert!(matches!(missing, Error::Unavailable { .. }), "{missing}");
    assert_speaks(&missing, "a worker makes the index");
    let writers = (2..=9).map(|number| {
        let index = index.clone();
        tokio::spawn(async move { index.write(&[put(number, 1)]).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        assert!(writer.await.unwrap().unwrap()[0].is_ok());
    }
    expect_numbers(&*index, &[2, 3, 4, 5, 6, 7, 8, 9]).await;
    // With our mapping, and once.
    assert_eq!(test.server.indices(&test.prefix).await.len(), 1);
    index.ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_stands_where_the_alias_belongs_is_named() {
    let Some(test) = TestIndex::new().await else {
        return;
    };
    let name = format!("{}-messages", test.prefix);
    test.server.ask(Method::PUT, &name, Some("{}")).await;
    let index = test.open_at(&test.server.url);
    for error in [
        index.ensure().await.unwrap_err(),
        index.write(&[put(1, 1)]).await.unwrap_err(),
    ] {
        assert_speaks(
            &error,
            &format!("{name} is an index where it should be an alias"),
        );
    }
}
