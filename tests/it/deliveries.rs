//! What workers are given: more than once and in any order, refused by the database, too new, or such that
//! no worker survives it. Everybody else is stored meanwhile, and in the end everything is.

use crate::cluster::{Run, judged};
use crate::under_load::CLIENTS;
use e2e::checker::{Kind, Op, Outcome};
use e2e::client::Client;
use e2e::cluster::{Cluster, Database, Role, Size};
use e2e::eventually::eventually;
use e2e::gate::{Gates, KILLER, Place};
use e2e::queues::Message;
use e2e::seed::Seed;
use rand::RngExt;
use rand::seq::SliceRandom;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const ONE_OF_EACH: Size = Size {
    apis: 1,
    workers: 1,
};
const SOON: Duration = Duration::from_secs(60);
/// Of the brokers that tests start: a second or two.
const FIGURES_ARE_OLD: Duration = Duration::from_secs(3);

async fn a_cluster() -> Option<Cluster> {
    let settings = [("CHAT_NUMBER_BLOCK", "64")];
    Cluster::start_with(Database::Mysql, ONE_OF_EACH, &settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_in_any_order_and_number_are_carried_out_once() {
    let seed = Seed::of_this_run();
    let mut dice = seed.dice(u64::from(CLIENTS));
    let Some(cluster) = a_cluster().await else {
        return;
    };
    let mut run = Run::on(cluster, seed, u64::MAX).await;
    run.writers.accepted(100).await;
    let workers = run.cluster.members(&Role::WORKERS);
    let [_, messages, indexing] = workers[..] else {
        panic!("one of each role");
    };
    for worker in &workers {
        run.cluster.stop_one(*worker).await;
    }
    run.writers.accepted(600).await;
    run.writers.load.end();
    let (mut cluster, client, history) = run.finish().await;
    let queues = cluster.place().queues.expect("a cluster has queues");

    let mut again = Vec::new();
    for queue in ["chat.chats", "chat.messages"] {
        let taken = queues.take_all(queue).await;
        assert!(!taken.is_empty(), "there are some in {queue}");
        again.extend(repeated(taken, &mut dice));
    }
    again.shuffle(&mut dice);
    // Beside the others, and for nobody here.
    let newer = newer(again.last().expect("there are some"));
    queues.put(&newer).await;
    for message in &again {
        queues.put(message).await;
    }
    for worker in &workers[..2] {
        cluster.start_again(*worker).await;
    }
    let left = |depths: &Vec<u64>| *depths == [0, 1];
    eventually(
        SOON,
        || depths(&client, ["chat.chats", "chat.messages"]),
        left,
    )
    .await;
    cluster.stop_one(messages).await;
    let kept = queues.take_all("chat.messages").await;
    let [kept] = &kept[..] else {
        panic!("one is left: {kept:?}");
    };
    assert_eq!(kept.payload, newer.payload);
    cluster.start_again(messages).await;

    let taken = queues.take_all("chat.indexing").await;
    assert!(!taken.is_empty(), "the index was told");
    let mut again = repeated(taken, &mut dice);
    again.shuffle(&mut dice);
    for message in &again {
        queues.put(message).await;
    }
    cluster.start_again(indexing).await;
    let client = client.at(&cluster.place());
    judged(&cluster, &client, &history, seed).await;
    cluster.stop().await;
}

/// The content of an accepted message that the trigger below refuses.
fn accepted_and_refused(op: &Op) -> Option<&str> {
    match (&op.kind, &op.outcome) {
        (Kind::Create { content, .. }, Outcome::Ok { .. }) => {
            let is_refused = content.starts_with("u5x") && content.ends_with("5 writer5");
            is_refused.then_some(content)
        }
        _ => None,
    }
}

/// About one in 160 of what is written, so that most batches have some.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_refuses_is_set_aside_and_stored_when_it_is_sent_again() {
    let seed = Seed::of_this_run();
    let Some(cluster) = a_cluster().await else {
        return;
    };
    let mut gates = Gates::build(cluster.setting("CHAT_MYSQL_URL")).await;
    gates
        .execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON messages FOR EACH ROW \
             IF NEW.content LIKE 'u5x%5 writer5' THEN \
             SIGNAL SQLSTATE '22001' SET MYSQL_ERRNO = 1406, MESSAGE_TEXT = 'Data too long'; END IF",
        )
        .await;
    let run = Run::on(cluster, seed, 3_000).await;
    // Those of the writers may be deleted before anything is inserted into them.
    let chats = run.writers.load.chats.clone();
    let (mut cluster, client, history) = run.finish().await;
    let in_chats = history.iter().filter(|op| chats.contains(&op.scope));
    let refused: BTreeSet<_> = in_chats.filter_map(accepted_and_refused).collect();
    assert!(!refused.is_empty(), "one in 160 of 3,000");
    empty(&client, &["chat.chats", "chat.messages", "chat.suspect"]).await;
    let all = |letters: &Vec<Value>| letters.len() >= refused.len();
    let letters = eventually(SOON, || dead_letters(&cluster), all).await;
    for letter in &letters {
        assert_eq!(letter["reason"], "refused", "{letter}");
    }

    gates.execute("DROP TRIGGER refuse").await;
    cluster.run(&["dlq", "redrive", "--all"]).await;
    let client = forgotten(&mut cluster, &client).await;
    judged(&cluster, &client, &history, seed).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_worker_survives_is_set_aside_alone() {
    let seed = Seed::of_this_run();
    let Some(cluster) = a_cluster().await else {
        return;
    };
    let mut gates = Gates::build(cluster.setting("CHAT_MYSQL_URL")).await;
    let mut run = Run::on(cluster, seed, u64::MAX).await;
    run.writers.accepted(100).await;
    gates.close(Place::InsertingKiller).await;
    let client = Client::new(&run.cluster.place()).await;
    let location = say(&client, KILLER).await;

    let worker = run.cluster.members(&[Role::Messages])[0];
    let mut kills = 0;
    while dead_letters(&run.cluster).await.is_empty() {
        assert!(kills < 20, "it was never set aside");
        if gates.has(Place::InsertingKiller).await {
            run.cluster.kill(worker);
            gates.turn_away(Place::InsertingKiller).await;
            run.cluster.start_again(worker).await;
            kills += 1;
        }
    }
    let letters = dead_letters(&run.cluster).await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0]["reason"], "crash", "{letters:?}");
    // Ten times beside others, and three times alone.
    assert_eq!(kills, 13);
    run.writers.accepted_more(100).await;
    run.writers.load.end();
    let (mut cluster, client, history) = run.finish().await;

    gates.open().await;
    cluster.run(&["dlq", "redrive", "--all"]).await;
    let client = forgotten(&mut cluster, &client).await;
    eventually(SOON, || client.get(&location), |read| read.status == 200).await;
    judged(&cluster, &client, &history, seed).await;
    cluster.stop().await;
}

/// In a chat of its own; returns where it is to be found.
async fn say(client: &Client, content: &str) -> String {
    let mut path = "/api/v1/applications".to_owned();
    for (list, field) in [("/chats", "name"), ("/messages", "name"), ("", "content")] {
        let made = client
            .post(&path, json!({ field: content }))
            .await
            .expect(201);
        path = format!("{}{list}", made.location());
    }
    path
}

/// Each of them once, and some twice or three times.
fn repeated(messages: Vec<Message>, dice: &mut rand::rngs::SmallRng) -> Vec<Message> {
    let times = |message| std::iter::repeat_n(message, dice.random_range(1..=3));
    messages.into_iter().flat_map(times).collect()
}

/// The same command, as a later release might write it.
fn newer(message: &Message) -> Message {
    const THIS: &str = "\"version\":1,";
    assert!(message.payload.contains(THIS), "{message:?}");
    Message {
        routing_key: "chat.messages".to_owned(),
        payload: message.payload.replacen(THIS, "\"version\":2,", 1),
        ..message.clone()
    }
}

/// Returns once these queues have been empty for longer than the broker's figures are old.
pub(crate) async fn empty(client: &Client, queues: &[&str]) {
    let since = Cell::new(Instant::now());
    let look = async || {
        let all = client.depths().await.unwrap_or_default();
        if !queues.iter().all(|queue| all.get(*queue) == Some(&0)) {
            since.set(Instant::now());
        }
        since.get().elapsed()
    };
    eventually(SOON, look, |calm| *calm > FIGURES_ARE_OLD).await;
}

async fn depths<const N: usize>(client: &Client, queues: [&str; N]) -> Vec<u64> {
    let all = client.depths().await.unwrap_or_default();
    let depth = |queue: &&str| all.get(*queue).copied();
    queues.iter().filter_map(depth).collect()
}

async fn dead_letters(cluster: &Cluster) -> Vec<Value> {
    let said = cluster.run(&["dlq", "ls", "--json"]).await;
    let letters: Value = serde_json::from_str(&said).expect("it is JSON");
    letters.as_array().cloned().expect("it is a list")
}

/// The worker of messages counts what it set aside; another one does not know.
async fn forgotten(cluster: &mut Cluster, client: &Client) -> Client {
    let worker = cluster.members(&[Role::Messages])[0];
    cluster.stop_one(worker).await;
    cluster.start_again(worker).await;
    client.at(&cluster.place())
}
