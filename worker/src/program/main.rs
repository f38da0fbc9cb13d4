//! `chat-worker`: from the queues into MySQL and Elasticsearch, and everything that keeps a system in order.
//!
//! Exit codes: 0 done, 1 failed, 2 the command line or a setting is wrong, 3 the schema is newer than this
//! program.

mod args;
mod audit;
mod dead_letters;
mod migrate;
mod reconcile;
mod reindex;
mod run;

use args::Task;
use chat::backends::{Cluster, ClusterSettings, open_cluster};
use chat::config::{Program, Worker};
use cli::{CommandLine, block_on, print};
use std::process::ExitCode;

/// Takes less memory and time than the system's for many small objects in several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One for each queue's batch, and some to read with.
const DATABASE_CONNECTIONS: u32 = 8;
/// A worker gives no numbers; it only asks how far they are.
const NUMBER_BLOCK: u32 = 256;

fn main() -> ExitCode {
    let line = CommandLine::of_this_process(Program::Worker, args::command());
    let outcome = carry_out(&line);
    match &outcome {
        Err(error) if is_too_old(error) => {
            cli::ended(Program::Worker, &outcome);
            ExitCode::from(3)
        }
        _ => cli::ended(Program::Worker, &outcome),
    }
}

/// This program is older than the tables and must not touch them.
fn is_too_old(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(chat::error::Error::SchemaTooNew { .. })
    )
}

fn carry_out(line: &CommandLine) -> anyhow::Result<()> {
    let task = Task::of(line.task());
    if let Task::Config(args) = &task {
        return print(&line.config::<Worker>(args)?);
    }
    let settings: Worker = line.settings()?;
    line.start_logging(&settings.process)?;
    cli::warn_of_plaintext(&settings.servers);
    block_on(async {
        match task {
            Task::Config(_) => Ok(()),
            Task::Run(role) => run::run(&settings, role).await,
            Task::Topology => run::topology(&cluster(&settings)?).await,
            Task::Migrate { after_restore } => migrate::migrate(&settings, after_restore).await,
            Task::Reconcile(asked) => reconcile::reconcile(&cluster(&settings)?, asked).await,
            Task::Audit(asked) => audit::audit(&cluster(&settings)?, asked).await,
            Task::Reindex => reindex::reindex(&cluster(&settings)?).await,
            Task::DeadLetters(asked) => dead_letters::carry_out(&cluster(&settings)?, asked).await,
        }
    })
}

fn cluster(settings: &Worker) -> chat::error::Result<Cluster> {
    open_cluster(
        &settings.servers,
        ClusterSettings {
            connections: DATABASE_CONNECTIONS,
            number_block: NUMBER_BLOCK,
            replicas: 1,
            declares: true,
        },
    )
}
