//! `chat-standalone`: API, workers and embedded backends in one process, started by one command.
//!
//! Exit codes: 0 done, 1 failed, 2 the command line or a setting is wrong.

mod args;
mod backup;
mod banner;
mod lock;
mod run;

use args::Task;
use chat::config::{Program, Standalone};
use cli::{CommandLine, block_on, print};
use std::process::ExitCode;

/// Takes less memory and time than the system's for many small objects in several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let (line, task) = args::of_this_process();
    cli::ended(Program::Standalone, &carry_out(&line, &task))
}

fn carry_out(line: &CommandLine, task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Config(args) => print(&line.config::<Standalone>(args)?),
        Task::Backup(file) => {
            let settings = line.settings()?;
            print(&block_on(backup::backup(&settings, file))?)
        }
        Task::Run => {
            let settings: Standalone = line.settings()?;
            line.start_logging(&settings.process)?;
            block_on(run::run(&settings))
        }
    }
}
