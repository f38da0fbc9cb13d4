//! A baseline that is a server: a process of its own, as the chat is, made of this program.

use anyhow::{Context, Result};
use axum::serve::ListenerExt;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// Writes its address to standard output, then serves for ever.
pub(crate) async fn serve(router: axum::Router) -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let listener = listener.tap_io(|stream| {
        // Loopback connections always take it; without it the baseline would only look slower.
        stream.set_nodelay(true).ok();
    });
    Ok(axum::serve(listener, router).await?)
}

/// The process; killed when dropped.
pub(crate) struct Baseline {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Baseline {
    /// `part`: which subcommand of this program serves.
    pub(crate) fn start<'a>(
        part: &str,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(part)
            .envs(settings)
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse();
        let address = address.with_context(|| format!("no address but {line:?}"));
        Ok(Self {
            address: address.inspect_err(|_| {
                child.kill().ok();
            })?,
            child,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
