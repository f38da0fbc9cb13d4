//! Answers a query: turns it into tantivy's, collects a page and counts.
//!
//! No document is left out early, so the count is exact and pages do not depend on how segments lie. A
//! score is BM25 for the words as typed, plus a little for longer words and less for mistyped ones; it is
//! computed from the words of the tenant, or of the chat, only.

use super::schema::{CHAT_NUMBER, Fields, NUMBER, Vocabulary};
use super::typos::typos;
use crate::model::{ChatKey, Millis, Number};
use crate::ops::search::Term as Wanted;
use crate::ports::{Hit, Hits, SearchRequest, Sort};
use std::ops::Bound;
use tantivy::collector::sort_key::{SortBySimilarityScore, SortByStaticFastValue};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::{
    Bm25StatisticsProvider, BooleanQuery, ConstScoreQuery, InvertedIndexRangeQuery, Occur,
    PhraseQuery, Query, RangeQuery, TermQuery, TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Order, Searcher, Term};

/// What a match adds that is not the word as typed.
const PREFIX_SCORE: f32 = 0.5;
const ONE_TYPO_SCORE: f32 = 0.25;
const TWO_TYPOS_SCORE: f32 = 0.125;
/// How long a message is taken to be for BM25: a constant, since the true average is over all tenants.
const USUAL_WORDS: u64 = 16;

/// Score, chat and number of a document.
type Found = (f32, Option<u64>, Option<u64>);

pub(super) fn find(
    searcher: &Searcher,
    fields: &Fields,
    request: &SearchRequest,
) -> tantivy::Result<Hits> {
    let query = query(searcher, fields, request)?;
    let statistics = ScopeStatistics::new(searcher, &scope(fields, request))?;
    let column = |name: &str| SortByStaticFastValue::<u64>::for_field(name);
    let limit = request.limit as usize;
    // At least one, because tantivy refuses to collect nothing.
    let top = TopDocs::with_limit(limit.max(1)).and_offset(request.offset as usize);
    let (found, count): (Vec<Found>, usize) = match request.sort {
        Sort::Relevance => {
            let order = (SortBySimilarityScore, column(CHAT_NUMBER), column(NUMBER));
            let collector = (top.order_by(order), Count);
            let (found, count) =
                searcher.search_with_statistics_provider(&query, &collector, &statistics)?;
            (found.into_iter().map(|(found, _)| found).collect(), count)
        }
        Sort::Number => {
            let ascending = |name| (column(name), Order::Asc);
            // The score comes last and orders nothing: it is there to be told.
            let order = (
                ascending(CHAT_NUMBER),
                ascending(NUMBER),
                SortBySimilarityScore,
            );
            let collector = (top.order_by(order), Count);
            let (found, count) =
                searcher.search_with_statistics_provider(&query, &collector, &statistics)?;
            (
                found
                    .into_iter()
                    .map(|((chat, number, score), _)| (score, chat, number))
                    .collect(),
                count,
            )
        }
    };
    let hit = |(score, chat, number): Found| {
        let chat = ChatKey {
            app: request.tenant.app(),
            number: Number::new(chat?)?,
        };
        Some(Hit {
            key: chat.message(Number::new(number?)?),
            score,
        })
    };
    let total = count as u64;
    Ok(Hits {
        total: total.min(Hits::MAX_TOTAL),
        total_capped: total > Hits::MAX_TOTAL,
        hits: found.into_iter().take(limit).filter_map(hit).collect(),
    })
}

fn query(
    searcher: &Searcher,
    fields: &Fields,
    request: &SearchRequest,
) -> tantivy::Result<BooleanQuery> {
    let app = request.tenant.app();
    // Only the words of the tenant have positions.
    let in_sequence = fields.tenant_words(app);
    let words = match request.chat {
        Some(number) => fields.chat_words(ChatKey { app, number }),
        None => fields.tenant_words(app),
    };
    let mut clauses = vec![(Occur::Must, unscored(term(scope(fields, request))))];
    for wanted in request.query.terms() {
        clauses.push((Occur::Must, word(searcher, &words, wanted)?));
    }
    for phrase in request.query.phrases() {
        clauses.push((Occur::Must, sequence(&in_sequence, phrase)));
    }
    for exclusion in request.query.exclusions() {
        clauses.push((Occur::MustNot, excluded(sequence(&in_sequence, exclusion))));
    }
    if let Some(author) = &request.author {
        clauses.push((Occur::Must, unscored(term(fields.author(author)))));
    }
    if request.since.is_some() || request.until.is_some() {
        let bound = |moment: Option<Millis>, bound: fn(Term) -> Bound<Term>| {
            moment.map_or(Bound::Unbounded, |moment| bound(fields.created_at(moment)))
        };
        let time = RangeQuery::new(
            bound(request.since, Bound::Included),
            bound(request.until, Bound::Excluded),
        );
        clauses.push((Occur::Must, unscored(time)));
    }
    Ok(BooleanQuery::new(clauses))
}

/// The one place that says whose messages are searched. Every query has it.
fn scope(fields: &Fields, request: &SearchRequest) -> Term {
    let app = request.tenant.app();
    match request.chat {
        Some(number) => fields.chat(ChatKey { app, number }),
        None => fields.app(app),
    }
}

/// Messages with a token that fits `wanted`, as `Wanted::closeness` says.
fn word(
    searcher: &Searcher,
    words: &Vocabulary,
    wanted: &Wanted,
) -> tantivy::Result<Box<dyn Query>> {
    let exact = term(words.term(wanted.text()));
    let mut ways: Vec<(Occur, Box<dyn Query>)> = vec![(Occur::Should, Box::new(exact))];
    if wanted.finds_prefixes() {
        let start = Bound::Included(words.term(wanted.text()));
        let end = Bound::Excluded(words.term(&after_all(wanted.text())));
        ways.push((
            Occur::Should,
            scored(InvertedIndexRangeQuery::new(start, end), PREFIX_SCORE),
        ));
    }
    let typos = typos(searcher, words, wanted)?;
    for mistakes in 1..=wanted.mistakes() {
        let meant = typos
            .iter()
            .filter(|typo| typo.0 == mistakes)
            .map(|(_, typo)| words.term(typo));
        let meant: Vec<Term> = meant.collect();
        if !meant.is_empty() {
            let score = if mistakes == 1 {
                ONE_TYPO_SCORE
            } else {
                TWO_TYPOS_SCORE
            };
            ways.push((Occur::Should, scored(TermSetQuery::new(meant), score)));
        }
    }
    Ok(Box::new(BooleanQuery::new(ways)))
}

/// Above every word that starts so: U+10FFFF is a character of no word.
fn after_all(start: &str) -> String {
    format!("{start}\u{10FFFF}")
}

/// These tokens side by side.
fn sequence(words: &Vocabulary, tokens: &[String]) -> Box<dyn Query> {
    let mut terms: Vec<Term> = tokens.iter().map(|token| words.term(token)).collect();
    match terms.len() {
        1 => Box::new(term(terms.remove(0))),
        _ => Box::new(PhraseQuery::new(terms)),
    }
}

/// tantivy 0.27 asks an excluded phrase about documents it has already passed, which `PhraseScorer` does not
/// allow (a debug assertion). A union does, and only a union of two is not simplified away.
fn excluded(sequence: Box<dyn Query>) -> Box<dyn Query> {
    Box::new(BooleanQuery::union(vec![sequence.box_clone(), sequence]))
}

fn term(term: Term) -> TermQuery {
    TermQuery::new(term, IndexRecordOption::WithFreqs)
}

fn unscored(query: impl Query) -> Box<dyn Query> {
    scored(query, 0.0)
}

fn scored(query: impl Query, score: f32) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(Box::new(query), score))
}

/// What BM25 needs to know, as if the tenant, or the chat, had the index to itself.
struct ScopeStatistics<'a> {
    searcher: &'a Searcher,
    documents: u64,
}

impl<'a> ScopeStatistics<'a> {
    fn new(searcher: &'a Searcher, scope: &Term) -> tantivy::Result<Self> {
        Ok(Self {
            searcher,
            documents: searcher.doc_freq(scope)?.max(1),
        })
    }
}

impl Bm25StatisticsProvider for ScopeStatistics<'_> {
    fn total_num_tokens(&self, _field: Field) -> tantivy::Result<u64> {
        Ok(self.documents * USUAL_WORDS)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.documents)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        // A phrase within a chat counts its words over the tenant, and tantivy insists that no word is in
        // more documents than there are.
        Ok(self.searcher.doc_freq(term)?.min(self.documents))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::TantivyIndex;
    use super::*;
    use crate::model::{AppId, TenantId, Uid};
    use crate::ops::search;
    use crate::ports::{IndexDocument, IndexEntry, IndexWrite, Search};

    pub(in super::super) fn message(app: i64, number: u64, text: &str) -> IndexWrite {
        let number = Number::new(number).unwrap();
        let chat = ChatKey {
            app: AppId::from_stored(app),
            number: Number::new(1).unwrap(),
        };
        let uid = Uid::from_digest(rand::random());
        let entry = IndexEntry {
            key: chat.message(number),
            uid,
            version: 1,
        };
        let words = search::words(text);
        IndexWrite::Put(IndexDocument {
            entry,
            words,
            author: None,
            created_at: Millis::new(0),
        })
    }

    pub(in super::super) fn request(app: i64, chat: Option<u64>, query: &str) -> SearchRequest {
        SearchRequest {
            tenant: TenantId::authenticated(AppId::from_stored(app)),
            chat: chat.and_then(Number::new),
            query: search::Query::parse(query).unwrap(),
            author: None,
            since: None,
            until: None,
            sort: Sort::Relevance,
            offset: 0,
            limit: 100,
        }
    }

    #[tokio::test]
    async fn what_others_write_changes_neither_hits_nor_scores() {
        let dir = tempfile::tempdir().unwrap();
        let index = TantivyIndex::open(dir.path()).unwrap();
        let texts = [
            "a kernel panic",
            "kernels and a long text about panic, panic and panic",
            "kernal",
        ];
        let mine: Vec<_> = (1..)
            .zip(texts)
            .map(|(number, text)| message(1, number, text))
            .collect();
        index.write(&mine).await.unwrap();
        let queries = ["kernel", "kernel panic", "\"a kernel\"", "kernel -panic"];
        let requests = queries
            .iter()
            .flat_map(|query| [None, Some(1)].map(|chat| request(1, chat, query)));
        let requests: Vec<_> = requests.collect();
        let mut before = Vec::new();
        for request in &requests {
            before.push(index.query(request).await.unwrap());
        }
        let others: Vec<_> = (1..200)
            .map(|number| message(2, number, "a kernel a panic kernle"))
            .collect();
        index.write(&others).await.unwrap();
        for (request, before) in requests.iter().zip(before) {
            assert_eq!(index.query(request).await.unwrap(), before);
        }
    }
}
