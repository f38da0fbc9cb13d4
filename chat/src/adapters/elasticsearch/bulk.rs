//! Writes many documents at once, and reads what became of each.
//!
//! The answer to a bulk is 200 whatever happened: only what it says of each item counts (W26).

use super::schema::{document, order_of, routing};
use crate::error::{Error, Result};
use crate::model::Problem;
use crate::ports::IndexWrite;
use serde::Deserialize;
use serde_json::json;
use std::ops::Range;

/// What a request holds at most, unless one document alone is larger. A server refuses 100 MB.
const MAX_BYTES: usize = 5 << 20;

/// Some neighbouring writes, and the body of a request for them.
pub(super) struct Bulk {
    pub(super) writes: Range<usize>,
    pub(super) body: Vec<u8>,
}

/// Requests for all writes, in order.
pub(super) fn bulks(writes: &[IndexWrite]) -> Vec<Bulk> {
    let mut bulks: Vec<Bulk> = Vec::new();
    for (place, write) in writes.iter().enumerate() {
        let lines = lines(write);
        match bulks.last_mut() {
            Some(bulk) if bulk.body.len() + lines.len() <= MAX_BYTES => {
                bulk.writes.end = place + 1;
                bulk.body.extend(lines);
            }
            _ => bulks.push(Bulk {
                writes: place..place + 1,
                body: lines,
            }),
        }
    }
    bulks
}

fn lines(write: &IndexWrite) -> Vec<u8> {
    let entry = write.entry();
    let action = json!({ "index": {
        "_id": entry.uid,
        "routing": routing(entry.key.chat.app),
        "version_type": "external",
        "version": order_of(write),
    }});
    format!("{action}\n{}\n", document(write)).into_bytes()
}

/// What the answer is asked for: without it, an answer is as long as its request.
pub(super) const FILTER: &str = "filter_path=items.*.status,items.*.error.type";

#[derive(Deserialize)]
pub(super) struct Answered {
    #[serde(default)]
    pub(super) items: Vec<Item>,
}

#[derive(Deserialize)]
pub(super) struct Item {
    index: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    status: u16,
    error: Option<Problematic>,
}

#[derive(Deserialize)]
struct Problematic {
    #[serde(rename = "type")]
    kind: String,
}

impl Item {
    /// Whether there was no index under the alias.
    pub(super) fn has_no_index(&self) -> bool {
        self.index.status == 404
    }

    pub(super) fn result(&self) -> Result<()> {
        let Outcome { status, error } = &self.index;
        let kind = error.as_ref().map_or("", |error| error.kind.as_str());
        match status {
            200..300 => Ok(()),
            // The index has this version, or a greater one.
            409 => Ok(()),
            400 => Err(refused(kind)),
            // 403 and 429 are also what a full disk looks like.
            _ => Err(Error::Busy(format!(
                "the index answers {status} {kind} for one document"
            ))),
        }
    }
}

pub(super) fn refused(kind: &str) -> Error {
    Error::invalid(
        "index",
        Problem::new(
            format!("it refuses a document: {kind}"),
            "check the mapping of the index, or build the index anew",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AppId, ChatKey, Millis, Number, Uid};
    use crate::ports::{IndexDocument, IndexEntry};

    fn put(bytes: usize) -> IndexWrite {
        let number = Number::new(1).unwrap();
        let chat = ChatKey {
            app: AppId::from_stored(1),
            number,
        };
        let entry = IndexEntry {
            key: chat.message(number),
            uid: Uid::from_digest([7; 16]),
            version: 3,
        };
        IndexWrite::Put(IndexDocument {
            entry,
            words: "x".repeat(bytes),
            author: None,
            created_at: Millis::new(0),
        })
    }

    #[test]
    fn a_request_is_bounded_and_holds_at_least_one_document() {
        let writes = [
            put(3 << 20),
            put(1 << 20),
            put(1 << 20),
            put(9 << 20),
            put(1),
        ];
        let ranges: Vec<_> = bulks(&writes).into_iter().map(|bulk| bulk.writes).collect();
        assert_eq!(ranges, [0..1, 1..3, 3..4, 4..5]);
        assert!(bulks(&[]).is_empty());
    }

    #[test]
    fn a_removal_is_a_document_with_a_version_and_nothing_else() {
        let removal = IndexWrite::Remove(*put(1).entry());
        let text = String::from_utf8(lines(&removal)).unwrap();
        let (action, document) = text.split_once('\n').unwrap();
        assert!(action.contains("\"version\":7"), "{action}");
        assert_eq!(document, "{}\n");
    }

    #[test]
    fn what_is_said_of_an_item_decides_and_nothing_else() {
        let result = |status: u16| {
            let text = format!(r#"{{"index":{{"status":{status},"error":{{"type":"why"}}}}}}"#);
            serde_json::from_str::<Item>(&text).unwrap().result()
        };
        assert!(result(200).is_ok() && result(201).is_ok() && result(409).is_ok());
        for status in [403, 429, 500, 503] {
            assert!(matches!(result(status), Err(Error::Busy(_))), "{status}");
        }
        assert!(matches!(result(400), Err(Error::Invalid { .. })));
    }
}
