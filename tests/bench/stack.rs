//! `make bench-stack`: the chat as a cluster on real servers, side by side with baselines on the same ones.
//!
//! Each part has a database, a virtual host, keys and indices of its own, gone with it, also when it fails
//! or is interrupted; what a killed run left is removed by the next.

mod accept;
mod broker;
mod drain;
mod fold;
mod growth;
mod idle;
mod publish;
mod report;
mod rows;
mod steady;
mod system;
mod unprotected;
mod versions;

pub(crate) use unprotected::Unprotected;

use crate::results::Results;
use crate::{Size, bench_dir, machine};
use anyhow::Result;
use clap::ValueEnum;
use report::Run;
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Asked {
    /// Only these parts, separated by commas; all when nothing is named.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Commands in the queue that is drained.
    #[arg(long, default_value_t = 200_000)]
    messages: u64,
    /// Messages of the large system.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Creating messages over HTTP, beside an unsafe baseline.
    Accept,
    /// A worker on a full queue, beside a loop that only inserts.
    Drain,
    /// Folding the ledger into counts.
    Fold,
    /// Lists, reads, inserts and searches in a small and a large system.
    Growth,
    /// Memory with 10,000 connections on which nothing happens.
    Idle,
    /// 2,000 messages a second, and how soon they are found.
    Indexing,
}

pub(crate) async fn measure(asked: Asked) -> Result<()> {
    let size = Size::FULL;
    let parts = match asked.only.is_empty() {
        true => Part::value_variants(),
        false => &asked.only,
    };
    let begun = Instant::now();
    let mut results = Results::default();
    let mut servers = String::new();
    for (place, part) in parts.iter().enumerate() {
        let begun = Instant::now();
        progress(&format!("{part:?}, {} of {}", place + 1, parts.len()));
        servers = match part {
            Part::Accept => accept::measure(&size, &mut results).await?,
            Part::Drain => drain::measure(&size, asked.messages, &mut results).await?,
            Part::Fold => fold::measure(&size, &mut results).await?,
            Part::Growth => growth::measure(&size, asked.rows, &mut results).await?,
            Part::Idle => idle::measure(&size, &mut results).await?,
            Part::Indexing => steady::measure(&size, &mut results).await?,
        };
        progress(&format!("{part:?} took {:.0?}", begun.elapsed()));
    }
    progress(&format!("all of it took {:.0?}", begun.elapsed()));
    let run = Run {
        date: chat::clock::now().to_rfc3339(),
        commit: machine::commit(),
        machine: machine::describe(),
        servers,
        rounds: size.rounds,
    };
    report::report(&run, &results, &bench_dir()?)
}

fn progress(what: &str) {
    eprintln!("{what}");
}
