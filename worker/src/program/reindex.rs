//! `chat-worker reindex`: builds the search index anew beside the one in use, and says how far it is.

use anyhow::Result;
use chat::backends::Cluster;
use chat::clock;
use chat::ops::index::AUDIT_PATIENCE;
use chat::ops::reindex::{Progress, Step, rebuild};
use indicatif::{ProgressBar, ProgressStyle};

const TEMPLATE: &str = "{msg:<10} [{bar:40}] {human_pos}/{human_len} messages, {eta} left";

pub(crate) async fn reindex(cluster: &Cluster) -> Result<()> {
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(TEMPLATE)?);
    let mut step = None;
    let mut show = |progress: Progress| {
        if step != Some(progress.step) {
            step = Some(progress.step);
            let name = name(progress.step);
            // A bar shows only on a terminal; a log wants to know as well.
            tracing::info!(step = name, "building the search index anew");
            bar.set_message(name);
            bar.reset_eta();
        }
        bar.set_length(progress.of.max(progress.messages));
        bar.set_position(progress.messages);
    };
    let rebuilt = rebuild(
        &*cluster.work.across,
        &cluster.index,
        AUDIT_PATIENCE,
        clock::now(),
        &mut show,
    )
    .await?;
    bar.finish_and_clear();
    cli::print(&format!(
        "{} is in use now and equals the database: {} messages in {} chats, {} rows written\n",
        rebuilt.name, rebuilt.messages, rebuilt.chats, rebuilt.rows_written
    ))
}

fn name(step: Step) -> &'static str {
    match step {
        Step::Waiting(_) => "waiting",
        Step::Copying => "copying",
        Step::Proving => "proving",
    }
}
