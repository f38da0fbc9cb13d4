//! The life of one connection: silent, served, silent again.
//!
//! While it is silent, an HTTP/1.1 connection is parked: nothing is kept of it but its socket. hyper would
//! keep buffers and state of more than twenty kilobytes for a request that may never come.

use super::HEADER_DEADLINE;
use super::socket::Socket;
use super::traffic::{Answer, Question, Traffic};
use crate::envelope::Peer;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::TryFutureExt;
use http::{HeaderValue, header};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioExecutor;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io::Result as IoResult;
use std::net::IpAddr;
use std::pin::{self, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tower::Service;

/// A connection that is asked again and again is looked at this rarely.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What all connections of a server have in common.
pub(super) struct Serving {
    pub(super) router: Router,
    pub(super) http1: http1::Builder,
    pub(super) http2: http2::Builder<TokioExecutor>,
    /// See `ServeLimits`.
    pub(super) park_after: Duration,
    /// Every answer says that it is the connection's last.
    pub(super) closing: CancellationToken,
    /// Requests in flight end, and nothing else is waited for.
    pub(super) stop: CancellationToken,
}

impl Serving {
    /// Until either side ends the connection.
    pub(super) async fn carry(&self, mut stream: TcpStream, peer: IpAddr) {
        let mut deadline = Instant::now() + HEADER_DEADLINE;
        let first = self.in_time(deadline, first_bytes(&mut stream)).await;
        let Some((version, mut unread)) = first else {
            return;
        };
        if version == Version::Http2 {
            // In a box, as below: a connection that is parked is not to be as large as one that is served.
            return Box::pin(self.serve_http2(stream, unread, peer, deadline)).await;
        }
        loop {
            let served = Box::pin(self.serve_http1(stream, unread, peer, deadline)).await;
            let Some(parked) = served else {
                return;
            };
            (stream, unread) = parked;
            deadline = Instant::now() + HEADER_DEADLINE.saturating_sub(self.park_after);
            if unread.is_empty() {
                let peeked = self.in_time(deadline, stream.peek(&mut [0])).await;
                if matches!(peeked, None | Some(0)) {
                    return;
                }
            }
        }
    }

    /// None when it is time to end the connection.
    async fn in_time<T>(
        &self,
        deadline: Instant,
        read: impl Future<Output = IoResult<T>>,
    ) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            read = read => read.inspect_err(|error| tracing::debug!(%error, "a connection broke")).ok(),
            () = sleep_until(deadline) => {
                tracing::debug!("a connection without a request");
                None
            }
        }
    }

    /// Returns the socket, with what was read but not understood yet, when the connection is to be parked.
    /// Ends the connection when no request has come by `deadline`.
    pub(super) async fn serve_http1(
        &self,
        stream: TcpStream,
        unread: Bytes,
        peer: IpAddr,
        deadline: Instant,
    ) -> Option<(TcpStream, Bytes)> {
        let traffic = Arc::new(Traffic::default());
        let socket = Socket::new(stream, unread, Arc::clone(&traffic));
        let service = self.service(peer, Arc::clone(&traffic));
        let mut connection = self.http1.serve_connection(socket, service);
        let mut pause = self.park_after;
        let mut look = pin!(sleep(pause));
        let mut requests = 0;
        let mut last = false;
        loop {
            tokio::select! {
                // What is there is read before it is said that there is nothing.
                biased;
                ended = &mut connection => {
                    note(ended);
                    return None;
                }
                () = self.stop.cancelled(), if !last => {
                    last = true;
                    pin::Pin::new(&mut connection).graceful_shutdown();
                }
                () = &mut look, if !last => {
                    let news = traffic.requests() - requests;
                    requests += news;
                    if requests == 0 && Instant::now() >= deadline {
                        tracing::debug!("a connection without a request");
                        return None;
                    }
                    if requests > 0 && news == 0 && traffic.at_rest() {
                        // hyper knows best: it ends at once if it is between two requests, and else
                        // the connection lasts for the one that it has begun to read.
                        last = true;
                        pin::Pin::new(&mut connection).graceful_shutdown();
                        let ended = poll_fn(|cx| Poll::Ready(connection.poll_without_shutdown(cx)));
                        if let Poll::Ready(ended) = ended.await {
                            note(ended);
                            let parts = connection.into_parts();
                            return Some(parts.io.into_parts(&parts.read_buf));
                        }
                    }
                    if news > 1 {
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                    look.as_mut().reset(Instant::now() + pause);
                }
            }
        }
    }

    async fn serve_http2(&self, stream: TcpStream, unread: Bytes, peer: IpAddr, deadline: Instant) {
        let traffic = Arc::new(Traffic::default());
        let socket = Socket::new(stream, unread, Arc::clone(&traffic));
        let service = self.service(peer, Arc::clone(&traffic));
        let mut connection = self.http2.serve_connection(socket, service);
        let mut waits = true;
        let mut last = false;
        loop {
            tokio::select! {
                biased;
                ended = &mut connection => return note(ended),
                () = self.closing.cancelled(), if !last => {
                    last = true;
                    pin::Pin::new(&mut connection).graceful_shutdown();
                }
                () = sleep_until(deadline), if waits => {
                    waits = false;
                    if traffic.requests() == 0 {
                        tracing::debug!("a connection without a request");
                        return;
                    }
                }
            }
        }
    }

    fn service(
        &self,
        peer: IpAddr,
        traffic: Arc<Traffic>,
    ) -> impl HttpService<
        Incoming,
        ResBody = Answer,
        Error = Infallible,
        Future: Future<Output = Result<Response<Answer>, Infallible>> + Send + Unpin,
    > + Unpin
    + use<> {
        let (router, closing) = (self.router.clone(), self.closing.clone());
        service_fn(move |mut request: hyper::Request<Incoming>| {
            let exchange = traffic.begin();
            request.extensions_mut().insert(Peer(peer));
            // HTTP/2 has a frame for it, which hyper sends.
            let closing = (request.version() < http::Version::HTTP_2).then(|| closing.clone());
            router
                .clone()
                .call(request.map(|body| Body::new(Question::new(body, Arc::clone(&traffic)))))
                .map_ok(move |mut answer| {
                    if closing.is_some_and(|closing| closing.is_cancelled()) {
                        let close = HeaderValue::from_static("close");
                        answer.headers_mut().insert(header::CONNECTION, close);
                    }
                    exchange.answered(answer)
                })
        })
    }
}

fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

/// RFC 9113, 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads until it is clear which protocol the client speaks.
async fn first_bytes(stream: &mut TcpStream) -> IoResult<(Version, Bytes)> {
    let mut bytes = [0; PREFACE.len()];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut bytes[filled..]).await?;
        filled += read;
        let bytes = &bytes[..filled];
        if bytes == PREFACE {
            return Ok((Version::Http2, Bytes::from_static(PREFACE)));
        }
        if read == 0 || !PREFACE.starts_with(bytes) {
            return Ok((Version::Http1, Bytes::copy_from_slice(bytes)));
        }
    }
}

#[cfg(test)]
mod tests;
