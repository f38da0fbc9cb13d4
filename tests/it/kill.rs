//! `kill -9` under load, again and again, and then a judgement of everything anybody was told.

use crate::under_load::{CLIENTS, Size, UnderLoad, judge, summary};
use e2e::checker::{Ending, Scope};
use e2e::client::Client;
use e2e::load::path_of;
use e2e::metrics::at_rest;
use e2e::seed::Seed;
use rand::RngExt;
use rand::rngs::SmallRng;
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
    println!("judged after {:?}", started.elapsed());
    program.stop().await;
}

/// The first word of a text is in no other one.
async fn some_are_found_by_their_own_words(client: &Client, said: &Ending, dice: &mut SmallRng) {
    let chats: Vec<_> = said
        .scopes
        .iter()
        .filter(|(scope, _)| scope.chat.is_some())
        .collect();
    for _ in 0..200 {
        let (scope, chat) = chats[dice.random_range(0..chats.len())];
        let row = chat.rows.iter().nth(dice.random_range(0..chat.rows.len()));
        let (number, row) = row.expect("the place is below the number of rows");
        let word = row.content.split(' ').next().unwrap_or_default();
        // Over the whole application, where more can be confused.
        let everywhere = Scope {
            chat: None,
            ..scope.clone()
        };
        let application = path_of(&everywhere, None).replace("/chats", "");
        let path = format!("{application}/messages/search?query=%22{word}%22");
        let found = client.get(&path).await.expect(200);
        assert_eq!(found.body["total"], 1, "{word}: {found:?}");
        assert_eq!(found.body["messages"][0]["number"], *number, "{word}");
    }
}
