//! Makes Elasticsearch's query of ours, and hits of its answer.
//!
//! Nothing a person typed reaches the server as syntax: words are values of term queries, with the owner of
//! the words in front (W38). A score is BM25 for the words as typed, plus a little for longer words and less
//! for mistyped ones.

use super::schema::{
    APP, AUTHOR, CHAT, CHAT_NUMBER, CREATED_AT, NUMBER, Vocabulary, chat_term, chat_words, owner,
    tenant_words,
};
use crate::model::{ChatKey, Number};
use crate::ops::search::Term;
use crate::ports::{Hit, Hits, SearchRequest, Sort};
use serde::Deserialize;
use serde_json::{Value, json};

/// What a match adds that is not the word as typed.
const PREFIX_SCORE: f32 = 0.5;
const ONE_TYPO_SCORE: f32 = 0.25;
const TWO_TYPOS_SCORE: f32 = 0.125;
/// How many mistyped words one word of a query stands for: the closest ones.
const MAX_TYPOS: u32 = 50;
/// How deep Elasticsearch lets a page lie (`index.max_result_window`).
const MAX_DEPTH: u32 = 10_000;

/// The body of a search. Everything is counted that `Hits` can tell, and one more.
pub(super) fn search(request: &SearchRequest) -> Value {
    let sort = match request.sort {
        Sort::Relevance => json!(["_score", { CHAT_NUMBER: "desc" }, { NUMBER: "desc" }]),
        Sort::Number => json!([{ CHAT_NUMBER: "asc" }, { NUMBER: "asc" }]),
    };
    let from = request.offset.min(MAX_DEPTH);
    json!({
        "query": query(request),
        "sort": sort,
        "from": from,
        "size": request.limit.min(MAX_DEPTH - from),
        "track_scores": true,
        "track_total_hits": Hits::MAX_TOTAL + 1,
        "stored_fields": "_none_",
    })
}

fn query(request: &SearchRequest) -> Value {
    let app = request.tenant.app();
    // Only the words of the tenant have positions.
    let in_sequence = tenant_words(app);
    let words = match request.chat {
        Some(number) => chat_words(ChatKey { app, number }),
        None => tenant_words(app),
    };
    let terms = request.query.terms().iter().map(|term| word(&words, term));
    let phrases = request.query.phrases().iter();
    let must: Vec<Value> = terms
        .chain(phrases.map(|phrase| sequence(&in_sequence, phrase)))
        .collect();
    let exclusions = request.query.exclusions().iter();
    let must_not: Vec<Value> = exclusions
        .map(|exclusion| sequence(&in_sequence, exclusion))
        .collect();
    let mut filter = vec![scope(request)];
    if let Some(author) = &request.author {
        filter.push(json!({ "term": { AUTHOR: author } }));
    }
    if request.since.is_some() || request.until.is_some() {
        let bounds = json!({ "gte": request.since, "lt": request.until });
        filter.push(json!({ "range": { CREATED_AT: bounds } }));
    }
    json!({ "bool": { "must": must, "must_not": must_not, "filter": filter } })
}

/// The one place that says whose messages are searched. Every query has it.
fn scope(request: &SearchRequest) -> Value {
    let app = request.tenant.app();
    match request.chat {
        Some(number) => json!({ "term": { CHAT: chat_term(ChatKey { app, number }) } }),
        None => json!({ "term": { APP: owner(app) } }),
    }
}

/// Messages with a token that fits `wanted`, as `Term::closeness` says.
fn word(words: &Vocabulary, wanted: &Term) -> Value {
    let field = words.field;
    let term = words.term(wanted.text());
    let scored = |filter: Value, boost: f32| json!({ "constant_score": { "filter": filter, "boost": boost } });
    let mut ways = vec![json!({ "term": { field: { "value": term } } })];
    if wanted.finds_prefixes() {
        let longer = json!({ "prefix": { field: { "value": term } } });
        ways.push(scored(longer, PREFIX_SCORE));
    }
    for (mistakes, score) in [(1, ONE_TYPO_SCORE), (2, TWO_TYPOS_SCORE)] {
        if mistakes > wanted.mistakes() {
            break;
        }
        let mistyped = json!({ "fuzzy": { field: {
            "value": term,
            "fuzziness": mistakes,
            "prefix_length": words.certain_characters(),
            "max_expansions": MAX_TYPOS,
            "transpositions": true,
        }}});
        ways.push(scored(mistyped, score));
    }
    json!({ "bool": { "should": ways, "minimum_should_match": 1 } })
}

/// These tokens side by side.
fn sequence(words: &Vocabulary, tokens: &[String]) -> Value {
    let field = words.field;
    let terms: Vec<String> = tokens.iter().map(|token| words.term(token)).collect();
    match terms.as_slice() {
        [term] => json!({ "term": { field: { "value": term } } }),
        _ => {
            json!({ "match_phrase": { field: { "query": terms.join(" "), "analyzer": "whitespace" } } })
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Found {
    timed_out: bool,
    hits: FoundHits,
}

#[derive(Deserialize)]
struct FoundHits {
    total: FoundTotal,
    hits: Vec<FoundHit>,
}

#[derive(Deserialize)]
struct FoundTotal {
    value: u64,
}

#[derive(Deserialize)]
struct FoundHit {
    #[serde(rename = "_score")]
    score: f32,
    /// The two numbers come last.
    sort: Vec<Value>,
}

impl Found {
    /// `None` for an answer that is not whole.
    pub(super) fn hits(&self, request: &SearchRequest) -> Option<Hits> {
        if self.timed_out {
            return None;
        }
        let total = self.hits.total.value;
        let hits = self.hits.hits.iter().map(|hit| hit.read(request));
        Some(Hits {
            total: total.min(Hits::MAX_TOTAL),
            total_capped: total > Hits::MAX_TOTAL,
            hits: hits.collect::<Option<_>>()?,
        })
    }
}

impl FoundHit {
    fn read(&self, request: &SearchRequest) -> Option<Hit> {
        let [.., chat, number] = self.sort.as_slice() else {
            return None;
        };
        let number_of = |value: &Value| Number::new(value.as_u64()?);
        let chat = ChatKey {
            app: request.tenant.app(),
            number: number_of(chat)?,
        };
        Some(Hit {
            key: chat.message(number_of(number)?),
            score: self.score,
        })
    }
}
