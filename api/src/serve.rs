//! The accept loop: connections in, bounded in number and time, and a way to stop.
//!
//! Not `axum::serve`, because that has no header timeout, no limit on connections and leaves Nagle's
//! algorithm on, which costs a request 40 ms against a peer that delays its acknowledgements.

use crate::envelope::Peer;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::Service;

const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// How long requests in flight may go on after the stop; a process has ten seconds to end.
const STOP_DEADLINE: Duration = Duration::from_secs(7);
const MAX_HEADER_BYTES: usize = 64 * 1024;
const MAX_STREAMS: u32 = 128;
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Accepting fails when the process is out of file descriptors; they come back as connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Connections at once. More wait in the listener's backlog.
    pub max_connections: u32,
}

/// Serves HTTP/1.1 and HTTP/2 (without TLS) until `shutdown` is cancelled; then stops accepting,
/// finishes what is in flight and returns, at the latest after seven seconds.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServeLimits,
    shutdown: CancellationToken,
) {
    let builder = Arc::new(connection_builder());
    let graceful = GracefulShutdown::new();
    let abort = CancellationToken::new();
    let room = Arc::new(Semaphore::new(
        usize::try_from(limits.max_connections).unwrap_or(Semaphore::MAX_PERMITS),
    ));
    loop {
        let (stream, peer, permit) = tokio::select! {
            () = shutdown.cancelled() => break,
            next = next_connection(&listener, &room) => next,
        };
        let watcher = graceful.watcher();
        let (builder, router, abort) = (Arc::clone(&builder), router.clone(), abort.clone());
        tokio::spawn(async move {
            let asked = Arc::new(AtomicBool::new(false));
            let asks = Arc::clone(&asked);
            let service =
                hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
                    asks.store(true, Ordering::Relaxed);
                    request.extensions_mut().insert(Peer(peer.ip()));
                    router.clone().call(request.map(Body::new))
                });
            let connection = builder
                .serve_connection(TokioIo::new(stream), service)
                .into_owned();
            tokio::select! {
                ended = watcher.watch(connection) => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection broke");
                    }
                }
                () = silence(&asked) => tracing::debug!("a connection without a request"),
                () = abort.cancelled() => {}
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(STOP_DEADLINE, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("cutting off requests that did not end in time");
    }
    abort.cancel();
}

/// Ends when no request has come in time. The builder's own deadline for headers only begins once it
/// has read enough to tell HTTP/1.1 from HTTP/2, so silence would hold a connection for ever.
async fn silence(asked: &AtomicBool) {
    tokio::time::sleep(HEADER_DEADLINE).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
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

fn connection_builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(MAX_HEADER_BYTES)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    builder
}
