//! What goes on on one connection: requests, their answers, and bytes that have not left.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

/// Written and read by the task of its connection, so no order between its parts is asked for. On HTTP/2,
/// where requests have tasks of their own, only `requests` is of use.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    begun: AtomicU64,
    /// Requests of which every byte was read.
    read: AtomicU64,
    ended: AtomicU64,
    unflushed: AtomicBool,
}

impl Traffic {
    /// Requests that have come, ended ones included.
    pub(super) fn requests(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Every request was read to its end and has its whole answer, and every byte of that is with the system. It is
    /// never so again after an answer to half a request: what comes next on that connection is no request.
    pub(super) fn at_rest(&self) -> bool {
        let requests = self.requests();
        requests == self.read.load(Ordering::Relaxed)
            && requests == self.ended.load(Ordering::Relaxed)
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

/// The body of a request, which tells when its last byte has been read.
pub(super) struct Question<B> {
    body: B,
    /// None once it has told.
    unread: Option<Arc<Traffic>>,
}

impl<B: HttpBody> Question<B> {
    pub(super) fn new(body: B, traffic: Arc<Traffic>) -> Self {
        let mut question = Self {
            body,
            unread: Some(traffic),
        };
        question.tell_if(question.body.is_end_stream());
        question
    }

    fn tell_if(&mut self, is_read: bool) {
        if let Some(traffic) = self.unread.take_if(|_| is_read) {
            traffic.read.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<B: HttpBody + Unpin> HttpBody for Question<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let is_read = frame.is_none() || self.body.is_end_stream();
        self.tell_if(is_read);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt, stream};
    use http_body_util::BodyExt;
    use std::convert::Infallible;

    /// Two pieces, of unknown length.
    fn pieces() -> Body {
        let pieces = ["one", "two"].map(Ok::<_, Infallible>);
        Body::from_stream(stream::iter(pieces).map(|piece| piece.map(Bytes::from)))
    }

    fn answer_to(traffic: &Arc<Traffic>) {
        drop(traffic.begin().answered(Response::default()));
    }

    #[tokio::test]
    async fn a_request_that_was_read_and_answered_leaves_the_connection_at_rest() {
        let traffic = Arc::new(Traffic::default());
        for body in [Body::empty(), Body::from("all"), pieces()] {
            let question = Question::new(body, Arc::clone(&traffic));
            answer_to(&traffic);
            question.collect().await.expect("it can be read");
            assert!(traffic.at_rest());
        }
    }

    #[tokio::test]
    async fn an_answer_to_half_a_request_never_does() {
        let traffic = Arc::new(Traffic::default());
        let mut question = Question::new(pieces(), Arc::clone(&traffic));
        answer_to(&traffic);
        question
            .frame()
            .await
            .expect("a piece")
            .expect("it can be read");
        assert!(!traffic.at_rest());
        drop(question);
        assert!(!traffic.at_rest());
        // Nor does what follows.
        drop(Question::new(Body::empty(), Arc::clone(&traffic)));
        answer_to(&traffic);
        assert!(!traffic.at_rest());
    }
}
