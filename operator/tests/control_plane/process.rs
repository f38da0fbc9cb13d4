//! An operator of the test: a controller in a runtime of its own, so that it can be killed in the middle of anything.

use crate::plane::config;
use crate::room::Room;
use futures::FutureExt;
use futures::future::BoxFuture;
use kube::Client;
use kube::client::{Body, ClientBuilder};
use operator::controller::{self, Operator};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};

/// Dropping it kills it.
pub(crate) struct Process {
    runtime: Option<Runtime>,
    fatal: Arc<Fatal>,
}

/// The write at which it dies, as the API server sees it: never asked, or asked and never heard of again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dies {
    Never,
    Before(usize),
    After(usize),
}

struct Fatal {
    dies: Dies,
    writes: AtomicUsize,
    reached: Notify,
}

impl Process {
    pub(crate) fn start(room: &Room) -> Self {
        Self::mortal(room, Dies::Never)
    }

    pub(crate) fn mortal(room: &Room, dies: Dies) -> Self {
        let runtime = Runtime::new().unwrap();
        let operator = Operator {
            namespace: "chat-operator".to_owned(),
            identity: "test".to_owned(),
        };
        let fatal = Arc::new(Fatal {
            dies,
            writes: AtomicUsize::new(0),
            reached: Notify::new(),
        });
        let (kubeconfig, namespace) = (room.kubeconfig.clone(), room.namespace.clone());
        let counting = Counting(fatal.clone());
        runtime.spawn(async move {
            // Connections live and die with the runtime they were made in.
            let config = config(&kubeconfig, "operator").await;
            let client: Client = ClientBuilder::try_from(config)
                .unwrap()
                .with_layer(&counting)
                .build();
            let stop = CancellationToken::new();
            let running = controller::start(&client, &operator, Some(&namespace), &stop);
            running.unwrap().ended().await;
        });
        Self {
            runtime: Some(runtime),
            fatal,
        }
    }

    /// How much it wrote so far.
    pub(crate) fn writes(&self) -> usize {
        self.fatal.writes.load(Ordering::SeqCst)
    }

    /// Returns when it has reached the write at which it dies; from then on it does nothing at that place.
    pub(crate) async fn dying(&self) {
        self.fatal.reached.notified().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Counts writes on their way to the API server, and stops at one.
struct Counting(Arc<Fatal>);

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            fatal: self.0.clone(),
        }
    }
}

#[derive(Clone)]
struct Counted<S> {
    inner: S,
    fatal: Arc<Fatal>,
}

impl<S> Service<http::Request<Body>> for Counted<S>
where
    S: Service<http::Request<Body>>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.method() == http::Method::GET {
            return self.inner.call(request).boxed();
        }
        let number = self.fatal.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let fatal = self.fatal.clone();
        match fatal.dies {
            // A process that is dead does nothing more.
            Dies::Before(last) if number >= last => async move {
                fatal.reached.notify_one();
                std::future::pending().await
            }
            .boxed(),
            Dies::After(last) if number > last => std::future::pending().boxed(),
            Dies::After(last) if number == last => {
                let answer = self.inner.call(request);
                async move {
                    let _ = answer.await;
                    fatal.reached.notify_one();
                    std::future::pending().await
                }
                .boxed()
            }
            _ => self.inner.call(request).boxed(),
        }
    }
}
