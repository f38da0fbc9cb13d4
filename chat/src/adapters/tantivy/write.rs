//! Puts and removes documents so that the order in which writes arrive does not matter.
//!
//! tantivy knows no versions: what is there is looked up first. That is safe because there is one writer,
//! and because everything it wrote before is committed and visible to the look-up.

use super::schema::{Fields, ORDER, order_of};
use crate::model::Uid;
use crate::ports::IndexWrite;
use std::collections::HashMap;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, Index, IndexReader, IndexWriter, Searcher, TERMINATED};

/// The least that tantivy accepts; it is used only while a batch is written.
const MEMORY_BYTES: usize = 15_000_000;
/// More would make queries slower, fewer would make writing slower: merging is most of its cost.
const SEGMENTS_PER_MERGE: usize = 8;
/// Segments smaller than this count as equals.
const SMALL_SEGMENT: u32 = 2_000;
/// A segment with more deleted documents than this is rewritten.
const DELETED_RATIO: f32 = 0.3;

pub(super) struct Writer {
    index: Index,
    writer: Option<IndexWriter>,
}

impl Writer {
    pub(super) fn new(index: Index) -> Self {
        Self {
            index,
            writer: None,
        }
    }

    /// Forgets what was not committed.
    pub(super) fn reset(&mut self) {
        self.writer = None;
    }

    /// Ends the merges that are under way, shows what they made, and gives memory and threads back. The
    /// next write wakes it.
    pub(super) fn rest(&mut self, reader: &IndexReader) {
        let merged = self
            .writer
            .take()
            .map_or(Ok(()), IndexWriter::wait_merging_threads);
        if let Err(error) = merged.and_then(|()| reader.reload()) {
            tracing::warn!(%error, "the search index could not end its merges");
        }
    }

    /// Commits all writes and makes them visible, or none of them.
    pub(super) fn write(
        &mut self,
        reader: &IndexReader,
        fields: &Fields,
        writes: &[IndexWrite],
    ) -> tantivy::Result<()> {
        let written = self.commit(reader, fields, writes);
        if written.is_err() {
            // After an error in its threads a tantivy writer refuses everything.
            self.writer = None;
        }
        written
    }

    fn commit(
        &mut self,
        reader: &IndexReader,
        fields: &Fields,
        writes: &[IndexWrite],
    ) -> tantivy::Result<()> {
        if self.writer.is_none() {
            // A commit that ended in an error may have happened all the same.
            reader.reload()?;
        }
        let latest = latest(writes);
        let stored = stored_orders(&reader.searcher(), fields, &latest)?;
        let due: Vec<&IndexWrite> = latest
            .into_iter()
            .filter(|write| {
                stored
                    .get(&write.entry().uid)
                    .is_none_or(|stored| *stored < order_of(write))
            })
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let writer = self.writer()?;
        for write in due {
            let uid = write.entry().uid;
            if stored.contains_key(&uid) {
                writer.delete_term(fields.uid(uid));
            }
            writer.add_document(fields.document(write))?;
        }
        writer.commit()?;
        reader.reload()
    }

    fn writer(&mut self) -> tantivy::Result<&mut IndexWriter> {
        if self.writer.is_none() {
            let options = IndexWriterOptions::builder()
                .memory_budget_per_thread(MEMORY_BYTES)
                .num_worker_threads(1)
                .num_merge_threads(1)
                .build();
            let writer: IndexWriter = self.index.writer_with_options(options)?;
            let mut merging = LogMergePolicy::default();
            merging.set_min_num_segments(SEGMENTS_PER_MERGE);
            merging.set_min_layer_size(SMALL_SEGMENT);
            merging.set_del_docs_ratio_before_merge(DELETED_RATIO);
            writer.set_merge_policy(Box::new(merging));
            self.writer = Some(writer);
        }
        Ok(self.writer.as_mut().expect("it was just put there"))
    }
}

/// The writes that stay when each uid keeps the one with the greatest order, in their own order.
fn latest(writes: &[IndexWrite]) -> Vec<&IndexWrite> {
    let mut latest: HashMap<Uid, usize> = HashMap::new();
    for (index, write) in writes.iter().enumerate() {
        let kept = latest.entry(write.entry().uid).or_insert(index);
        if order_of(write) > order_of(&writes[*kept]) {
            *kept = index;
        }
    }
    let kept =
        |(index, write): &(usize, &IndexWrite)| latest.get(&write.entry().uid) == Some(index);
    writes
        .iter()
        .enumerate()
        .filter(kept)
        .map(|(_, write)| write)
        .collect()
}

/// What the index knows of these uids, tombstones included.
fn stored_orders(
    searcher: &Searcher,
    fields: &Fields,
    writes: &[&IndexWrite],
) -> tantivy::Result<HashMap<Uid, u64>> {
    let mut stored = HashMap::new();
    for segment in searcher.segment_readers() {
        let uids = segment.inverted_index(fields.uid)?;
        let orders = segment.fast_fields().u64(ORDER)?;
        for write in writes {
            let uid = write.entry().uid;
            let Some(mut documents) =
                uids.read_postings(&fields.uid(uid), IndexRecordOption::Basic)?
            else {
                continue;
            };
            while documents.doc() != TERMINATED {
                if !segment.is_deleted(documents.doc()) {
                    stored.extend(orders.first(documents.doc()).map(|order| (uid, order)));
                }
                documents.advance();
            }
        }
    }
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AppId, ChatKey, Number};
    use crate::ports::IndexEntry;

    fn removal(uid: u8, version: u64) -> IndexWrite {
        let number = Number::new(1).unwrap();
        let key = ChatKey {
            app: AppId::from_stored(1),
            number,
        }
        .message(number);
        IndexWrite::Remove(IndexEntry {
            key,
            uid: Uid::from_digest([uid; 16]),
            version,
        })
    }

    #[test]
    fn a_writer_that_was_put_to_rest_or_reset_goes_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let (fields, schema) = Fields::new();
        let index = Index::create_in_dir(dir.path(), schema).unwrap();
        let reader = index
            .reader_builder()
            .reload_policy(tantivy::ReloadPolicy::Manual)
            .try_into()
            .unwrap();
        let mut writer = Writer::new(index);
        let mut stored_after = |version, end: fn(&mut Writer, &IndexReader)| {
            let write = removal(1, version);
            writer
                .write(&reader, &fields, std::slice::from_ref(&write))
                .unwrap();
            end(&mut writer, &reader);
            let searcher = reader.searcher();
            assert_eq!(searcher.num_docs(), 1);
            stored_orders(&searcher, &fields, &[&write]).unwrap()[&write.entry().uid] >> 1
        };
        assert_eq!(stored_after(2, Writer::rest), 2);
        assert_eq!(stored_after(1, |writer, _| writer.reset()), 2);
        assert_eq!(stored_after(3, Writer::rest), 3);
        assert_eq!(stored_after(2, Writer::rest), 3);
    }

    #[test]
    fn of_one_batch_each_uid_keeps_its_greatest_version() {
        let writes = [removal(1, 2), removal(2, 1), removal(1, 3), removal(1, 1)];
        assert_eq!(latest(&writes), [&writes[1], &writes[2]]);
    }
}
