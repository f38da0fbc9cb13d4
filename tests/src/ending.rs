//! Asks a system at rest for everything that `checker` wants to know of it.

use crate::checker::{Answer as Leads, Ending, Gap, Kind, Op, Outcome, Row, Said, Scope};
use crate::client::Client;
use crate::load::{parent_of, path_of, text_field};
use futures::StreamExt;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Requests under way at once.
const AT_ONCE: usize = 16;
/// How deep a search can be paged.
const MAX_FOUND: u64 = 1_000;
/// For an index that a kill left far behind.
const INDEX_DEADLINE: Duration = Duration::from_secs(30);

/// What the system says about every scope of the history. Messages are searched for by their last
/// words, of which none may be in more than 1,000 messages of a chat.
pub async fn ending(client: &Client, history: &[Op]) -> Ending {
    let mut asked: BTreeMap<&Scope, Asked> = BTreeMap::new();
    for op in history {
        let asked = asked.entry(&op.scope).or_default();
        if let (Kind::Create { .. }, Outcome::Ok { number, .. }) = (&op.kind, &op.outcome) {
            asked.accepted.insert(*number);
        }
        let last_word = text_of(op).and_then(|text| text.rsplit(' ').next());
        asked.words.extend(last_word);
    }
    let mut ending = Ending::default();
    for (scope, asked) in asked {
        let said = said(client, scope, asked).await;
        ending.scopes.insert(scope.clone(), said);
    }
    ending
}

/// What clients know of a scope.
#[derive(Default)]
struct Asked<'a> {
    accepted: BTreeSet<u64>,
    words: BTreeSet<&'a str>,
}

fn text_of(op: &Op) -> Option<&str> {
    match &op.kind {
        Kind::Create { content, .. } | Kind::Edit { content, .. } => Some(content),
        Kind::Delete { .. } | Kind::Read { .. } | Kind::Count => None,
    }
}

async fn said(client: &Client, scope: &Scope, asked: Asked<'_>) -> Said {
    let Asked { accepted, words } = asked;
    let parent = client.get(&parent_of(scope)).await;
    if parent.status == 410 {
        return Said {
            deleted: true,
            ..Said::default()
        };
    }
    let parent = parent.expect(200);
    let count = ["messages_count", "chats_count"]
        .into_iter()
        .find_map(|name| parent.body[name].as_u64())
        .expect("a parent counts what is in it");
    let rows = rows(client, scope).await;
    let highest = rows.keys().chain(&accepted).max().copied().unwrap_or(0);
    let asked: BTreeSet<u64> = (1..=highest)
        .filter(|number| accepted.contains(number) || !rows.contains_key(number))
        .collect();
    let (answers, mut gaps) = answers(client, scope, asked).await;
    let mut found = None;
    if scope.chat.is_some() {
        // Only chats have a list of gaps; of missing chats only the answers tell.
        gaps = listed_gaps(client, scope).await;
        found = Some(found_in_time(client, scope, &words, &rows).await);
    }
    Said {
        rows,
        count,
        gaps,
        answers,
        found,
        deleted: false,
    }
}

async fn rows(client: &Client, scope: &Scope) -> BTreeMap<u64, Row> {
    let path = format!("{}?limit=200", path_of(scope, None));
    let rows = client.list(&path).await;
    let row = |row: &Value| {
        let text = row[text_field(scope)].as_str().unwrap_or_default();
        let row = Row {
            id: row["id"].as_str()?.to_owned(),
            content: text.to_owned(),
            rev: row["rev"].as_u64()?,
        };
        Some(row)
    };
    rows.iter()
        .map(|value| (value["number"].as_u64(), row(value)))
        .map(|(number, row)| number.zip(row).expect("a row has number, id and rev"))
        .collect()
}

/// What each number leads to, and a gap for each that says it is one.
async fn answers(
    client: &Client,
    scope: &Scope,
    numbers: BTreeSet<u64>,
) -> (BTreeMap<u64, Leads>, Vec<Gap>) {
    let ask = |number| async move {
        let answer = client.get(&path_of(scope, Some(number))).await;
        let cause = answer.body["cause"].as_str().map(str::to_owned);
        let leads = match (answer.status, answer.problem_slug()) {
            (200, _) => Leads::Row {
                number: answer.number(),
                id: answer.id().to_owned(),
            },
            (202, _) => Leads::Processing,
            (410, _) => Leads::Gone,
            (404, Some("never-stored")) => Leads::NeverStored,
            (404, _) => Leads::NotFound,
            _ => panic!("a read at rest succeeds or not, but does not fail: {answer:?}"),
        };
        (number, leads, cause)
    };
    let mut asked = futures::stream::iter(numbers).map(ask).buffered(AT_ONCE);
    let (mut answers, mut gaps) = (BTreeMap::new(), Vec::new());
    while let Some((number, leads, cause)) = asked.next().await {
        answers.insert(number, leads);
        gaps.extend(cause.map(|cause| Gap {
            from: number,
            to: number,
            cause,
        }));
    }
    (answers, gaps)
}

async fn listed_gaps(client: &Client, scope: &Scope) -> Vec<Gap> {
    let path = format!("{}/gaps?limit=200", parent_of(scope));
    let gaps = client.list(&path).await;
    let gap = |gap: &Value| Gap {
        from: gap["from"].as_u64().unwrap_or_default(),
        to: gap["to"].as_u64().unwrap_or_default(),
        cause: gap["cause"].as_str().unwrap_or_default().to_owned(),
    };
    gaps.iter().map(gap).collect()
}

/// Asks again until every row is found: after a start, the index is put right in the background. What
/// is not found by then, the checker complains about.
async fn found_in_time(
    client: &Client,
    scope: &Scope,
    words: &BTreeSet<&str>,
    rows: &BTreeMap<u64, Row>,
) -> BTreeSet<u64> {
    let deadline = Instant::now() + INDEX_DEADLINE;
    loop {
        let found = found_by(client, scope, words, rows).await;
        if rows.keys().all(|number| found.contains(number)) || Instant::now() > deadline {
            return found;
        }
    }
}

/// The numbers of all hits that have the word they were found by; rows without one of the words would
/// never be found, so they must not be.
async fn found_by(
    client: &Client,
    scope: &Scope,
    words: &BTreeSet<&str>,
    rows: &BTreeMap<u64, Row>,
) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for word in words {
        // In quotes it means exactly this word, and not a similar one.
        let path = path_of(scope, None);
        let mut next = Some(format!("{path}/search?query=%22{word}%22&per_page=100"));
        while let Some(path) = next {
            let page = client.get(&path).await.expect(200);
            let total = page.body["total"].as_u64().expect("a search has a total");
            assert!(total <= MAX_FOUND, "{word} is in {total} texts of {scope}");
            for hit in page.body["messages"].as_array().expect("a search has hits") {
                let number = hit["number"].as_u64().expect("a hit has a number");
                let as_stored = rows.get(&number).map(|row| row.content.as_str());
                assert_eq!(hit["content"].as_str(), as_stored, "{scope}: hit {number}");
                found.insert(number);
            }
            next = page.next_link();
        }
    }
    found
}
