//! What goes on on one connection: requests, their answers, and bytes that have not left.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

/// Written and read by the task of its connection, so no order between its parts is asked for. On HTTP/2,
/// where requests have tasks of their own, only `requests` is of use.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    begun: AtomicU64,
    ended: AtomicU64,
    unflushed: AtomicBool,
}

impl Traffic {
    /// Requests that have come, ended ones included.
    pub(super) fn requests(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Every request has its whole answer, and every byte of it is with the system.
    pub(super) fn at_rest(&self) -> bool {
        self.requests() == self.ended.load(Ordering::Relaxed)
            && !self.unflushed.load(Ordering::Relaxed)
    }

    pub(super) fn begin(self: &Arc<Self>) -> Exchange {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Exchange(Arc::clone(self))
    }

    pub(super) fn set_unflushed(&self, unflushed: bool) {
        self.unflushed.store(unflushed, Ordering::Relaxed);
    }
}

/// A request and its answer. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Exchange(Arc<Traffic>);

impl Exchange {
    pub(super) fn answered(self, answer: Response) -> Response<Answer> {
        answer.map(|body| Answer {
            body,
            _exchange: self,
        })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// The body of an answer, which is dropped when its last byte has been taken.
pub(super) struct Answer {
    body: Body,
    _exchange: Exchange,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
