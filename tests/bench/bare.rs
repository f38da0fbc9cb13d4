//! The first baseline: what axum does with the same requests when nothing is stored.
//!
//! A process of its own, as the chat is: `bench bare-handler` serves until it is killed. It parses the
//! same JSON and answers 201 with the same body, and nothing else.

use anyhow::{Context, Result};
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

#[derive(Deserialize)]
struct NewMessage {
    content: String,
}

#[derive(Serialize)]
struct Accepted {
    number: usize,
    id: &'static str,
    rev: u64,
    status: &'static str,
}

/// Writes its address to standard output, then serves for ever.
pub(crate) async fn serve() -> Result<()> {
    async fn accept(
        Path((_token, _chat)): Path<(String, u64)>,
        Json(new): Json<NewMessage>,
    ) -> (StatusCode, Json<Accepted>) {
        let accepted = Accepted {
            number: new.content.len(),
            id: "019aa4f2-6e35-7d01-9c11-8f6f6d3c2b1a",
            rev: 0,
            status: "processing",
        };
        (StatusCode::CREATED, Json(accepted))
    }
    let path = "/api/v1/applications/{token}/chats/{number}/messages";
    let router = axum::Router::new().route(path, post(accept));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let listener = listener.tap_io(|stream| {
        // Loopback connections always take it; without it the baseline would only look slower.
        stream.set_nodelay(true).ok();
    });
    Ok(axum::serve(listener, router).await?)
}

/// The process; killed when dropped.
pub(crate) struct BareHandler {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl BareHandler {
    pub(crate) fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("bare-handler")
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

impl Drop for BareHandler {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
