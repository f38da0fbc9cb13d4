//! Between an operator and the API server: counts what is asked, and lets a script say what becomes of it.

use axum::body::{Body as Answer, Bytes, to_bytes};
use axum::http::{Method, Request, Response};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use kube::client::{Body, DynBody};
use serde_json::json;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tower::{BoxError, Layer, Service};

/// What is asked, or comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asked {
    Read,
    /// The first one is 1.
    Write(usize),
    Watch,
    /// Something arrives on a watch.
    Event,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// As the API server says.
    Answered,
    /// The same, and the script is told what it says.
    Noted,
    /// This is the answer.
    Instead(Bytes),
    /// The API server never hears of it, and nobody answers.
    Lost,
    /// The API server does it, and its answer is lost.
    Unheard,
    /// The connection breaks.
    Closed,
    /// Somebody on the way answers in the place of the API server. A watch ends with it.
    Refused(u16),
}

pub(crate) trait Script: Send + Sync + 'static {
    fn fate(&self, asked: Asked, path: &str) -> Fate;

    /// The API server has done something whose answer is lost.
    fn unheard(&self) {}

    fn note(&self, _path: &str, _answer: Bytes) {}
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Wire {
    script: Arc<dyn Script>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    requests: AtomicUsize,
    writes: AtomicUsize,
}

impl Wire {
    pub(crate) fn new(script: Arc<dyn Script>) -> Self {
        Self {
            script,
            counts: Arc::default(),
        }
    }

    pub(crate) fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn writes(&self) -> usize {
        self.counts.writes.load(Ordering::SeqCst)
    }

    fn asked(&self, request: &Request<Body>) -> Asked {
        self.counts.requests.fetch_add(1, Ordering::SeqCst);
        let query = request.uri().query().unwrap_or_default();
        match *request.method() {
            Method::GET if query.split('&').any(|part| part == "watch=true") => Asked::Watch,
            Method::GET => Asked::Read,
            _ => Asked::Write(self.counts.writes.fetch_add(1, Ordering::SeqCst) + 1),
        }
    }

    /// What arrives on a watch, until something happens to it.
    fn watched(self, path: String, answer: Response<Box<DynBody>>) -> Response<Answer> {
        answer.map(|body| {
            let events = Answer::new(body).into_data_stream();
            let events = events.scan(false, move |is_over, event| {
                let next = match (*is_over, self.script.fate(Asked::Event, &path)) {
                    (true, _) => None,
                    (_, Fate::Answered) => Some(event.map_err(BoxError::from)),
                    (_, Fate::Refused(code)) => {
                        *is_over = true;
                        let event = json!({ "type": "ERROR", "object": status(code) });
                        // What came before may be half of a line.
                        Some(Ok(Bytes::from(format!("\n{event}\n"))))
                    }
                    (..) => {
                        *is_over = true;
                        Some(Err("the connection broke".into()))
                    }
                };
                std::future::ready(next)
            });
            Answer::from_stream(events)
        })
    }
}

/// As the API server says it.
fn status(code: u16) -> serde_json::Value {
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": "Scripted",
        "message": "a test says so",
        "code": code,
    })
}

impl<S> Layer<S> for Wire {
    type Service = Wired<S>;

    fn layer(&self, inner: S) -> Wired<S> {
        Wired {
            inner,
            wire: self.clone(),
        }
    }
}

pub(crate) struct Wired<S> {
    inner: S,
    wire: Wire,
}

impl<S> Service<Request<Body>> for Wired<S>
where
    S: Service<Request<Body>, Response = Response<Box<DynBody>>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Answer>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Answer>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let wire = self.wire.clone();
        let asked = wire.asked(&request);
        let path = request.uri().path().to_owned();
        match wire.script.fate(asked, &path) {
            Fate::Answered if asked == Asked::Watch => {
                let answer = self.inner.call(request);
                async move { Ok(wire.watched(path, answer.await?)) }.boxed()
            }
            Fate::Answered => {
                let answer = self.inner.call(request);
                async move { Ok(answer.await?.map(Answer::new)) }.boxed()
            }
            Fate::Noted => {
                let answer = self.inner.call(request);
                async move {
                    let (head, body) = answer.await?.into_parts();
                    let body = to_bytes(Answer::new(body), usize::MAX).await?;
                    wire.script.note(&path, body.clone());
                    Ok(Response::from_parts(head, Answer::from(body)))
                }
                .boxed()
            }
            Fate::Instead(answer) => async { Ok(Response::new(Answer::from(answer))) }.boxed(),
            Fate::Lost => pending().boxed(),
            Fate::Unheard => {
                let answer = self.inner.call(request);
                async move {
                    let _ = answer.await;
                    wire.script.unheard();
                    pending().await
                }
                .boxed()
            }
            Fate::Closed => async { Err("the connection broke".into()) }.boxed(),
            Fate::Refused(code) => async move {
                let answer = Response::builder().status(code);
                Ok(answer.body(Answer::from(status(code).to_string()))?)
            }
            .boxed(),
        }
    }
}
