//! `chat-api`: the HTTP contract over MySQL, Redis, RabbitMQ and Elasticsearch. Any number of processes serve
//! one system.
//!
//! It starts in any order with its servers: it listens at once, is ready when what it needs answers, and
//! goes on by itself when a server was away.
//!
//! Exit codes: 0 done, 1 failed, 2 the command line or a setting is wrong.

use anyhow::{Context, Result};
use api::{ApiSettings, ServeLimits};
use chat::backends::{ClusterSettings, open_cluster};
use chat::config::{ADMIN_LISTEN, Api, LISTEN, Program};
use chat::shutdown;
use cli::{CommandLine, bind};
use std::process::ExitCode;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Takes less memory and time than the system's for many small objects in several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ABOUT: &str = "The HTTP API of a chat on MySQL, Redis, RabbitMQ and Elasticsearch. \
                     Documentation of the API: /docs on the address where it answers.";
/// From the signal to the end.
const STOP_DEADLINE: Duration = Duration::from_secs(25);
/// Operators ask from a few places.
const ADMIN_CONNECTIONS: u32 = 64;
/// What reads need at once; accepting needs none.
const DATABASE_CONNECTIONS: u32 = 16;

fn main() -> ExitCode {
    let command = cli::command(Program::Api, ABOUT);
    let line = CommandLine::of_this_process(Program::Api, command);
    cli::ended(Program::Api, &carry_out(&line))
}

fn carry_out(line: &CommandLine) -> Result<()> {
    if let Some(("config", args)) = line.task() {
        return cli::print(&line.config::<Api>(args)?);
    }
    let settings: Api = line.settings()?;
    line.start_logging(&settings.process)?;
    cli::block_on(run(&settings))
}

/// Until a signal comes.
async fn run(settings: &Api) -> Result<()> {
    let stop = shutdown::on_signal().context("cannot wait for signals")?;
    let api = bind(settings.serving.listen, LISTEN).await?;
    let admin = bind(settings.process.admin_listen, ADMIN_LISTEN).await?;
    cli::warn_of_plaintext(&settings.servers);
    cli::start_traces(Program::Api, &settings.servers, settings.otlp_sample)?;
    let cluster = open_cluster(
        &settings.servers,
        ClusterSettings {
            connections: DATABASE_CONNECTIONS,
            number_block: settings.serving.number_block,
            replicas: settings.expected_replicas,
            declares: false,
        },
    )?;
    tracing::info!(api = %api.local_addr()?, admin = %admin.local_addr()?, "listening");
    let stop_admin = CancellationToken::new();
    let admin = tokio::spawn(api::serve(
        admin,
        api::admin_router(cluster.health_of_api()),
        ServeLimits::connections(ADMIN_CONNECTIONS),
        stop_admin.clone(),
    ));
    let router = api::router(
        cluster.ops.clone(),
        cluster.limiter.clone(),
        ApiSettings::from(&settings.serving),
    );
    let limits = ServeLimits::connections(settings.serving.max_connections);
    let served = tokio::spawn(api::serve(api, router, limits, stop.clone()));

    stop.cancelled().await;
    let stopped = tokio::time::timeout(STOP_DEADLINE, async {
        served.await.context("the API stopped in a panic")?;
        cluster.close().await.context("cannot close connections")?;
        stop_admin.cancel();
        admin.await.context("the admin side stopped in a panic")
    });
    match stopped.await {
        Ok(Ok(())) => tracing::info!("stopped"),
        Ok(Err(error)) => return Err(error),
        Err(_) => tracing::warn!("stopping took too long; what was answered is in the queue"),
    }
    Ok(())
}
