//! Where log lines go: to standard error, for people or as JSON, filtered by `CHAT_LOG`.
//!
//! Standard output stays free for what a command prints. What may be logged is decided where it is
//! logged: never a token, a key or a text somebody wrote.

use crate::config::LogFormat;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// RabbitMQ's client prints a message that comes back, with what somebody wrote.
const PRINTS_TEXTS: &str = "lapin::returned_messages=off";

/// Starts logging for the whole process. Fails on a filter that is none, and where logging was
/// started before.
pub fn init(
    filter: &str,
    format: LogFormat,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::builder()
                .parse(filter)?
                .add_directive(PRINTS_TEXTS.parse()?),
        )
        .with_writer(std::io::stderr);
    match format {
        // Colours are on by default, unless NO_COLOR (<https://no-color.org>) is set.
        LogFormat::Human if std::io::stderr().is_terminal() => lines.try_init(),
        LogFormat::Human => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
}
