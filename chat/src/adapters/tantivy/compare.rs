//! Tells what the index holds, so that it can be compared with the store.
//!
//! Chats come in the order of their terms; documents are read from columns one by one, so memory does not
//! grow with the index.

use super::schema::{Columns, Fields, chat_of};
use crate::model::{ChatKey, MessageKey, Uid};
use crate::ports::{Digest, IndexEntry};
use std::collections::BinaryHeap;
use tantivy::postings::SegmentPostings;
use tantivy::schema::IndexRecordOption;
use tantivy::termdict::TermMerger;
use tantivy::{DocSet, Searcher, SegmentReader, TERMINATED};

/// The version under which `key` can be found.
pub(super) fn version(
    searcher: &Searcher,
    fields: &Fields,
    key: MessageKey,
    uid: Uid,
) -> tantivy::Result<Option<u64>> {
    for segment in searcher.segment_readers() {
        let uids = segment.inverted_index(fields.uid)?;
        let chats = segment.inverted_index(fields.chat)?;
        let Some(documents) = uids.read_postings(&fields.uid(uid), IndexRecordOption::Basic)?
        else {
            continue;
        };
        let Some(document) = alive(segment, documents).next() else {
            continue;
        };
        let columns = Columns::open(segment)?;
        let Some((_, version)) = columns.uid_and_version(document) else {
            return Ok(None);
        };
        let in_chat = match chats.read_postings(&fields.chat(key.chat), IndexRecordOption::Basic)? {
            Some(mut documents) => {
                documents.doc() <= document && documents.seek(document) == document
            }
            None => false,
        };
        return Ok((in_chat && columns.number(document) == Some(key.number)).then_some(version));
    }
    Ok(None)
}

/// As `Search::digests`.
pub(super) fn digests(
    searcher: &Searcher,
    fields: &Fields,
    after: Option<ChatKey>,
    limit: usize,
) -> tantivy::Result<Vec<(ChatKey, Digest)>> {
    let segments = searcher.segment_readers();
    let columns = segments
        .iter()
        .map(Columns::open)
        .collect::<tantivy::Result<Vec<_>>>()?;
    let chats = segments
        .iter()
        .map(|segment| segment.inverted_index(fields.chat))
        .collect::<tantivy::Result<Vec<_>>>()?;
    let streams = chats.iter().map(|chats| {
        let terms = chats.terms().range();
        match after {
            Some(after) => terms
                .gt(fields.chat(after).serialized_value_bytes())
                .into_stream(),
            None => terms.into_stream(),
        }
    });
    let mut terms = TermMerger::new(streams.collect::<std::io::Result<Vec<_>>>()?);
    let mut digests = Vec::new();
    while digests.len() < limit && terms.advance() {
        let mut digest = Digest::default();
        for (place, term) in terms.current_segment_ords_and_term_infos() {
            let documents =
                chats[place].read_postings_from_terminfo(&term, IndexRecordOption::Basic)?;
            for document in alive(&segments[place], documents) {
                if let Some((uid, version)) = columns[place].uid_and_version(document) {
                    digest.add(uid, version);
                }
            }
        }
        // A chat whose messages were all removed keeps its term until its segments are merged.
        if digest.count > 0
            && let Some(chat) = chat_of(terms.key())
        {
            digests.push((chat, digest));
        }
    }
    Ok(digests)
}

/// As `Search::entries`. Reads the numbers of the whole chat, and the rest only of what is returned.
pub(super) fn entries(
    searcher: &Searcher,
    fields: &Fields,
    chat: ChatKey,
    after: u64,
    limit: usize,
) -> tantivy::Result<Vec<IndexEntry>> {
    // The greatest number is on top, so what does not fit leaves first.
    let mut first: BinaryHeap<(u64, usize, u32)> = BinaryHeap::new();
    let segments = searcher.segment_readers();
    let columns = segments
        .iter()
        .map(Columns::open)
        .collect::<tantivy::Result<Vec<_>>>()?;
    for (place, segment) in segments.iter().enumerate() {
        let chats = segment.inverted_index(fields.chat)?;
        let Some(documents) = chats.read_postings(&fields.chat(chat), IndexRecordOption::Basic)?
        else {
            continue;
        };
        for document in alive(segment, documents) {
            let Some(number) = columns[place].number(document) else {
                continue;
            };
            if number.get() > after {
                first.push((number.get(), place, document));
                if first.len() > limit {
                    first.pop();
                }
            }
        }
    }
    let entry = |(_, place, document): (u64, usize, u32)| {
        let key = chat.message(columns[place].number(document)?);
        let (uid, version) = columns[place].uid_and_version(document)?;
        Some(IndexEntry { key, uid, version })
    };
    Ok(first
        .into_sorted_vec()
        .into_iter()
        .filter_map(entry)
        .collect())
}

fn alive(segment: &SegmentReader, mut documents: SegmentPostings) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let document = documents.doc();
        documents.advance();
        (document != TERMINATED).then_some(document)
    })
    .filter(|document| !segment.is_deleted(*document))
}
