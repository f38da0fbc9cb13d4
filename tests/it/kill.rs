//! `kill -9` under load, again and again, and then a judgement of everything anybody was told.

use crate::under_load::{CLIENTS, Size, UnderLoad, judge, summary};
use e2e::checker::{Ending, Kind, Op, Scope};
use e2e::client::Client;
use e2e::load::parent_of;
use e2e::metrics::at_rest;
use e2e::seed::Seed;
use rand::RngExt;
use rand::rngs::SmallRng;
use serde_json::Value;
use std::time::{Duration, Instant};

const CREATES: u64 = 20_000;
const KILLS: u64 = 22;
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_load_break_no_promise() {
    let seed = Seed::of_this_run();
    let mut dice = seed.dice(u64::from(CLIENTS));
    let dir = tempfile::tempdir().unwrap();
    let size = Size {
        applications: 2,
        chats_each: 5,
        creates: CREATES,
    };
    let started = Instant::now();
    let mut run = UnderLoad::start(&dir.path().join("data"), seed, size).await;
    let mut kills = 0;
    while kills < KILLS {
        let next = (kills + 1) * CREATES / (KILLS + 1) + dice.random_range(0..100);
        run.accepted(next).await;
        run.kill();
        kills += 1;
        // Sometimes again while it puts things right, or when it has just done so.
        if dice.random_bool(0.25) {
            run.start_and_kill(Duration::from_millis(dice.random_range(0..400)))
                .await;
            kills += 1;
        }
        run.start_again().await;
        if dice.random_bool(0.25) {
            run.kill();
            kills += 1;
            run.start_again().await;
        }
        run.let_in();
    }
    let (mut program, client, history) = run.finish().await;
    println!(
        "{kills} kills in {:?}: {}",
        started.elapsed(),
        summary(&history)
    );

    // Nobody writes any more, so a start can explain every number.
    program.kill();
    let program = e2e::program::Program::start(&dir.path().join("data")).await;
    let client = client.at(&program.place);
    at_rest(&client, SOON).await;
    let said = judge(&client, &history, seed).await;
    some_are_found_by_their_own_words(&client, &said, &mut dice).await;
    nothing_of_deleted_chats_is_found(&client, &history, &said).await;
    println!("judged after {:?}", started.elapsed());
    program.stop().await;
}

/// The first word of a text is in no other one.
pub(crate) async fn some_are_found_by_their_own_words(
    client: &Client,
    said: &Ending,
    dice: &mut SmallRng,
) {
    let chats: Vec<_> = said
        .scopes
        .iter()
        .filter(|(scope, said)| scope.chat.is_some() && !said.rows.is_empty())
        .collect();
    for _ in 0..200 {
        let (scope, chat) = chats[dice.random_range(0..chats.len())];
        let row = chat.rows.iter().nth(dice.random_range(0..chat.rows.len()));
        let (number, row) = row.expect("the place is below the number of rows");
        let found = search(client, scope, &row.content).await;
        assert_eq!(found["total"], 1, "{:?}: {found}", row.content);
        assert_eq!(found["messages"][0]["number"], *number, "{found}");
    }
}

/// Not even its number of hits gives away what was in a deleted chat.
pub(crate) async fn nothing_of_deleted_chats_is_found(
    client: &Client,
    history: &[Op],
    said: &Ending,
) {
    let of_deleted = history.iter().filter_map(|op| match &op.kind {
        Kind::Create { content, .. } if said.scopes[&op.scope].deleted => {
            Some((&op.scope, content))
        }
        _ => None,
    });
    let mut asked = 0;
    for (scope, content) in of_deleted.take(100) {
        let found = search(client, scope, content).await;
        assert_eq!(found["total"], 0, "{scope} is deleted: {found}");
        asked += 1;
    }
    assert!(asked > 10, "only {asked} messages were in deleted chats");
}

/// For the first word of a text, over the whole application, where more can be confused.
async fn search(client: &Client, scope: &Scope, text: &str) -> Value {
    let word = text.split(' ').next().unwrap_or_default();
    let everywhere = Scope {
        chat: None,
        ..scope.clone()
    };
    let path = format!(
        "{}/messages/search?query=%22{word}%22",
        parent_of(&everywhere)
    );
    client.get(&path).await.expect(200).body
}
