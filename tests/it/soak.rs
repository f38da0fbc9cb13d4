//! Load and random kills on a cluster for as long as one likes: `make soak MINUTES=60`.

use crate::cluster::{Run, judged};
use crate::under_load::{CLIENTS, summary};
use e2e::cluster::Database;
use e2e::seed::Seed;
use std::time::{Duration, Instant};

/// Each round writes to applications of its own: of one word, a search shows 1,000 messages of a chat.
const CREATES_IN_A_ROUND: u64 = 20_000;
const BETWEEN_KILLS: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes SOAK_MINUTES, and a while to judge"]
async fn a_soak_breaks_no_promise() {
    let deadline = Instant::now() + length();
    let mut seed = Seed::of_this_run();
    let Some(mut run) = Run::start(Database::Mysql, seed, CREATES_IN_A_ROUND).await else {
        return;
    };
    let (mut rounds, mut kills, mut requests) = (0, 0, 0);
    let cluster = loop {
        let mut dice = seed.dice(u64::from(CLIENTS));
        let load = run.writers.load.clone();
        while !load.is_over() {
            if Instant::now() > deadline {
                load.end();
            }
            kills += run.kill_somebody(&mut dice).await;
            run.writers.accepted_more_or_all(BETWEEN_KILLS).await;
        }
        let (cluster, client, history) = run.finish().await;
        println!("round {rounds}: {}", summary(&history));
        judged(&cluster, &client, &history, seed).await;
        rounds += 1;
        requests += history.len();
        if Instant::now() > deadline {
            break cluster;
        }
        seed = seed.next();
        run = Run::on(cluster, seed, CREATES_IN_A_ROUND).await;
    };
    cluster.stop().await;
    println!("soaked: {rounds} rounds, {requests} requests, {kills} kills, 0 violations");
}

#[expect(
    clippy::disallowed_methods,
    reason = "people say how long a soak takes"
)]
fn length() -> Duration {
    let minutes = std::env::var("SOAK_MINUTES").unwrap_or_else(|_| "2".to_owned());
    let minutes: u64 = minutes.parse().expect("SOAK_MINUTES is a number");
    Duration::from_secs(60 * minutes)
}
