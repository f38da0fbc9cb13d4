//! Finding messages by their words, in a chat or in a whole application.

use super::{json, link_next};
use crate::answers::{FoundMessage, SearchResult};
use crate::error::Problem;
use crate::extract::{InChat, Tenant};
use crate::fields::time_of;
use crate::query::Query;
use crate::router::Api;
use axum::extract::State;
use axum::response::Response;
use chat::model::{Author, Number, Problem as Refusal};
use chat::ops::SearchInput;
use chat::ports::Sort;
use http::StatusCode;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

const DEFAULT_PER_PAGE: u64 = 20;
const MAX_PER_PAGE: u64 = 100;
/// How deep a search can be paged, and how far its total is exact.
const MAX_DEPTH: u64 = 1_000;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<Arc<Api>>> {
    vec![routes!(in_chat), routes!(in_application)]
}

/// As the OpenAPI document shows them; `SentQuery` reads them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its schema is used")]
struct SearchParameters {
    /// `q` is another word for it.
    #[param(min_length = 1, max_length = 256)]
    query: String,
    /// From 1; page times per_page is at most 1000.
    #[param(minimum = 1, maximum = 1000)]
    page: Option<u64>,
    /// 20 unless told.
    #[param(minimum = 1, maximum = 100)]
    per_page: Option<u64>,
    /// `relevance` (unless told) or `number`.
    sort: Option<String>,
    /// Only of this author.
    #[param(min_length = 1, max_length = 200)]
    author: Option<String>,
    /// Created at or after; RFC 3339.
    since: Option<String>,
    /// Created before; RFC 3339.
    until: Option<String>,
}

/// Find messages of a chat.
///
/// All words must match: whole, as a beginning, or with a typo. `"two words"` match in sequence,
/// `-word` excludes.
#[utoipa::path(
    get,
    path = "/applications/{token}/chats/{chat_number}/messages/search",
    tag = "search",
    operation_id = "search_chat",
    params(SearchParameters),
    responses((status = 200, description = "What was found.", body = SearchResult)),
)]
async fn in_chat(
    State(api): State<Arc<Api>>,
    at: InChat,
    query: Query,
) -> Result<Response, Problem> {
    answer(&api, &at.tenant, Some(at.chat), query).await
}

/// Find messages of an application.
///
/// As within a chat, over all of its chats.
#[utoipa::path(
    get,
    path = "/applications/{token}/messages/search",
    tag = "search",
    operation_id = "search_application",
    params(SearchParameters),
    responses((status = 200, description = "What was found.", body = SearchResult)),
)]
async fn in_application(
    State(api): State<Arc<Api>>,
    tenant: Tenant,
    query: Query,
) -> Result<Response, Problem> {
    answer(&api, &tenant, None, query).await
}

pub(crate) async fn answer(
    api: &Api,
    tenant: &Tenant,
    chat: Option<Number>,
    mut query: Query,
) -> Result<Response, Problem> {
    let sent = SentQuery::in_query(&mut query);
    query.finish()?;
    let (page, per_page) = (sent.page, sent.per_page);
    let found = api.ops.search(tenant.id, chat, sent.input()).await?;
    let total_pages = found.total.min(MAX_DEPTH).div_ceil(per_page);
    let messages = found.messages.into_iter();
    let result = SearchResult {
        total: found.total,
        total_capped: found.total_capped,
        total_pages,
        page,
        per_page,
        messages: messages
            .map(|hit| FoundMessage::new(hit.message, hit.score, hit.highlight))
            .collect(),
    };
    let mut response = json(StatusCode::OK, &result);
    if page < total_pages && (page + 1) * per_page <= MAX_DEPTH {
        link_to(&mut response, tenant, page + 1);
    }
    Ok(response)
}

/// The same question for another page: every parameter as it was sent, but `page`.
fn link_to(response: &mut Response, tenant: &Tenant, page: u64) {
    let page = page.to_string();
    let sent = Query::parse(tenant.uri.query().unwrap_or_default()).into_pairs();
    let kept = sent
        .iter()
        .filter(|(name, _)| name != "page")
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let parameters: Vec<(&str, &str)> = kept.chain([("page", page.as_str())]).collect();
    link_next(response, tenant.uri.path(), &parameters);
}

struct SentQuery {
    query: String,
    page: u64,
    per_page: u64,
    sort: Sort,
    author: Option<Author>,
    since: Option<chat::model::Millis>,
    until: Option<chat::model::Millis>,
}

impl SentQuery {
    fn in_query(query: &mut Query) -> Self {
        query.alias("q", "query");
        let words = query.required("query", "add the words to look for");
        let page = query.number("page", 1..=MAX_DEPTH).unwrap_or(1);
        let per_page = query
            .number("per_page", 1..=MAX_PER_PAGE)
            .unwrap_or(DEFAULT_PER_PAGE);
        if page * per_page > MAX_DEPTH {
            query.refuse(
                "page",
                Refusal::new("is too deep", "keep page times per_page within 1000"),
            );
        }
        Self {
            query: words,
            page,
            per_page,
            sort: query.take_parsed("sort", sort).unwrap_or(Sort::Relevance),
            author: query.take_parsed("author", |text| Author::parse(text)),
            since: query.take_parsed("since", time_of),
            until: query.take_parsed("until", time_of),
        }
    }

    fn input(self) -> SearchInput {
        let small = |number: u64| u32::try_from(number).expect("pages are at most 1000");
        SearchInput {
            query: self.query,
            page: small(self.page),
            per_page: small(self.per_page),
            sort: self.sort,
            author: self.author.map(String::from),
            since: self.since,
            until: self.until,
        }
    }
}

fn sort(text: &str) -> Result<Sort, Refusal> {
    match text {
        "relevance" => Ok(Sort::Relevance),
        "number" => Ok(Sort::Number),
        _ => Err(Refusal::new(
            "is not a way to sort",
            "send relevance or number",
        )),
    }
}
