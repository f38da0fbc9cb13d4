//! Accepting messages over HTTP, and what stands beside it: a bare handler.

use crate::Size;
use crate::bare::BareHandler;
use crate::connection::post;
use crate::load::{Load, Measured, Until, run};
use crate::machine;
use crate::results::Results;
use crate::server::Settings;
use crate::subject::{ADMIN_KEY, Subject};
use crate::text::Author;
use anyhow::Result;
use std::path::Path;

pub(crate) const CONNECTIONS: [usize; 3] = [1, 64, 256];
const CHATS: u64 = 16;
/// Prepared requests.
const REQUESTS: usize = 4_096;

/// Other settings, measured at 64 connections.
pub(crate) const VARIANTS: [(&str, Settings<'static>); 3] = [
    (
        "without access log",
        &[("CHAT_LOG", "info,tantivy=warn,chat::access=off")],
    ),
    (
        "with rate limits",
        &[("CHAT_RATE_LIMIT", "general=100000/s,create=100000/s")],
    ),
    (
        "with keys",
        &[("CHAT_AUTH_MODE", "keys"), ("CHAT_ADMIN_KEY", ADMIN_KEY)],
    ),
];

/// One round of everything, each on fresh data.
pub(crate) async fn round(dir: &Path, size: &Size, results: &mut Results) -> Result<()> {
    let bare = BareHandler::start()?;
    for connections in CONNECTIONS {
        measure_bare(&bare, connections, size, results).await?;
        let name = format!("accept {connections}");
        measure(dir, &[], connections, &name, size, results).await?;
    }
    for (variant, settings) in VARIANTS {
        let name = format!("accept 64 {variant}");
        measure(dir, settings, 64, &name, size, results).await?;
    }
    Ok(())
}

async fn measure(
    dir: &Path,
    settings: Settings<'_>,
    connections: usize,
    name: &str,
    size: &Size,
    results: &mut Results,
) -> Result<()> {
    let data = tempfile::tempdir_in(dir)?;
    let mut subject = Subject::start(&data.path().join("chat"), settings, CHATS).await?;
    let requests = subject.creates(REQUESTS, &mut Author::new(1));
    let before = subject.cpu_seconds()?;
    let measured = subject
        .create_all(connections, &requests, size.timed())
        .await?;
    let cpu = subject.cpu_seconds()? - before;
    record(name, &measured, cpu, results);
    Ok(())
}

async fn measure_bare(
    bare: &BareHandler,
    connections: usize,
    size: &Size,
    results: &mut Results,
) -> Result<()> {
    let mut author = Author::new(1);
    let path = "/api/v1/applications/01jd8q0v6z3m5n7p9r1t3v5x7z/chats/1/messages";
    let create = |_| {
        let body = serde_json::json!({ "content": author.sentence() });
        post(path, ADMIN_KEY, &body)
    };
    let requests: Vec<Vec<u8>> = (0..REQUESTS).map(create).collect();
    let before = machine::cpu_seconds(bare.id())?;
    let measured = run(Load {
        address: bare.address,
        connections,
        requests: requests.into(),
        status: 201,
        until: size.timed(),
    })
    .await?;
    let cpu = machine::cpu_seconds(bare.id())? - before;
    record(&format!("bare {connections}"), &measured, cpu, results);
    Ok(())
}

fn record(name: &str, measured: &Measured, cpu_seconds: f64, results: &mut Results) {
    results.add(&format!("{name} rate"), "1/s", measured.rate);
    results.add(&format!("{name} p50"), "ms", measured.latency_ms(0.5));
    results.add(&format!("{name} p99"), "ms", measured.latency_ms(0.99));
    let cpu_us = cpu_seconds * 1e6 / measured.answers as f64;
    results.add(&format!("{name} cpu"), "us", cpu_us);
}

impl Size {
    fn timed(&self) -> Until {
        Until::Time {
            warm_up: self.warm_up,
            measured: self.measured,
        }
    }
}
