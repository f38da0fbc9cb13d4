//! The restore drill of docs/cluster.md, step by step: an earlier copy takes the database's place.

use e2e::client::Client;
use e2e::cluster::{Cluster, Database, Role, Size};
use e2e::eventually::eventually;
use e2e::metrics::at_rest;
use serde_json::json;
use std::time::Duration;

const ONE_OF_EACH: Size = Size {
    apis: 1,
    workers: 1,
};
const SOON: Duration = Duration::from_secs(30);
/// So small that the copy knows less than was given after it.
const BLOCK: [(&str, &str); 1] = [("CHAT_NUMBER_BLOCK", "8")];

async fn send(client: &Client, messages: &str, count: usize) -> u64 {
    let mut last = 0;
    for _ in 0..count {
        let sent = client.post(messages, json!({ "content": "drilled" }));
        last = sent.await.expect(201).number();
    }
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_no_number_is_given_twice_and_the_queues_are_not_lost() {
    let started = Cluster::start_with(Database::Mysql, ONE_OF_EACH, &BLOCK).await;
    let Some(mut cluster) = started else { return };
    let client = Client::new(&cluster.place()).await;
    let created = client.post("/api/v1/applications", json!({ "name": "drill" }));
    let application = created.await.expect(201).location();
    let chats = format!("{application}/chats");
    let chat = client.post(&chats, json!({})).await.expect(201).location();
    let messages = format!("{chat}/messages");

    // In the copy; after it; and accepted while no worker runs, so that it is in a queue alone.
    let copied = send(&client, &messages, 12).await;
    at_rest(&client, SOON).await;
    cluster.copy_database().await;
    let lost = send(&client, &messages, 20).await;
    let late_chat = client.post(&chats, json!({})).await.expect(201).number();
    at_rest(&client, SOON).await;
    let workers = cluster.members(&[Role::Chats, Role::Messages, Role::Indexing, Role::Upkeep]);
    for worker in &workers {
        cluster.stop_one(*worker).await;
    }
    let queued = send(&client, &messages, 5).await;
    let apis = cluster.members(&[Role::Api]);
    for api in &apis {
        cluster.stop_one(*api).await;
    }

    cluster.restore_database().await;
    // The worst case: nothing else remembers the numbers either.
    cluster.wipe_redis().await;
    cluster.run(&["migrate", "--after-restore"]).await;
    for worker in &workers {
        cluster.start_again(*worker).await;
    }
    cluster.run(&["reindex"]).await;
    for api in &apis {
        cluster.start_again(*api).await;
    }
    let client = client.at(&cluster.place());

    // Nothing that was answered before is answered again.
    let next = send(&client, &messages, 1).await;
    assert!(next > queued, "{next} was given after {queued}");
    let next_chat = client.post(&chats, json!({})).await.expect(201).number();
    assert!(next_chat > late_chat, "{next_chat} after {late_chat}");
    at_rest(&client, SOON).await;

    // The copy's messages, those of the queue and the new one are there; what the copy did not have is not.
    let listed = client.list(&format!("{messages}?limit=200")).await;
    let listed: Vec<_> = listed
        .iter()
        .filter_map(|row| row["number"].as_u64())
        .collect();
    let expected: Vec<_> = (1..=copied)
        .chain(lost + 1..=queued)
        .chain([next])
        .collect();
    assert_eq!(listed, expected);
    let search = format!("{chat}/messages/search?query=drilled");
    let found = async || client.get(&search).await.body["total"].as_u64();
    let right = |total: &Option<u64>| *total == Some(expected.len() as u64);
    eventually(SOON, found, right).await;

    // The hole is explained.
    cluster.explain_numbers().await;
    let gaps = client.list(&format!("{chat}/gaps")).await;
    let explained = |number: u64| {
        gaps.iter()
            .any(|gap| gap["from"].as_u64() <= Some(number) && gap["to"].as_u64() >= Some(number))
    };
    let unexplained: Vec<u64> = (1..next)
        .filter(|number| !expected.contains(number) && !explained(*number))
        .take(10)
        .collect();
    assert!(
        unexplained.is_empty(),
        "{unexplained:?} are not among {gaps:?}"
    );
    cluster.run(&["audit"]).await;
    cluster.stop().await;
}
