//! The whole flow over HTTP. Nothing in here knows what is behind the address, so it holds on any
//! backends: it waits for what was accepted to be stored, and for what was stored to be found.

mod administration;
mod applications;
mod deleting;
mod idempotency;
mod keys;
mod lists;
mod messages;
mod search;

use e2e::client::{Answer, Client};
use e2e::cluster::{Cluster, Database, Size};
use e2e::eventually::eventually;
use e2e::metrics::at_rest;
use e2e::place::Place;
use e2e::program::Program;
use e2e::url::encoded;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// For whatever a worker or an index has to do first.
const SOON: Duration = Duration::from_secs(20);
const TWO_OF_EACH: Size = Size {
    apis: 2,
    workers: 2,
};

#[tokio::test]
async fn the_whole_flow_works_on_embedded_backends() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start(&dir.path().join("data")).await;
    everything(&program.place).await;
    program.stop().await;
}

#[tokio::test]
async fn the_whole_flow_works_with_keys() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start_with_keys(&dir.path().join("data")).await;
    everything(&program.place).await;
    keys::live_and_die(&Client::new(&program.place).await).await;
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_flow_works_on_a_cluster_with_mysql() {
    let Some(cluster) = Cluster::start(Database::Mysql, TWO_OF_EACH).await else {
        return;
    };
    everything(&cluster.place()).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_flow_works_on_a_cluster_with_mariadb_and_keys() {
    let Some(cluster) = Cluster::start_with_keys(Database::Mariadb, TWO_OF_EACH).await else {
        return;
    };
    everything(&cluster.place()).await;
    keys::live_and_die(&Client::new(&cluster.place()).await).await;
    cluster.stop().await;
}

/// On a system of its own, in the end at rest. With the administrator's key where there is one.
async fn everything(place: &Place) {
    let client = Client::new(place).await;
    administration::health_is_told(&client).await;
    applications::come_and_go(&client).await;
    messages::are_read_at_once(&client).await;
    messages::are_edited_and_deleted(&client).await;
    messages::keep_every_field(&client).await;
    lists::of_messages(&client).await;
    lists::of_chats(&client).await;
    search::finds_words(&client).await;
    search::follows_edits_and_deletes(&client).await;
    search::is_narrowed_and_paged(&client).await;
    idempotency::of_messages(&client).await;
    idempotency::of_everything_else(&client).await;
    idempotency::of_many_at_once(&client).await;
    deleting::a_chat_deletes_what_is_in_it(&client).await;
    deleting::an_application_deletes_everything(&client).await;
    administration::sees_everybody(&client).await;
    at_rest(&client, SOON).await;
}

/// The path of a new application.
async fn an_application(client: &Client) -> String {
    let created = client.post("/api/v1/applications", json!({ "name": "flow" }));
    created.await.expect(201).location()
}

/// The path of a new chat in a new application, stored.
async fn a_chat(client: &Client) -> String {
    let application = an_application(client).await;
    let created = client
        .post(&format!("{application}/chats"), json!({}))
        .await;
    let path = created.expect(201).location();
    stored(client, &path).await;
    path
}

/// A new message in this chat, stored; its path.
async fn a_message(client: &Client, chat: &str, content: &str) -> String {
    let body = json!({ "content": content });
    let created = client.post(&format!("{chat}/messages"), body).await;
    let path = created.expect(201).location();
    stored(client, &path).await;
    path
}

/// What was accepted under this path is never missing, and is there soon.
async fn stored(client: &Client, path: &str) -> Value {
    let there = eventually(SOON, || client.get(path), |answer| answer.status != 202);
    there.await.expect(200).body
}

/// The object once it has this revision.
async fn revised(client: &Client, path: &str, rev: &Value) -> Value {
    let read = || client.get(path);
    let has_rev = |answer: &Answer| answer.body["rev"] == *rev;
    eventually(SOON, read, has_rev).await.expect(200).body
}

/// Until the deletion of what is there is carried out.
async fn gone(client: &Client, path: &str) {
    let gone = eventually(SOON, || client.get(path), |answer| answer.status == 410);
    gone.await.problem(410, "gone");
}

async fn count(client: &Client, parent: &str, field: &str) -> u64 {
    let parent = client.get(parent).await.expect(200);
    parent.body[field].as_u64().expect("a count is a number")
}

/// Until the index holds the message as it is now.
async fn searchable(client: &Client, message: &str) -> Value {
    let status = format!("{message}/status");
    let read = || client.get(&status);
    let found = eventually(SOON, read, |status| status.body["searchable"] == true);
    found.await.expect(200).body
}

/// The numbers of what a search finds, in its order.
async fn found(client: &Client, place: &str, query: &[(&str, &str)]) -> Vec<u64> {
    numbers(&search_in(client, place, query).await.body["messages"])
}

async fn search_in(client: &Client, place: &str, query: &[(&str, &str)]) -> Answer {
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let path = format!("{place}/messages/search?{}", query.join("&"));
    client.get(&path).await.expect(200)
}

fn numbers(list: &Value) -> Vec<u64> {
    let list = list.as_array().expect("this is a list");
    list.iter()
        .map(|one| one["number"].as_u64().expect("everything has a number"))
        .collect()
}

async fn send_with_key(
    client: &Client,
    method: Method,
    path: &str,
    key: &str,
    body: &Value,
) -> Answer {
    let call = client.call(method, path).json(body);
    call.idempotency_key(key).send().await
}
