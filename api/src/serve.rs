//! The accept loop: connections in, bounded in number and time, and a way to stop.
//!
//! Not `axum::serve`, because that has no header timeout, no limit on connections and leaves Nagle's
//! algorithm on, which costs a request 40 ms against a peer that delays its acknowledgements.

mod connection;
mod socket;
mod traffic;

use axum::Router;
use connection::Serving;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// For the head of a request, from the last answer or the connection's begin.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
const PARK_AFTER: Duration = Duration::from_millis(5);
/// How long a connection that is kept alive waits for a last request after the stop, to be told in its answer that it was
/// the last (RFC 9112, 9.6). One that is closed between two requests may be closed while the second is on its way.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long requests in flight may go on after the farewell; a process has ten seconds to end.
const STOP_DEADLINE: Duration = Duration::from_secs(6);
const MAX_HEADER_BYTES: usize = 64 * 1024;
const MAX_STREAMS: u32 = 128;
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Accepting fails when the process is out of file descriptors; they come back as connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Connections at once. More wait in the listener's backlog.
    pub max_connections: u32,
    /// An HTTP/1.1 connection that is silent for this long gives back all memory but its socket's until it
    /// speaks again; one that was busy, after two seconds at most. Its client notices nothing.
    pub park_after: Duration,
}

impl ServeLimits {
    /// So many connections at once, parked soon.
    pub fn connections(max_connections: u32) -> Self {
        Self {
            max_connections,
            park_after: PARK_AFTER,
        }
    }
}

/// Serves HTTP/1.1 and HTTP/2 (without TLS) until `shutdown` is cancelled; then stops accepting, answers one more request
/// on connections where it comes within a second, finishes what is in flight and returns, at the latest after seven
/// seconds.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServeLimits,
    shutdown: CancellationToken,
) {
    let serving = Arc::new(Serving {
        router,
        http1: http1_builder(),
        http2: http2_builder(),
        park_after: limits.park_after,
        closing: CancellationToken::new(),
        stop: CancellationToken::new(),
    });
    let connections = TaskTracker::new();
    let abort = CancellationToken::new();
    let room = Arc::new(Semaphore::new(
        usize::try_from(limits.max_connections).unwrap_or(Semaphore::MAX_PERMITS),
    ));
    loop {
        let (stream, peer, permit) = tokio::select! {
            () = shutdown.cancelled() => break,
            next = next_connection(&listener, &room) => next,
        };
        let (serving, abort) = (Arc::clone(&serving), abort.clone());
        connections.spawn(async move {
            tokio::select! {
                () = serving.carry(stream, peer.ip()) => {}
                () = abort.cancelled() => {}
            }
            drop(permit);
        });
    }
    drop(listener);
    serving.closing.cancel();
    connections.close();
    let _ = tokio::time::timeout(FAREWELL, connections.wait()).await;
    serving.stop.cancel();
    if tokio::time::timeout(STOP_DEADLINE, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!("cutting off requests that did not end in time");
    }
    abort.cancel();
}

async fn next_connection(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = Arc::clone(room)
        .acquire_owned()
        .await
        .expect("this semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection without TCP_NODELAY");
                }
                return (stream, peer, permit);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(MAX_HEADER_BYTES);
    builder
}

fn http2_builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    builder
}
