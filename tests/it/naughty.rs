//! Text that breaks programs: written into every field that takes text, read back as it was, and found
//! by its words. The list is `naughty.json`.

use e2e::client::{Answer, Client};
use e2e::eventually::eventually;
use e2e::metrics::at_rest;
use e2e::program::Program;
use e2e::url::encoded;
use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const LIST: &str = include_str!("naughty.json");
/// Requests under way at once.
const AT_ONCE: usize = 8;
const SOON: Duration = Duration::from_secs(60);

/// A line of the list.
struct Naughty {
    kind: String,
    text: String,
}

#[tokio::test]
async fn naughty_text_is_kept_as_it_is_and_found_by_its_words() {
    let list = naughty();
    assert!(list.len() >= 300, "{} strings", list.len());
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start(&dir.path().join("data")).await;
    let client = Client::new(&program.place).await;
    let application = client.post("/api/v1/applications", json!({ "name": "naughty" }));
    let application = application.await.expect(201).location();
    let chat = client
        .post(&format!("{application}/chats"), json!({}))
        .await;
    let chat = chat.expect(201).location();

    let written: Vec<Option<u64>> = stream::iter(&list)
        .map(|naughty| write_everywhere(&client, &application, &chat, &naughty.text))
        .buffered(AT_ONCE)
        .collect()
        .await;
    at_rest(&client, SOON).await;
    let mut lost = Vec::new();
    for (naughty, number) in list.iter().zip(&written) {
        if let Some(number) = number {
            lost.extend(not_found(&client, &chat, naughty, *number).await);
        }
        names_the_application(&client, &application, &naughty.text).await;
        leads_nowhere(&client, &chat, &naughty.text).await;
    }
    assert!(
        lost.is_empty(),
        "{} are not found:\n{}",
        lost.len(),
        lost.join("\n")
    );
    let count = client.get(&chat).await.expect(200).body["messages_count"].as_u64();
    let kept = written.iter().flatten().count();
    assert_eq!(
        count,
        u64::try_from(kept).ok(),
        "what was refused left nothing"
    );
    program.stop().await;
}

/// The whole list; long ones are written as `{"repeat": .., "times": .., "tail": ..}`.
fn naughty() -> Vec<Naughty> {
    let list: BTreeMap<String, Vec<Value>> = serde_json::from_str(LIST).expect("the list is JSON");
    let text = |value: &Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => {
            let times = value["times"]
                .as_u64()
                .and_then(|times| usize::try_from(times).ok());
            let part = |name: &str| value[name].as_str().unwrap_or_default();
            part("repeat").repeat(times.unwrap_or(0)) + part("tail")
        }
    };
    list.iter()
        .flat_map(|(kind, values)| values.iter().map(|value| (kind.clone(), text(value))))
        .map(|(kind, text)| Naughty { kind, text })
        .collect()
}

fn is_name(text: &str) -> bool {
    !text.contains('\0') && !text.trim().is_empty() && text.chars().count() <= 200
}

/// Writes it as content, author and metadata of a message and as name and metadata of a chat, or makes
/// sure that it is refused where it must be. Returns the message's number.
async fn write_everywhere(
    client: &Client,
    application: &str,
    chat: &str,
    text: &str,
) -> Option<u64> {
    let has_nul = text.contains('\0');
    let is_name = is_name(text);
    let is_content = !has_nul && text.chars().count() <= 10_000;
    let mut metadata = json!({ "as value": text });
    metadata[text] = json!("as key");
    let is_metadata = !has_nul && metadata.to_string().len() <= 8 * 1024;

    let messages = format!("{chat}/messages");
    let chats = format!("{application}/chats");
    if !is_name {
        let body = json!({ "content": "x", "author": text });
        client.post(&messages, body).await.blames(&["author"]);
        client
            .post(&chats, json!({ "name": text }))
            .await
            .blames(&["name"]);
    }
    if !is_metadata {
        let body = json!({ "content": "x", "metadata": metadata });
        client.post(&messages, body).await.blames(&["metadata"]);
    }
    let (name, metadata) = (is_name.then_some(text), is_metadata.then_some(&metadata));
    if let Some(name) = name {
        let body = json!({ "name": name, "metadata": metadata });
        let created = client.post(&chats, body).await.expect(201);
        let shown = stored(client, &created.location()).await.body;
        assert_eq!(shown["name"], name);
        assert_eq!(shown["metadata"], json!(metadata));
    }
    let body = json!({ "content": text, "author": name, "metadata": metadata });
    let created = client.post(&messages, body).await;
    if !is_content {
        created.blames(&["content"]);
        return None;
    }
    let created = created.expect(201);
    let shown = stored(client, &created.location()).await.body;
    assert_eq!(shown["content"], text);
    assert_eq!(shown["author"], json!(name));
    assert_eq!(shown["metadata"], json!(metadata));
    Some(created.number())
}

async fn names_the_application(client: &Client, application: &str, text: &str) {
    let renamed = client.patch(application, json!({ "name": text })).await;
    if !is_name(text) {
        renamed.blames(&["name"]);
        return;
    }
    assert_eq!(renamed.expect(200).body["name"], text);
    let shown = client.get(application).await.expect(200);
    assert_eq!(shown.body["name"], text);
}

async fn stored(client: &Client, path: &str) -> Answer {
    let there = eventually(SOON, || client.get(path), |answer| answer.status != 202);
    there.await.expect(200)
}

/// Says so when it is not found by its own words.
async fn not_found(client: &Client, chat: &str, naughty: &Naughty, number: u64) -> Option<String> {
    let Naughty { kind, text } = naughty;
    let query = as_typed(text);
    let mut next = Some(format!(
        "{chat}/messages/search?query={}&sort=number&per_page=100",
        encoded(&query)
    ));
    let mut found = Vec::new();
    while let Some(path) = next {
        let page = client.get(&path).await;
        if page.status == 400 {
            let has_words = kind == "emoji" || query.chars().any(char::is_alphanumeric);
            page.blames(&["query"]);
            return has_words.then(|| format!("{kind} {text:?}: {query:?} is refused"));
        }
        let page = page.expect(200);
        for hit in page.body["messages"].as_array().expect("a search has hits") {
            is_honest_and_harmless(hit);
            found.push(hit["number"].as_u64());
        }
        next = page.next_link();
    }
    let is_found = found.contains(&Some(number));
    (!is_found).then(|| format!("{kind} {text:?}: {query:?} finds only {found:?}"))
}

/// The first words as somebody would type them who wants no phrase and no exclusion.
fn as_typed(text: &str) -> String {
    let plain = text.replace(['"', '“', '”', '„'], " ");
    let words = plain
        .split_whitespace()
        .map(|word| word.trim_start_matches('-'));
    let mut query = String::new();
    for word in words.filter(|word| !word.is_empty()).take(4) {
        let room = 250_usize.saturating_sub(query.chars().count());
        if word.chars().count() > room && !query.is_empty() {
            break;
        }
        let cut: String = word.chars().take(room).collect();
        // Half a word finds nothing, unless it is all there is.
        let end = match cut.len() < word.len() {
            true => cut.rfind(|c: char| !c.is_alphanumeric()),
            false => None,
        };
        query += &cut[..end.unwrap_or(cut.len())];
        query.push(' ');
    }
    query
}

/// The highlight is a piece of the content: without our marks and entities, nothing else is in it.
fn is_honest_and_harmless(hit: &Value) {
    let content = hit["content"].as_str().expect("a hit has content");
    let html = hit["highlight"].as_str().expect("a hit has a highlight");
    let unmarked = html.replace("<em>", "").replace("</em>", "");
    assert!(!unmarked.contains(['<', '>', '"', '\'']), "{html:?}");
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    let text = entities
        .iter()
        .fold(unmarked, |text, (entity, sign)| text.replace(entity, sign));
    let piece = text.trim_start_matches('…').trim_end_matches('…');
    assert!(
        content.contains(piece),
        "{html:?} is no piece of {content:?}"
    );
}

/// As a token, a number, a key, a cursor or a parameter it is refused or not there, and never a failure.
async fn leads_nowhere(client: &Client, chat: &str, text: &str) {
    let text: String = text.chars().take(1_000).collect();
    let text = encoded(&text);
    let statuses = [400, 404];
    for path in [
        format!("/api/v1/applications/{text}"),
        format!("/api/v1/applications/{text}/chats/1"),
        format!("{chat}/messages/x{text}"),
        format!("{chat}/messages?after=x{text}"),
        format!("{chat}/messages/search?query=a&sort={text}"),
        format!("{chat}?{text}=1"),
    ] {
        // A path that ends with a slash, or has an empty part, is another one.
        let answer = client.get(&path).await;
        assert!(statuses.contains(&answer.status), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start(&dir.path().join("data")).await;
    let client = Client::new(&program.place).await;
    let application = client.post("/api/v1/applications", json!({ "name": "bytes" }));
    let application = application.await.expect(201).location();
    let chat = client
        .post(&format!("{application}/chats"), json!({}))
        .await;
    let messages = format!("{}/messages", chat.expect(201).location());
    let bodies: [&[u8]; 18] = [
        br#"{"content":"\ud800"}"#,
        br#"{"content":"\udfff tail"}"#,
        br#"{"content":"\ude00\ud83d"}"#,
        br#"{"content":"\ud83dx"}"#,
        br#"{"content":"\u00zz"}"#,
        br#"{"content":"\x41"}"#,
        b"{\"content\":\"\xff\"}",
        b"{\"content\":\"\xc0\xaf\"}",
        b"{\"content\":\"\xed\xa0\x80\"}",
        b"{\"content\":\"\xf4\x90\x80\x80\"}",
        b"{\"content\":\"\xe2\x82\"}",
        b"\xef\xbb\xbf{\"content\":\"after a byte order mark\"}",
        b"\xff\xfe{\0}\0",
        b"{\"content\":\"raw\nline\"}",
        b"{\"content\":\"raw\x01control\"}",
        b"{'content':'single'}",
        b"{\"content\":\"twice\"}{\"content\":\"twice\"}",
        b"{\"content\":\"cut off",
    ];
    for body in bodies {
        let call = client
            .call(Method::POST, &messages)
            .raw("application/json", body);
        call.send().await.problem(400, "malformed-body");
    }
    let deep = "[".repeat(100_000);
    let call = client
        .call(Method::POST, &messages)
        .raw("application/json", deep);
    call.send().await.problem(400, "malformed-body");
    let list = client.get(&messages).await.expect(200);
    assert_eq!(list.body["data"], json!([]));
    program.stop().await;
}
