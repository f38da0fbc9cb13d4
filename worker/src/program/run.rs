//! `chat-worker run`: consumes a role's queues until a signal comes; and `topology`.

use crate::args::Role;
use anyhow::{Context, Result};
use api::ServeLimits;
use chat::backends::Cluster;
use chat::config::{ADMIN_LISTEN, Program, Worker};
use chat::event::Queue;
use chat::ops::reindex;
use chat::shutdown;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// From the signal to the end; two batches take far less.
const STOP_DEADLINE: Duration = Duration::from_secs(50);
/// Operators ask from a few places.
const ADMIN_CONNECTIONS: u32 = 64;
/// How often the index is looked for.
const LOOK: Duration = Duration::from_secs(5);

pub(crate) async fn run(settings: &Worker, role: Role) -> Result<()> {
    let stop = shutdown::on_signal().context("cannot wait for signals")?;
    let admin = cli::bind(settings.process.admin_listen, ADMIN_LISTEN).await?;
    // A worker never begins a trace: its batches are traced where a request was.
    cli::start_traces(Program::Worker, &settings.servers, 1.0)?;
    let cluster = crate::cluster(settings)?;
    tracing::info!(role = role.name, admin = %admin.local_addr()?, "consuming");
    let indexes = role.queues.contains(&Queue::Indexing);
    let stop_admin = CancellationToken::new();
    let admin = tokio::spawn(api::serve(
        admin,
        api::admin_router(cluster.health_of_worker(indexes)),
        ServeLimits::connections(ADMIN_CONNECTIONS),
        stop_admin.clone(),
    ));
    let keep_index = indexes.then(|| tokio::spawn(keep_index(cluster.clone(), stop.clone())));
    let running = worker::start_roles(&cluster.work, role.queues);

    stop.cancelled().await;
    let stopped = tokio::time::timeout(STOP_DEADLINE, async {
        running
            .stop()
            .await
            .context("cannot finish what was delivered")?;
        if let Some(keep_index) = keep_index {
            keep_index
                .await
                .context("looking after the index stopped in a panic")?;
        }
        cluster.close().await.context("cannot close connections")?;
        stop_admin.cancel();
        admin.await.context("the admin side stopped in a panic")
    });
    match stopped.await {
        Ok(Ok(())) => tracing::info!("stopped"),
        Ok(Err(error)) => return Err(error),
        Err(_) => tracing::warn!("stopping took too long; what is not finished is delivered again"),
    }
    Ok(())
}

/// An index that is missing, because it never was there or because somebody deleted it, is made, and filled
/// from the database (I12).
async fn keep_index(cluster: Cluster, stop: CancellationToken) {
    loop {
        if let Err(error) = refill(&cluster, &stop).await {
            tracing::warn!(%error, "cannot look after the search index; it is tried again");
        }
        if tokio::time::timeout(LOOK, stop.cancelled()).await.is_ok() {
            return;
        }
    }
}

async fn refill(cluster: &Cluster, stop: &CancellationToken) -> Result<()> {
    cluster.index.ensure().await?;
    let filled = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        filled = reindex::fill(&*cluster.work.across, &cluster.index, &cluster.index) => filled?,
    };
    if let Some(compared) = filled {
        tracing::info!(
            chats = compared.chats,
            rows_written = compared.rows_written,
            "the search index equals the database"
        );
    }
    Ok(())
}

/// Everything a program needs to find before it is ready.
pub(crate) async fn topology(cluster: &Cluster) -> Result<()> {
    cluster.queue.declare().await?;
    cluster.index.ensure().await?;
    cli::print("Exchanges, queues and the search index are there.\n")
}
