//! A socket as hyper reads and writes it, which can be taken back and given to hyper again.

use super::traffic::Traffic;
use bytes::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::net::TcpStream;

pub(super) struct Socket {
    stream: TokioIo<TcpStream>,
    /// Was read before, and comes first.
    unread: Bytes,
    traffic: Arc<Traffic>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, unread: Bytes, traffic: Arc<Traffic>) -> Self {
        Self {
            stream: TokioIo::new(stream),
            unread,
            traffic,
        }
    }

    /// The stream and what nobody has read yet, if hyper leaves `unparsed` behind.
    pub(super) fn into_parts(self, unparsed: &Bytes) -> (TcpStream, Bytes) {
        let unread = [&**unparsed, &*self.unread].concat();
        (self.stream.into_inner(), unread.into())
    }

    fn stream(&mut self) -> Pin<&mut TokioIo<TcpStream>> {
        Pin::new(&mut self.stream)
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<Result<()>> {
        if self.unread.is_empty() {
            return self.stream().poll_read(cx, buf);
        }
        let fitting = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread.split_to(fitting));
        Poll::Ready(Ok(()))
    }
}

/// hyper flushes as soon as nothing is left in its own buffer, and not before.
impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<Result<usize>> {
        self.traffic.set_unflushed(true);
        self.stream().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.traffic.set_unflushed(true);
        self.stream().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.stream().poll_flush(cx))?;
        self.traffic.set_unflushed(false);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}
