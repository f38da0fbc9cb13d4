//! An operator of the test: a controller in a runtime of its own, so that it can be killed in the middle of anything.

use crate::plane::config;
use crate::room::Room;
use crate::wire::{Asked, Fate, Script, Wire};
use kube::Client;
use kube::client::ClientBuilder;
use operator::controller::{self, Operator, Watch};
use operator::run::ANSWER;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::timeout::TimeoutLayer;

/// For an answer, where a script leaves questions without an answer.
const LITTLE_PATIENCE: Duration = Duration::from_secs(2);

/// Dropping it kills it.
pub(crate) struct Process {
    runtime: Option<Runtime>,
    watch: Arc<OnceLock<Watch>>,
    wire: Wire,
    reached: Arc<Notify>,
}

/// The write at which it dies, as the API server sees it: never asked, or asked and never heard of again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dies {
    Never,
    Before(usize),
    After(usize),
}

struct Death {
    dies: Dies,
    reached: Arc<Notify>,
}

impl Process {
    pub(crate) fn start(room: &Room) -> Self {
        Self::mortal(room, Dies::Never)
    }

    pub(crate) fn mortal(room: &Room, dies: Dies) -> Self {
        let reached = Arc::new(Notify::new());
        let death = Death {
            dies,
            reached: reached.clone(),
        };
        let mut process = Self::run(room, Wire::new(Arc::new(death)), ANSWER);
        process.reached = reached;
        process
    }

    /// What it asks for meets what the script says.
    pub(crate) fn scripted(room: &Room, script: Arc<dyn Script>) -> Self {
        Self::run(room, Wire::new(script), LITTLE_PATIENCE)
    }

    fn run(room: &Room, wire: Wire, patience: Duration) -> Self {
        let runtime = Runtime::new().unwrap();
        let operator = Operator {
            namespace: "chat-operator".to_owned(),
            identity: "test".to_owned(),
        };
        let watch = Arc::new(OnceLock::new());
        let (kubeconfig, namespace) = (room.kubeconfig.clone(), room.namespace.clone());
        let (on_the_way, told) = (wire.clone(), watch.clone());
        runtime.spawn(async move {
            // Connections live and die with the runtime they were made in.
            let config = config(&kubeconfig, "operator").await;
            let client: Client = ClientBuilder::try_from(config)
                .unwrap()
                .with_layer(&on_the_way)
                .with_layer(&TimeoutLayer::new(patience))
                .build();
            let stop = CancellationToken::new();
            let running = controller::start(&client, &operator, Some(&namespace), &stop).unwrap();
            let _ = told.set(running.watch());
            running.ended().await;
        });
        Self {
            runtime: Some(runtime),
            watch,
            wire,
            reached: Arc::default(),
        }
    }

    /// How much it wrote so far.
    pub(crate) fn writes(&self) -> usize {
        self.wire.writes()
    }

    /// How much it asked for so far.
    pub(crate) fn requests(&self) -> usize {
        self.wire.requests()
    }

    /// Why it is not ready; `None`: it is.
    pub(crate) fn waits_for(&self) -> Option<String> {
        match self.watch.get() {
            Some(watch) => watch.waits_for(),
            None => Some("starting".to_owned()),
        }
    }

    /// Returns when it has reached the write at which it dies; from then on it does nothing at that place.
    pub(crate) async fn dying(&self) {
        self.reached.notified().await;
    }
}

impl Script for Death {
    fn fate(&self, asked: Asked, _: &str) -> Fate {
        let Asked::Write(number) = asked else {
            return Fate::Answered;
        };
        match self.dies {
            Dies::Before(last) if number >= last => {
                self.reached.notify_one();
                Fate::Lost
            }
            Dies::After(last) if number == last => Fate::Unheard,
            // A process that is dead does nothing more.
            Dies::After(last) if number > last => Fate::Lost,
            _ => Fate::Answered,
        }
    }

    fn unheard(&self) {
        self.reached.notify_one();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
