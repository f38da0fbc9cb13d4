//! Accepting messages over HTTP, and what stands beside it: a bare handler.

use crate::Size;
use crate::application::{ADMIN_KEY, Application};
use crate::baseline::Baseline;
use crate::load::{Measured, Until};
use crate::machine;
use crate::results::Results;
use crate::server::Settings;
use crate::subject::Subject;
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
    let bare = Baseline::start("bare-handler", [])?;
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
    let requests = subject.application.creates(REQUESTS, &mut Author::new(1));
    let before = subject.cpu_seconds()?;
    let measured = subject
        .create_all(connections, &requests, size.timed())
        .await?;
    let cpu = subject.cpu_seconds()? - before;
    record(name, &measured, cpu, results);
    Ok(())
}

async fn measure_bare(
    bare: &Baseline,
    connections: usize,
    size: &Size,
    results: &mut Results,
) -> Result<()> {
    let application = Application::nowhere(bare.address, 1);
    let requests = application.creates(REQUESTS, &mut Author::new(1));
    let before = machine::cpu_seconds(bare.id())?;
    let until = size.timed();
    let measured = application.load(connections, &requests, 201, until).await?;
    let cpu = machine::cpu_seconds(bare.id())? - before;
    record(&format!("bare {connections}"), &measured, cpu, results);
    Ok(())
}

/// Rate, latencies, and processor time of the server for an answer.
pub(crate) fn record(name: &str, measured: &Measured, cpu_seconds: f64, results: &mut Results) {
    results.add(&format!("{name} rate"), "1/s", measured.rate);
    results.add(&format!("{name} p50"), "ms", measured.latency_ms(0.5));
    results.add(&format!("{name} p99"), "ms", measured.latency_ms(0.99));
    let cpu_us = cpu_seconds * 1e6 / measured.answers as f64;
    results.add(&format!("{name} cpu"), "us", cpu_us);
}

impl Size {
    pub(crate) fn timed(&self) -> Until {
        Until::Time {
            warm_up: self.warm_up,
            measured: self.measured,
        }
    }
}
