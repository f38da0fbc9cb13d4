//! `chat-standalone`: API, workers and embedded backends in one process, started by one command.
//!
//! Exit codes: 0 done, 1 failed, 2 the command line or a setting is wrong.

mod args;
mod backup;
mod banner;
mod lock;
mod run;

use args::{Invocation, Task};
use chat::config::{Settings, Wrong, markdown, show};
use std::io::Write;
use std::process::ExitCode;

/// Takes less memory and time than the system's for many small objects in several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let invocation = Invocation::of_this_process();
    match carry_out(&invocation) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat-standalone: {}", sentence(&error));
            ExitCode::from(if error.is::<Wrong>() { 2 } else { 1 })
        }
    }
}

fn carry_out(invocation: &Invocation) -> anyhow::Result<()> {
    match &invocation.task {
        Task::ShowTable => print(&markdown()),
        Task::ShowSettings => print(&show(&invocation.settings()?)),
        Task::Backup(file) => {
            let settings = invocation.settings()?;
            print(&block_on(backup::backup(&settings, file))?)
        }
        Task::Run => {
            let settings = invocation.settings()?;
            start_logging(&settings, &invocation.unknown_variables())?;
            block_on(run::run(&settings))
        }
    }
}

fn block_on<T>(task: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(task);
    // Dropping the runtime would wait for whatever still blocks a thread, however long that takes.
    runtime.shutdown_background();
    outcome
}

/// The error and its causes, without those that are quoted by what they caused.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn start_logging(settings: &Settings, unknown: &[&str]) -> anyhow::Result<()> {
    chat::telemetry::init(&settings.log, settings.log_format).map_err(anyhow::Error::from_boxed)?;
    for name in unknown {
        tracing::warn!("{name} is set and is no setting of this program; see --help");
    }
    Ok(())
}

/// To standard output, which somebody may have closed.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}
