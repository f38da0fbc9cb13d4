//! Ends and starts that somebody wanted: nothing is lost, no number is missing, and only one process has
//! the data at a time.

use crate::under_load::{Size, UnderLoad, judge};
use e2e::checker::{Kind, Op, Outcome, Scope};
use e2e::client::Client;
use e2e::eventually::eventually;
use e2e::load::path_of;
use e2e::metrics::at_rest;
use e2e::program::{Program, command};
use e2e::seed::Seed;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Output;
use std::time::Duration;
use tokio::task::spawn_blocking;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn ten_clean_restarts_leave_no_hole() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let program = Program::start(&data).await;
    let client = Client::new(&program.place).await;
    let application = client.post("/api/v1/applications", json!({ "name": "restarted" }));
    let application = application.await.expect(201).location();
    program.stop().await;
    let chats = format!("{application}/chats");
    for round in 1..=10 {
        let program = Program::start(&data).await;
        let client = client.at(&program.place);
        let chat = client.post(&chats, json!({})).await.expect(201);
        assert_eq!(chat.number(), round);
        for chat in 1..=round {
            // Each chat has got two in every round since it was made.
            for message in 1..=2 {
                let body = json!({ "content": format!("round {round}") });
                let sent = client.post(&format!("{chats}/{chat}/messages"), body).await;
                assert_eq!(sent.expect(201).number(), 2 * (round - chat) + message);
            }
        }
        program.stop().await;
    }
    let program = Program::start(&data).await;
    let client = client.at(&program.place);
    let listed = client.list(&chats).await;
    assert_eq!(numbers(&listed), (1..=10).collect::<Vec<_>>());
    for chat in &listed {
        let path = format!("{chats}/{}", chat["number"]);
        let messages = numbers(&client.list(&format!("{path}/messages")).await);
        let expected: Vec<u64> = (1..=messages.len() as u64).collect();
        assert_eq!(messages, expected);
        assert_eq!(chat["messages_count"], messages.len());
        let gaps = client.get(&format!("{path}/gaps")).await.expect(200);
        assert_eq!(gaps.body["data"], json!([]));
    }
    program.stop().await;
}

fn numbers(list: &[Value]) -> Vec<u64> {
    list.iter()
        .filter_map(|one| one["number"].as_u64())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_loses_nothing_and_leaves_no_hole() {
    let seed = Seed::of_this_run();
    let dir = tempfile::tempdir().unwrap();
    let size = Size {
        applications: 1,
        chats_each: 3,
        creates: 4_000,
    };
    let mut run = UnderLoad::start(&dir.path().join("data"), seed, size).await;
    for stop in 1..=3 {
        run.accepted(stop * 1_000).await;
        run.stop().await;
        run.start_again().await;
        run.let_in();
    }
    let (program, client, history) = run.finish().await;
    at_rest(&client, SOON).await;
    let said = judge(&client, &history, seed).await;
    for (scope, said) in &said.scopes {
        assert_eq!(said.gaps, [], "{scope}");
    }
    program.stop().await;
}

#[tokio::test]
async fn a_second_process_is_refused_and_does_not_disturb_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let program = Program::start(&data).await;
    let client = Client::new(&program.place).await;
    let second = command(&data, &[]);
    let refused = run(second).await;
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&refused.stdout), "");
    let said = String::from_utf8_lossy(&refused.stderr);
    for word in [
        data.to_str().unwrap(),
        "in use by another chat-standalone",
        "--data-dir",
    ] {
        assert!(said.contains(word), "{word} is not in {said}");
    }
    client
        .post("/apps", json!({ "name": "still here" }))
        .await
        .expect(201);
    // The lock goes with its process, however that ends.
    drop(program);
    Program::start(&data).await.stop().await;
}

#[tokio::test]
async fn a_deleted_index_is_rebuilt_while_the_chat_serves() {
    const MESSAGES: u64 = 900;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let program = Program::start(&data).await;
    let client = Client::new(&program.place).await;
    let application = client.post("/apps", json!({ "name": "indexed" })).await;
    let application = application.expect(201).location();
    let chat = client
        .post(&format!("{application}/chats"), json!({}))
        .await;
    let messages = format!("{}/messages", chat.expect(201).location());
    stream::iter(1..=MESSAGES)
        .for_each_concurrent(16, async |number| {
            let body = json!({ "content": format!("needle {number}") });
            client.post(&messages, body).await.expect(201);
        })
        .await;
    program.stop().await;
    std::fs::remove_dir_all(data.join("index")).unwrap();

    let program = Program::start(&data).await;
    let client = client.at(&program.place);
    // It does not wait for its index.
    let listed = client.get(&format!("{messages}?limit=1")).await.expect(200);
    assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(1));
    let created = client
        .post(&messages, json!({ "content": "needle, the last" }))
        .await;
    assert_eq!(created.expect(201).number(), MESSAGES + 1);
    let search = format!("{messages}/search?query=needle");
    let all = |answer: &e2e::client::Answer| answer.body["total"] == MESSAGES + 1;
    eventually(SOON, || client.get(&search), all)
        .await
        .expect(200);
    let says_so = |log: &String| log.matches("the index equals the store").count() == 2;
    eventually(SOON, async || program.log(), says_so).await;
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_under_load_holds_what_was_answered_and_gives_no_number_twice() {
    let seed = Seed::of_this_run();
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let size = Size {
        applications: 1,
        chats_each: 3,
        creates: 3_000,
    };
    let under_load = UnderLoad::start(&data, seed, size).await;
    under_load.accepted(1_500).await;
    let before = under_load.writers.load.history();
    let file = dir.path().join("copy.db");
    let mut backup = command(&data, &[]);
    backup.arg("backup").arg(&file);
    let made = run(backup).await;
    assert!(made.status.success(), "{made:?}");
    assert!(
        !under_load.writers.load.is_over(),
        "the copy was made while clients wrote"
    );
    let shared_chats = under_load.writers.load.chats.clone();
    let (program, client, history) = under_load.finish().await;
    at_rest(&client, SOON).await;
    judge(&client, &history, seed).await;

    let restored = dir.path().join("restored");
    std::fs::create_dir(&restored).unwrap();
    std::fs::rename(&file, restored.join("chat.db")).unwrap();
    let copy = Program::start(&restored).await;
    let client = client.at(&copy.place);
    holds_every_create(&client, &before).await;
    for (scope, highest) in highest_given(&history) {
        // A client's own chat may be newer than the copy, or deleted in it.
        if scope.chat.is_some() && !shared_chats.contains(&scope) {
            continue;
        }
        let list = path_of(&scope, None);
        let field = if scope.chat.is_some() {
            "content"
        } else {
            "name"
        };
        let created = client
            .post(&list, json!({ field: "after the copy" }))
            .await
            .expect(201);
        let number = created.number();
        assert!(number > highest, "{scope}: {number} follows {highest}");
        let skipped = client.get(&path_of(&scope, Some(number - 1))).await;
        assert_eq!(
            skipped.problem(404, "never-stored").body["cause"],
            "block_lost"
        );
        if scope.chat.is_some() {
            let rows = client.list(&format!("{list}?limit=200")).await.len();
            let chat = client
                .get(list.trim_end_matches("/messages"))
                .await
                .expect(200);
            assert_eq!(chat.body["messages_count"], rows, "{scope}");
        }
    }
    copy.stop().await;
    program.stop().await;
}

/// Each one is there, or was deleted meanwhile.
async fn holds_every_create(client: &Client, history: &[Op]) {
    let created = history
        .iter()
        .filter_map(|op| match (&op.kind, &op.outcome) {
            (Kind::Create { .. }, Outcome::Ok { number, id, .. }) => Some((&op.scope, *number, id)),
            _ => None,
        });
    let mut answers = stream::iter(created)
        .map(async |(scope, number, id)| (id, client.get(&path_of(scope, Some(number))).await))
        .buffer_unordered(16);
    let mut held = 0;
    while let Some((id, answer)) = answers.next().await {
        if answer.status != 410 {
            assert_eq!(answer.expect(200).id(), id);
            held += 1;
        }
    }
    assert!(held >= 1_000, "only {held} messages were in the copy");
}

/// By whoever gave it, in answers that anybody heard of.
fn highest_given(history: &[Op]) -> BTreeMap<Scope, u64> {
    let mut highest = BTreeMap::new();
    for op in history {
        if let (Kind::Create { .. }, Outcome::Ok { number, .. }) = (&op.kind, &op.outcome) {
            let last = highest.entry(op.scope.clone()).or_insert(*number);
            *last = (*last).max(*number);
        }
    }
    highest
}

async fn run(mut command: std::process::Command) -> Output {
    let ran = spawn_blocking(move || command.output()).await;
    ran.expect("running a program does not panic")
        .expect("the program can be started")
}
