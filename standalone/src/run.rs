//! `chat-standalone run`: everything started in order, and stopped in the opposite order.
//!
//! A stop lets no request in, finishes those that are in, then what they put into the queue, then the
//! index, and gives back unused numbers. All of that has a deadline: what was answered is stored by
//! then, so running out of time costs nothing but explained gaps.

use crate::banner::banner;
use crate::lock;
use anyhow::{Context, Result};
use api::{ApiSettings, ServeLimits};
use chat::backends::{Embedded, EmbeddedSettings, open_embedded};
use chat::config::{ADMIN_LISTEN, LISTEN, Standalone};
use chat::shutdown;
use cli::{bind, print};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use worker::UpkeepSettings;

/// From the signal to the end.
const STOP_DEADLINE: Duration = Duration::from_millis(9_500);
/// Operators ask from a few places.
const ADMIN_CONNECTIONS: u32 = 64;

/// Until a signal comes.
pub(crate) async fn run(settings: &Standalone) -> Result<()> {
    let stop = shutdown::on_signal().context("cannot wait for signals")?;
    let data_dir = std::path::absolute(&settings.data_dir)?;
    let _lock = lock::lock(&data_dir)?;
    let api = bind(settings.serving.listen, LISTEN).await?;
    let admin = bind(settings.process.admin_listen, ADMIN_LISTEN).await?;
    let embedded = open_embedded(&EmbeddedSettings {
        data_dir: data_dir.clone(),
        number_block: settings.serving.number_block,
        max_pages: None,
    })
    .await
    .with_context(|| format!("cannot open the data in {}", data_dir.display()))?;
    let worker = worker::start(
        &embedded.work,
        &embedded.dirty,
        UpkeepSettings::every(settings.fold_interval),
    )
    .await?;

    let banner = banner(
        api.local_addr()?,
        admin.local_addr()?,
        &data_dir,
        &settings.serving.auth,
    );
    if let Err(error) = print(&banner) {
        tracing::debug!(%error, "nobody reads standard output");
    }
    tracing::info!(api = %api.local_addr()?, admin = %admin.local_addr()?, "ready");
    let stop_admin = CancellationToken::new();
    let admin = tokio::spawn(api::serve(
        admin,
        api::admin_router(embedded.ops.health()),
        ServeLimits::connections(ADMIN_CONNECTIONS),
        stop_admin.clone(),
    ));
    let router = api::router(
        embedded.ops.clone(),
        embedded.limiter.clone(),
        ApiSettings::from(&settings.serving),
    );
    let limits = ServeLimits::connections(settings.serving.max_connections);
    let served = tokio::spawn(api::serve(api, router, limits, stop.clone()));

    stop.cancelled().await;
    let stopped = tokio::time::timeout(STOP_DEADLINE, async {
        served.await.context("the API stopped in a panic")?;
        finish(worker, &embedded).await?;
        stop_admin.cancel();
        admin.await.context("the admin side stopped in a panic")
    });
    match stopped.await {
        Ok(Ok(())) => tracing::info!("stopped"),
        Ok(Err(error)) => return Err(error),
        Err(_) => tracing::warn!("stopping took too long; the next start finishes it"),
    }
    Ok(())
}

/// Nobody accepts anything any more.
async fn finish(worker: worker::Running, embedded: &Embedded) -> Result<()> {
    worker
        .stop()
        .await
        .context("cannot finish what was accepted")?;
    embedded.close().await.context("cannot close the database")
}
