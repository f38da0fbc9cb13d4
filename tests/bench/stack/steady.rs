//! A steady stream of messages through the whole system, and how long after its answer one is found.

use super::progress;
use super::system::System;
use super::versions::versions;
use crate::Size;
use crate::application::{ADMIN_KEY, Application};
use crate::connection::{Connection, get};
use crate::load::{Load, Pace, Until, run};
use crate::results::Results;
use crate::text::Author;
use anyhow::Result;
use e2e::cluster::Role;
use serde_json::Value;
use std::time::{Duration, Instant};

pub(crate) const RATE: f64 = 2_000.0;
/// Of one round.
const MEASURED: Duration = Duration::from_secs(20);
const CONNECTIONS: usize = 64;
const CHATS: u64 = 16;
const REQUESTS: usize = 4_096;
const PROBES_EVERY: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Whoever waited for so long does not look again: the system does not keep up, and the lag says it.
const PATIENCE: Duration = Duration::from_secs(30);

/// 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming, volume 3, 6.4).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Returns which servers it were.
pub(crate) async fn measure(size: &Size, results: &mut Results) -> Result<String> {
    let system = System::start(&[]).await?;
    let servers = versions(&system).await;
    let application = Application::create(system.api()?, ADMIN_KEY, CHATS).await?;
    let requests = application.creates(REQUESTS, &mut Author::new(6));
    for round in 1..=size.rounds {
        progress(&format!("indexing, round {round}"));
        let load = run(Load {
            address: application.address,
            connections: CONNECTIONS,
            requests: requests.clone(),
            status: 201,
            until: Until::Time {
                warm_up: Duration::ZERO,
                measured: MEASURED,
            },
            pace: Pace::Steady(RATE),
        });
        let indexed = async || {
            let metrics = system.metrics(Role::Indexing).await?;
            metrics.sum("chat_index_writes_total")
        };
        let before = indexed().await?;
        let (measured, lags) = tokio::join!(load, probe(&application, round));
        let measured = measured?;
        let written = indexed().await? - before;
        results.add("steady rate", "1/s", measured.rate);
        results.add("steady p50", "ms", measured.latency_ms(0.5));
        results.add("steady p99", "ms", measured.latency_ms(0.99));
        let rate = written / MEASURED.as_secs_f64();
        results.add("steady indexed", "1/s", rate);
        let mut lags = lags?;
        lags.sort_unstable();
        let lag = |place: usize| lags[place].as_secs_f64() * 1_000.0;
        results.add("steady lag p50", "ms", lag(lags.len() / 2));
        results.add("steady lag max", "ms", lag(lags.len() - 1));
    }
    Ok(servers)
}

/// From the answer to a create until a search finds it, again and again while the load is on.
async fn probe(application: &Application, round: usize) -> Result<Vec<Duration>> {
    let mut connection = Connection::open(application.address).await?;
    let begun = Instant::now();
    let mut lags = Vec::new();
    while begun.elapsed() < MEASURED {
        // Too far from each other to be taken for typos.
        let word = format!(
            "{:016x}",
            SPREAD.wrapping_mul((round * 1_000 + lags.len() + 1) as u64)
        );
        let create = application.create_with(1, &word);
        connection.exchange(&create, 201).await?;
        let answered = Instant::now();
        let path = &application.path;
        let search = get(&format!("{path}/chats/1/messages/search?query={word}"));
        while answered.elapsed() < PATIENCE {
            let found: Value = serde_json::from_slice(connection.exchange(&search, 200).await?)?;
            if found["total"].as_u64() > Some(0) {
                break;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        lags.push(answered.elapsed());
        tokio::time::sleep(PROBES_EVERY).await;
    }
    Ok(lags)
}
