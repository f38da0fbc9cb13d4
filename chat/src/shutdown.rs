//! When to stop: SIGTERM or SIGINT cancel one token that every part of the process listens to.
//!
//! The second signal ends the process at once. That is safe: whatever was answered is stored durably,
//! and the next start finds the rest out by itself.

use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGTERM or SIGINT. Must be called inside a runtime; fails
/// only where the process may not install signal handlers.
pub fn on_signal() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        let name = next().await;
        tracing::info!(signal = name, "stopping; a second signal stops at once");
        stop.cancel();
        let name = next().await;
        tracing::warn!(signal = name, "stopping at once");
        #[expect(
            clippy::disallowed_methods,
            reason = "somebody asked twice: skipping destructors is what they want"
        )]
        std::process::exit(1);
    });
    Ok(token)
}
