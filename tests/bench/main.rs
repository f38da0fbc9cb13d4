//! `make bench`, and with the feature `stack` also `make bench-stack`: measures ChatSystem against baselines
//! in the same run, and says which targets are met.
//!
//! Never a test: it fails when something does not work, not when something is slow. Everything runs on
//! this machine, generator and server side by side, on data below `target/bench` that is removed in the
//! end; rounds of subject and baseline take turns. Rate limits are off.

mod accept;
mod application;
mod bare;
mod baseline;
mod connection;
mod drain;
mod footprint;
mod growth;
mod load;
mod machine;
mod plain;
mod report;
mod results;
mod server;
#[cfg(feature = "stack")]
mod stack;
mod subject;
mod text;

use anyhow::{Context, Result};
use clap::Parser;
use report::Run;
use results::Results;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The chat's own, so that baselines and the drain have the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures ChatSystem against baselines in the same run.
#[derive(Parser)]
struct Args {
    /// A minute instead of about eight, to see that everything works; the numbers mean little.
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(clap::Subcommand)]
enum Part {
    /// The baseline's server, which the benchmark starts by itself.
    #[command(hide = true)]
    BareHandler,
    /// A cluster on real servers instead of one process.
    #[cfg(feature = "stack")]
    Stack(stack::Asked),
    /// The baseline of accepting on a cluster, which the benchmark starts by itself.
    #[cfg(feature = "stack")]
    #[command(hide = true)]
    UnsafeAccept(stack::Unprotected),
}

/// How much is measured.
pub(crate) struct Size {
    rounds: usize,
    /// Before each timed measurement.
    warm_up: Duration,
    measured: Duration,
    /// Rows inserted by drain and plain inserts.
    rows: usize,
    /// Messages of the small and the large system.
    small: u64,
    large: u64,
    /// Requests of a kind in one round, one after the other.
    samples: u64,
    /// Before memory is looked at.
    rest: Duration,
}

impl Size {
    const FULL: Self = Self {
        rounds: 3,
        warm_up: Duration::from_secs(1),
        measured: Duration::from_secs(4),
        rows: 50_000,
        small: 10_000,
        large: 1_000_000,
        samples: 500,
        rest: Duration::from_secs(5),
    };
    const QUICK: Self = Self {
        rounds: 1,
        warm_up: Duration::from_millis(300),
        measured: Duration::from_secs(1),
        rows: 10_000,
        small: 10_000,
        large: 40_000,
        samples: 200,
        rest: Duration::from_secs(2),
    };
}

#[tokio::main]
async fn main() -> Result<()> {
    let Args { quick, part } = Args::parse();
    match part {
        None => unless_interrupted(measure(quick)).await,
        Some(Part::BareHandler) => bare::serve().await,
        #[cfg(feature = "stack")]
        Some(Part::Stack(asked)) => unless_interrupted(stack::measure(asked)).await,
        #[cfg(feature = "stack")]
        Some(Part::UnsafeAccept(servers)) => servers.serve().await,
    }
}

/// Dropping what is under way ends every process and removes the data.
async fn unless_interrupted(measuring: impl Future<Output = Result<()>>) -> Result<()> {
    let stop = chat::shutdown::on_signal()?;
    tokio::select! {
        measured = measuring => measured,
        () = stop.cancelled() => anyhow::bail!("interrupted"),
    }
}

async fn measure(quick: bool) -> Result<()> {
    let size = if quick { Size::QUICK } else { Size::FULL };
    let bench_dir = bench_dir()?;
    let data = tempfile::Builder::new()
        .prefix("data-")
        .tempdir_in(&bench_dir)?;
    let others = machine::Others::watch()?;
    let mut results = Results::default();
    for round in 1..=size.rounds {
        eprintln!("round {round} of {}", size.rounds);
        footprint::round(data.path(), &size, &mut results).await?;
        drain::round(data.path(), &size, &mut results).await?;
        accept::round(data.path(), &size, &mut results).await?;
    }
    eprintln!("{} messages against {}", size.small, size.large);
    growth::measure(data.path(), &size, &mut results).await?;
    let run = Run {
        date: chat::clock::now().to_rfc3339(),
        commit: machine::commit(),
        machine: machine::describe(),
        quick,
        rounds: size.rounds,
        small: size.small,
        large: size.large,
        others: others.share()?,
    };
    report::report(&run, &results, &bench_dir)
}

/// `target/bench`: on the disk of the repository, where a chat would keep its data too.
fn bench_dir() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    // target/<profile>/bench
    let target = program.ancestors().nth(2);
    let dir: &Path = target.context("the program lies outside of target")?;
    let dir = dir.join("bench");
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}
