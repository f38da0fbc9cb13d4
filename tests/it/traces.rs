//! A request is followed through the queues to the batches that carry it out, and nobody waits for the
//! collector.

use e2e::client::{Answer, Client};
use e2e::cluster::{Cluster, Database, Role, Size};
use e2e::collector::{Collector, Span};
use e2e::eventually::eventually;
use rand::RngExt;
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const ONE_OF_EACH: Size = Size {
    apis: 1,
    workers: 1,
};
/// For what travels through two queues, and spans that wait to be exported.
const SOON: Duration = Duration::from_secs(30);
/// What a caller sends along that no span may tell.
const SECRET: &str = "a text that is nobody's business";
const KEY: &str = "an-idempotency-key-of-somebody";

/// A trace that a caller has begun.
struct Caller {
    trace: String,
    span: String,
}

impl Caller {
    fn new() -> Self {
        let mut dice = rand::rng();
        let (trace, span): (u128, u64) = (dice.random(), dice.random());
        Self {
            // Zero is no id.
            trace: format!("{:032x}", trace | 1),
            span: format!("{:016x}", span | 1),
        }
    }

    fn traceparent(&self, sampled: bool) -> String {
        let flags = if sampled { "01" } else { "00" };
        format!("00-{}-{}-{flags}", self.trace, self.span)
    }
}

async fn say(client: &Client, chat: &str, key: &str, traceparent: Option<&str>) -> Answer {
    let path = format!("{chat}/messages");
    let body = json!({ "content": SECRET, "author": SECRET, "metadata": { "note": SECRET } });
    let call = client.call(Method::POST, &path).json(&body);
    let call = call.idempotency_key(key);
    let call = match traceparent {
        Some(traceparent) => call.header("traceparent", traceparent),
        None => call,
    };
    call.send().await.expect(201)
}

/// The path of a new chat, and the token in it.
async fn a_chat(client: &Client) -> (String, String) {
    let application = client.post("/api/v1/applications", json!({ "name": "traced" }));
    let application = application.await.expect(201);
    let token = application.body["token"].as_str().expect("it has a token");
    let chats = format!("{}/chats", application.location());
    let chat = client.post(&chats, json!({})).await.expect(201);
    (chat.location(), token.to_owned())
}

fn named<'a>(spans: &'a [Span], service: &str, name: &str) -> &'a Span {
    let mut found = spans
        .iter()
        .filter(|span| span.service == service && span.name == name);
    match (found.next(), found.next()) {
        (Some(one), None) => one,
        _ => panic!("one {name} of {service}: {spans:#?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_one_trace_through_the_queues_to_the_batches_of_the_workers() {
    const REQUEST: &str = "POST /applications/{token}/chats/{chat_number}/messages";
    let collector = Collector::start().await;
    let to = &collector.address;
    let Some(cluster) = Cluster::start_traced(Database::Mysql, ONE_OF_EACH, to, to).await else {
        return;
    };
    let client = Client::new(&cluster.place()).await;
    let (chat, token) = a_chat(&client).await;
    // Nobody asked for a trace of these, or somebody asked for none.
    say(&client, &chat, "untraced-1", None).await;
    let untraced = Caller::new().traceparent(false);
    say(&client, &chat, "untraced-2", Some(&untraced)).await;

    let caller = Caller::new();
    let answer = say(&client, &chat, KEY, Some(&caller.traceparent(true))).await;
    let indexed = "process chat.indexing";
    let spans = async || collector.spans();
    let has = |spans: &Vec<Span>| spans.iter().any(|span| span.name == indexed);
    eventually(SOON, spans, has).await;
    // Whatever still waits is exported at the end.
    cluster.stop().await;
    let spans = collector.spans();

    let request = named(&spans, "chat-api", REQUEST);
    assert_eq!(request.parent, caller.span);
    let told = format!("00-{}-{}-01", caller.trace, request.id);
    assert_eq!(answer.header("traceparent"), told);
    let mut cause = request;
    for (publishes, takes, queue) in [
        ("chat-api", "chat-worker", "chat.messages"),
        ("chat-worker", "chat-worker", "chat.indexing"),
    ] {
        let publish = named(&spans, publishes, &format!("publish {queue}"));
        assert_eq!(publish.parent, cause.id);
        let batch = named(&spans, takes, &format!("process {queue}"));
        assert_eq!(batch.links, [(caller.trace.clone(), publish.id.clone())]);
        assert_eq!(batch.parent, publish.id);
        assert_eq!(batch.attributes["messaging.destination.name"], queue);
        cause = batch;
    }
    assert_eq!(request.attributes["http.response.status_code"], "201");
    assert_eq!(spans.len(), 5, "{spans:#?}");
    assert!(spans.iter().all(|span| span.trace == caller.trace));

    let id = answer.id().to_owned();
    for text in [SECRET, KEY, &token, &id, e2e::program::ADMIN_KEY] {
        assert!(!collector.was_told(text), "{text}");
    }
    assert!(collector.was_told("POST /applications/{token}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_collector_that_is_away_or_says_nothing() {
    const MESSAGES: u32 = 50;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let (to_silent, to_away) = (address(&silent), address(&away));
    // From here on nobody listens there.
    drop(away);
    let (of_apis, of_workers) = (&to_away, &to_silent);
    let started = Instant::now();
    let traced = Cluster::start_traced(Database::Mysql, ONE_OF_EACH, of_apis, of_workers);
    let Some(cluster) = traced.await else {
        return;
    };
    let client = Client::new(&cluster.place()).await;
    let (chat, _) = a_chat(&client).await;
    for round in 0..MESSAGES {
        let key = format!("key-{round}");
        let traceparent = Caller::new().traceparent(true);
        say(&client, &chat, &key, Some(&traceparent)).await;
    }
    let last = format!("{chat}/messages/{MESSAGES}/status");
    let found = |status: &Answer| status.body["searchable"] == true;
    eventually(SOON, || client.get(&last), found).await;

    for (role, place) in [(Role::Api, of_apis), (Role::Messages, of_workers)] {
        let complaint = format!("{place} takes no traces");
        let complaints = async || cluster.log(role).matches(&complaint).count();
        eventually(SOON, complaints, |count| *count > 0).await;
    }
    let logs = [Role::Api, Role::Messages].map(|role| cluster.log(role));
    // One in a minute.
    let most = 1 + usize::try_from(started.elapsed().as_secs() / 60).unwrap();
    for log in &logs {
        assert!(log.matches("takes no traces").count() <= most, "{log}");
    }
    // In time, and without complaint.
    cluster.stop().await;
}
