//! What `chat-worker` can be asked to do, as people and CronJobs ask it, on a cluster that runs.

use e2e::client::Client;
use e2e::cluster::{Cluster, Database, Size};
use e2e::eventually::eventually;
use e2e::metrics::at_rest;
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

const ONE_OF_EACH: Size = Size {
    apis: 1,
    workers: 1,
};
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_chat_worker_do_what_their_help_says() {
    let Some(cluster) = Cluster::start(Database::Mariadb, ONE_OF_EACH).await else {
        return;
    };
    let client = Client::new(&cluster.place()).await;
    let chat = a_chat_with_messages(&client, 30).await;
    at_rest(&client, SOON).await;

    many_at_once_do_no_harm(&cluster).await;
    an_audit_finds_and_mends_what_was_changed_behind_its_back(&cluster).await;
    a_rebuilt_index_finds_the_same(&cluster, &client, &chat).await;
    dead_letters_are_listed_sent_again_and_dropped(&cluster).await;
    a_wrong_password_is_told_without_the_password(&cluster).await;
    a_newer_schema_is_refused(&cluster).await;
    cluster.stop().await;
}

async fn a_chat_with_messages(client: &Client, count: u64) -> String {
    let created = client.post("/api/v1/applications", json!({ "name": "commands" }));
    let application = created.await.expect(201).location();
    let chats = format!("{application}/chats");
    let chat = client.post(&chats, json!({})).await.expect(201).location();
    for number in 1..=count {
        let body = json!({ "content": format!("commanded {number}") });
        let sent = client.post(&format!("{chat}/messages"), body).await;
        assert_eq!(sent.expect(201).number(), number);
    }
    chat
}

async fn many_at_once_do_no_harm(cluster: &Cluster) {
    for task in ["migrate", "topology", "reconcile"] {
        join_all((0..3).map(async |_| cluster.run(&[task]).await)).await;
    }
    cluster.run(&["audit"]).await;
}

async fn an_audit_finds_and_mends_what_was_changed_behind_its_back(cluster: &Cluster) {
    cluster
        .change_database("UPDATE counts SET n = n + 7 WHERE kind = 1")
        .await;
    let (code, said, _) = cluster.exit_code_of(&["audit", "--json"], &[]).await;
    let found: Value = serde_json::from_str(&said).expect("it is JSON");
    assert_eq!(
        (
            code,
            &found["counts"]["differing"][0]["counted"],
            &found["counts"]["differing"][0]["rows"]
        ),
        (Some(1), &json!(37), &json!(30)),
        "{said}"
    );
    let (code, said, _) = cluster.exit_code_of(&["audit", "--repair"], &[]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("counted 37, there are 30"), "{said}");
    cluster.run(&["audit"]).await;
}

async fn a_rebuilt_index_finds_the_same(cluster: &Cluster, client: &Client, chat: &str) {
    let search = format!("{chat}/messages/search?query=commanded");
    assert_eq!(client.get(&search).await.body["total"], 30);
    let said = cluster.run(&["reindex"]).await;
    assert!(said.contains("30"), "{said}");
    let total = async || client.get(&search).await.body["total"].as_u64();
    eventually(SOON, total, |total| *total == Some(30)).await;
    cluster.run(&["audit"]).await;
}

async fn dead_letters_are_listed_sent_again_and_dropped(cluster: &Cluster) {
    let said = cluster.run(&["dlq", "ls"]).await;
    assert_eq!(said, "There are no dead letters.\n");
    cluster.publish("chat.messages", "not a command").await;
    let listed = async || {
        let said = cluster.run(&["dlq", "ls", "--json"]).await;
        let letters: Vec<Value> = serde_json::from_str(&said).expect("it is JSON");
        letters
    };
    let letters = eventually(SOON, listed, |letters| letters.len() == 1).await;
    assert_eq!(letters[0]["reason"], "decode", "{letters:?}");
    assert_eq!(letters[0]["source"], "chat.messages", "{letters:?}");
    let id = letters[0]["id"].as_str().expect("it has an id").to_owned();
    let shown = cluster.run(&["dlq", "show", &id]).await;
    assert!(shown.contains("\"reason\": \"decode\""), "{shown}");
    let table = cluster.run(&["dlq", "ls"]).await;
    assert!(table.contains(&id), "{table}");

    // Sent again it would only come back.
    let (code, _, log) = cluster.exit_code_of(&["dlq", "redrive", &id], &[]).await;
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("that a worker could read"), "{log}");
    let said = cluster.run(&["dlq", "drop", &id]).await;
    assert!(said.starts_with("1 dead letters"), "{said}");
    eventually(SOON, listed, Vec::is_empty).await;

    let (code, _, log) = cluster.exit_code_of(&["dlq", "show", "nobody"], &[]).await;
    assert_eq!(code, Some(1));
    assert!(log.contains("there is no dead letter nobody"), "{log}");
}

async fn a_wrong_password_is_told_without_the_password(cluster: &Cluster) {
    let url = "mysql://nobody:guessed-it@127.0.0.1:1/chat";
    let wrong = [("CHAT_MYSQL_URL", url)];
    let (code, said, log) = cluster.exit_code_of(&["reconcile"], &wrong).await;
    assert_eq!(code, Some(1), "{said}\n{log}");
    assert!(log.contains("127.0.0.1:1"), "{log}");
    assert!(!log.contains("guessed-it"), "{log}");
    let wrong = [("CHAT_MYSQL_URL", "127.0.0.1:3306")];
    let (code, _, log) = cluster.exit_code_of(&["reconcile"], &wrong).await;
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("CHAT_MYSQL_URL"), "{log}");
    assert!(log.contains("mysql://"), "it shows an example: {log}");
}

/// Last: nobody of this version can use the database any more.
async fn a_newer_schema_is_refused(cluster: &Cluster) {
    cluster
        .change_database("UPDATE schema_info SET version = 1000, readable_from = 1000")
        .await;
    let (code, _, log) = cluster.exit_code_of(&["migrate"], &[]).await;
    assert_eq!(code, Some(3), "{log}");
    cluster
        .change_database("UPDATE schema_info SET version = 2, readable_from = 1")
        .await;
}
