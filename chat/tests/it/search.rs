//! The promises of `Search` on the adapters that need no server, and what only tantivy promises.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use chat::adapters::memory_search::MemorySearch;
use chat::adapters::tantivy::TantivyIndex;
use chat::conformance;
use chat::error::Error;
use chat::model::{AppId, ChatKey, Millis, Number, Uid};
use chat::ops::search::words;
use chat::ports::{Digest, IndexDocument, IndexEntry, IndexWrite, Search};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::Arc;

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        mod memory {
            use super::*;
            $(#[tokio::test] async fn $promise() {
                conformance::search::$promise(Arc::new(MemorySearch::default())).await;
            })*
        }
        mod tantivy {
            use super::*;
            $(#[tokio::test] async fn $promise() {
                let dir = tempfile::tempdir().unwrap();
                conformance::search::$promise(Arc::new(TantivyIndex::open(dir.path()).unwrap())).await;
            })*
        }
    };
}

chat::promises_of_search!(promises);

fn chat(app: i64, number: u64) -> ChatKey {
    ChatKey {
        app: AppId::from_stored(app),
        number: Number::new(number).unwrap(),
    }
}

fn document(app: i64, number: u8, version: u64, text: &str) -> IndexDocument {
    let key = chat(app, 1).message(Number::new(u64::from(number)).unwrap());
    let entry = IndexEntry {
        key,
        uid: Uid::from_digest([number; 16]),
        version,
    };
    IndexDocument {
        entry,
        words: words(text),
        author: None,
        created_at: Millis::new(0),
    }
}

async fn digest(index: &dyn Search) -> Option<Digest> {
    index
        .digests(None, 10)
        .await
        .unwrap()
        .first()
        .map(|(_, digest)| *digest)
}

async fn filled(dir: &Path) -> Option<Digest> {
    let index = TantivyIndex::open(dir).unwrap();
    for number in 1..=3 {
        index
            .write(&[IndexWrite::Put(document(1, number, 1, "word"))])
            .await
            .unwrap();
    }
    let digest = digest(&index).await;
    index.close().await.unwrap();
    digest
}

fn damage(dir: &Path, extension: &str, change: impl Fn(&Path)) {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let wanted: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|found| found == extension))
        .collect();
    assert!(!wanted.is_empty(), "no .{extension} in the index");
    change(&wanted[0]);
}

#[tokio::test]
async fn an_index_survives_being_closed_and_opened() {
    let dir = tempfile::tempdir().unwrap();
    let before = filled(dir.path()).await;
    assert!(before.is_some());
    assert_eq!(
        digest(&TantivyIndex::open(dir.path()).unwrap()).await,
        before
    );
}

type Damage<'a> = &'a dyn Fn(&Path);

#[tokio::test]
async fn a_damaged_index_is_replaced_by_an_empty_one_that_works() {
    let flip = |file: &Path| {
        let mut bytes = fs::read(file).unwrap();
        bytes[0] ^= 0x40;
        fs::write(file, bytes).unwrap();
    };
    let truncate = |file: &Path| fs::write(file, &fs::read(file).unwrap()[..5]).unwrap();
    let remove = |file: &Path| fs::remove_file(file).unwrap();
    let garbage = |file: &Path| fs::write(file, "{}").unwrap();
    let damages: [(&str, Damage); 7] = [
        ("idx", &flip),
        ("fast", &flip),
        ("term", &truncate),
        ("pos", &remove),
        ("fast", &remove),
        ("json", &garbage),
        ("json", &truncate),
    ];
    for (extension, change) in damages {
        let dir = tempfile::tempdir().unwrap();
        let before = filled(dir.path()).await;
        damage(dir.path(), extension, change);
        let index = TantivyIndex::open(dir.path()).unwrap();
        let found = digest(&index).await;
        assert!(
            found.is_none() || found == before,
            "half an index: {extension}"
        );
        let again: Vec<_> = (1..=3)
            .map(|number| IndexWrite::Put(document(1, number, 1, "word")))
            .collect();
        index.write(&again).await.unwrap();
        assert_eq!(digest(&index).await, before, "{extension}");
    }
}

#[tokio::test]
async fn an_index_of_another_schema_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let before = filled(dir.path()).await;
    let meta = dir.path().join("meta.json");
    let changed = fs::read_to_string(&meta)
        .unwrap()
        .replace("chat_number", "chat_numbre");
    fs::write(&meta, changed).unwrap();
    let index = TantivyIndex::open(dir.path()).unwrap();
    assert_eq!(digest(&index).await, None);
    drop(index);
    assert_eq!(filled(dir.path()).await, before);
}

#[tokio::test]
async fn a_failed_write_is_unavailable_and_forgotten_once_one_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let (home, away) = (dir.path().join("index"), dir.path().join("away"));
    let index = TantivyIndex::open(&home).unwrap();
    let write = [IndexWrite::Put(document(1, 1, 1, "word"))];
    fs::rename(&home, &away).unwrap();
    let refused = index.write(&write).await.unwrap_err();
    assert!(
        matches!(refused, Error::Unavailable { part: "index", .. }),
        "{refused}"
    );
    assert!(matches!(
        index.ready().await,
        Err(Error::Unavailable { part: "index", .. })
    ));
    assert_eq!(digest(&index).await, None);
    fs::rename(&away, &home).unwrap();
    index.write(&write).await.unwrap();
    index.ready().await.unwrap();
    assert!(digest(&index).await.is_some());
}

#[derive(Clone, Debug)]
struct Step {
    number: u8,
    version: u64,
    /// `None` removes.
    text: Option<String>,
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let text = proptest::option::weighted(
        0.7,
        "(kernel|kernal|panic|pan|日本|🚀)( (kernel|panics|of)){0,3}",
    );
    let step = (1u8..6, 1u64..5, text).prop_map(|(number, version, text)| Step {
        number,
        version,
        text,
    });
    proptest::collection::vec(proptest::collection::vec(step, 1..6), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn after_any_writes_tantivy_holds_what_the_memory_index_holds(batches in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let memory = MemorySearch::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut index = TantivyIndex::open(dir.path()).unwrap();
            for (count, batch) in batches.iter().enumerate() {
                let writes: Vec<IndexWrite> = batch.iter().map(|step| {
                    let text = step.text.as_deref().map(|text| format!("{text} {}", step.version));
                    match text {
                        Some(text) => IndexWrite::Put(document(1, step.number, step.version, &text)),
                        None => IndexWrite::Remove(document(1, step.number, step.version, "").entry),
                    }
                }).collect();
                index.write(&writes).await.unwrap();
                memory.write(&writes).await.unwrap();
                if count % 3 == 2 {
                    index.close().await.unwrap();
                    index = TantivyIndex::open(dir.path()).unwrap();
                }
                let chat = chat(1, 1);
                assert_eq!(index.digests(None, 9).await.unwrap(), memory.digests(None, 9).await.unwrap());
                assert_eq!(index.entries(chat, 0, 9).await.unwrap(), memory.entries(chat, 0, 9).await.unwrap());
                for number in 1..6 {
                    let IndexEntry { key, uid, .. } = document(1, number, 0, "").entry;
                    assert_eq!(index.version(key, uid).await.unwrap(), memory.version(key, uid).await.unwrap());
                }
            }
        });
    }
}
