//! `kill -9` under load, again and again, and then a judgement of everything anybody was told.

use e2e::checker::{Expectations, Kind, Op, Outcome, check};
use e2e::client::Client;
use e2e::ending::ending;
use e2e::eventually::eventually;
use e2e::load::{Load, Up, Writer, writer_word};
use e2e::metrics::at_rest;
use e2e::program::Program;
use e2e::seed::Seed;
use futures::future::join_all;
use rand::RngExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const CLIENTS: u32 = 16;
const CREATES: u64 = 20_000;
const KILLS: u64 = 22;
const APPLICATIONS: usize = 2;
const CHATS_EACH: usize = 5;
/// A kill wastes at most a block in each chat. Small ones, because each wasted number is asked for.
const SETTINGS: [(&str, &str); 1] = [("CHAT_NUMBER_BLOCK", "64")];
/// Between two kills, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// The promise is 1 s at rest; the rest is for the machine.
const LAG_BUDGET: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_load_break_no_promise() {
    let seed = Seed::of_this_run();
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut program = start(&data).await;
    let client = Client::new(&program.place).await;
    let (tell, up) = watch::channel(Some(client.clone()));
    let mut load = Load::new(CREATES);
    load.prepare(&up, APPLICATIONS, CHATS_EACH).await;
    let load = Arc::new(load);
    let started = Instant::now();
    let writers = writers(&load, &up, seed);

    let mut dice = seed.dice(u64::from(CLIENTS));
    let mut kills = 0;
    while kills < KILLS {
        let next = (kills + 1) * CREATES / (KILLS + 1) + dice.random_range(0..100);
        eventually(PATIENCE, async || load.accepted(), |now| *now >= next).await;
        tell.send_replace(None);
        program.kill();
        kills += 1;
        program = start(&data).await;
        // Sometimes again at once, in the middle of putting things right.
        if dice.random_bool(0.25) {
            program.kill();
            kills += 1;
            program = start(&data).await;
        }
        tell.send_replace(Some(client.at(&program.place)));
    }
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    let took = started.elapsed();

    // Nobody writes any more, so this start can explain every number.
    program.kill();
    let program = start(&data).await;
    let client = client.at(&program.place);
    at_rest(&client, LAG_BUDGET).await;
    let history = Arc::into_inner(load)
        .expect("every writer has ended")
        .into_history();
    let words: Vec<String> = (0..CLIENTS).map(writer_word).collect();
    println!("{kills} kills in {took:?}: {}", summary(&history));
    let said = ending(&client, &history, &words).await;
    println!("judged after {:?}", started.elapsed());
    let expectations = Expectations {
        stored_on_accept: true,
    };
    let violations = check(&history, &said, expectations);
    assert!(
        violations.is_empty(),
        "{seed:?}: {} violations\n{}",
        violations.len(),
        violations
            .iter()
            .take(50)
            .map(|violation| format!("{violation}\n"))
            .collect::<String>()
    );
    program.stop().await;
}

async fn start(data: &Path) -> Program {
    Program::start_with(data, &SETTINGS).await
}

fn writers(load: &Arc<Load>, up: &Up, seed: Seed) -> Vec<tokio::task::JoinHandle<()>> {
    (0..CLIENTS)
        .map(|client| {
            let dice = seed.dice(u64::from(client));
            tokio::spawn(Writer::new(Arc::clone(load), up.clone(), client, dice).run())
        })
        .collect()
}

/// So that a run that tested nothing is seen.
fn summary(history: &[Op]) -> String {
    let count = |what: fn(&Op) -> bool| history.iter().filter(|op| what(op)).count();
    let creates = count(|op| matches!(op.kind, Kind::Create { .. }));
    let keyed = count(|op| matches!(op.kind, Kind::Create { key: Some(_), .. }));
    let edits = count(|op| matches!(op.kind, Kind::Edit { .. }));
    let deletes = count(|op| matches!(op.kind, Kind::Delete { .. }));
    let unknown = count(|op| matches!(op.outcome, Outcome::Unknown));
    let refused = count(|op| matches!(op.outcome, Outcome::Fail { .. }));
    format!(
        "{} requests, {creates} creates ({keyed} with a key), {edits} edits, {deletes} deletes; {unknown} unknown, {refused} refused",
        history.len()
    )
}
