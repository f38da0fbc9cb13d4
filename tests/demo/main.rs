//! Real text of this machine as the JSON Lines that `chatctl import` reads: something to try ChatSystem on.
//!
//! From the changelogs of the installed Debian packages, one chat per source package, or from the history
//! of a git repository, one chat per top-level directory. Writes to standard output and says on standard
//! error how much it was. One package is held in memory at a time.

mod dates;
mod debian;
mod gitlog;
mod gnu;
mod packages;
mod repository;
mod writer;

use anyhow::{Context, Result};
use clap::Parser;
use std::io;
use std::path::PathBuf;

/// Real text as JSON Lines for `chatctl import`.
#[derive(Parser)]
struct Arguments {
    /// A git repository whose history to take instead of the changelogs.
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// Where the packages keep their changelogs.
    #[arg(long, value_name = "DIR", default_value = "/usr/share/doc")]
    docs: PathBuf,
    /// The newest messages of a chat to take.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    per_chat: usize,
    /// The newest commits of a repository to take.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    commits: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut writer = writer::Writer::new(io::stdout().lock());
    match &arguments.repo {
        Some(repo) => repository::write(repo, arguments.commits, &mut writer)?,
        None => packages::write(&arguments.docs, arguments.per_chat, &mut writer)?,
    }
    let totals = writer.finish().context("standard output")?;
    eprintln!("{totals}");
    Ok(())
}
