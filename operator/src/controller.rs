//! Looking after systems: when to look, and one pass over one system from what is seen to what is told.
//!
//! Nothing is true because it is remembered: a pass can be cut off anywhere and begun again by another process. What is
//! remembered (`State`) only saves questions and writes.

mod look;
mod passes;
mod scale;
mod state;
mod tick;

use crate::crd::ChatSystem;
use crate::observe::children::{Children, Wake};
use crate::observe::optional::Discovery;
use crate::observe::queues::Queues;
use crate::status::Teller;
use futures::{FutureExt, StreamExt};
use k8s_openapi::jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt, predicates};
use kube::{Api, Client, Resource, ResourceExt};
use state::States;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A ChatSystem, or one that is stored and cannot be read.
type Guarded = DeserializeGuard<ChatSystem>;

/// What looking after the systems of one namespace, or of all, takes. Cheap to clone.
#[derive(Clone)]
pub struct Controller {
    client: Client,
    /// Where the operator runs.
    operator_namespace: String,
    children: Children,
    systems: Store<Guarded>,
    states: Arc<States>,
    queues: Arc<Queues>,
    discovery: Arc<Discovery>,
    /// For pods.
    http: reqwest::Client,
    teller: Teller,
}

/// What a controller does in the background. Dropping it ends that.
pub struct Running {
    controller: Controller,
    /// Ends with `stop`.
    passes: JoinSet<()>,
    /// Never ends.
    _watches: JoinSet<()>,
}

/// Who and where this operator is.
#[derive(Clone, Debug)]
pub struct Operator {
    pub namespace: String,
    /// This process among several.
    pub identity: String,
}

/// Begins to watch a namespace, or all of them, and to look after their systems, until `stop`.
pub fn start(
    client: &Client,
    operator: &Operator,
    namespace: Option<&str>,
    stop: &CancellationToken,
) -> reqwest::Result<Running> {
    let (systems, writer) = store();
    // Whoever asks pods asks them in the cluster, and follows nobody elsewhere.
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_certs_only([])
        .build()?;
    let controller = Controller {
        client: client.clone(),
        operator_namespace: operator.namespace.clone(),
        children: Children::default(),
        systems,
        states: Arc::default(),
        queues: Arc::default(),
        discovery: Arc::default(),
        http,
        teller: Teller::new(client.clone(), &operator.identity),
    };
    let (wake, woken) = tokio::sync::mpsc::unbounded_channel();
    let mut watches = JoinSet::new();
    for watching in controller.children.watch(client, namespace, &wake) {
        watches.spawn(watching);
    }
    let api = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    watches.spawn(watch_systems(api, writer, wake));
    let mut passes = JoinSet::new();
    passes.spawn(controller.clone().look_after(woken, stop.clone()));
    passes.spawn(controller.clone().tick(stop.clone()));
    Ok(Running {
        controller,
        passes,
        _watches: watches,
    })
}

/// Tells how far a controller is.
pub struct Watch(Controller);

impl Watch {
    /// Why it does not look after anything yet; `None` once it does.
    pub fn waits_for(&self) -> Option<String> {
        let Self(controller) = self;
        if controller
            .systems
            .wait_until_ready()
            .now_or_never()
            .is_none()
        {
            return Some("ChatSystems cannot be read: is their definition installed?".to_owned());
        }
        let unread = controller.children.unread();
        let names: Vec<_> = unread.into_iter().map(|kind| kind.name()).collect();
        (!names.is_empty()).then(|| format!("not read yet: {}", names.join(", ")))
    }
}

impl Running {
    pub fn watch(&self) -> Watch {
        Watch(self.controller.clone())
    }

    /// Returns when what was under way at `stop` has ended.
    pub async fn ended(self) {
        self.passes.join_all().await;
    }
}

/// Keeps the store of ChatSystems up to date, and wakes for each that is new or asks for something else.
async fn watch_systems(
    api: Api<Guarded>,
    writer: kube::runtime::reflector::store::Writer<Guarded>,
    wake: Wake,
) {
    use kube::runtime::Predicate;
    use predicates::{annotations, generation, labels};
    let changed = generation.combine(annotations).combine(labels);
    let mut asked = watcher(api, watcher::Config::default())
        .default_backoff()
        // Nobody asks who wrote which field, and it is large.
        .modify(|system| system.meta_mut().managed_fields = None)
        .reflect(writer)
        .applied_objects()
        .predicate_filter(changed, kube::runtime::PredicateConfig::default())
        .boxed();
    while let Some(system) = asked.next().await {
        match system {
            Ok(system) => {
                let namespace = system.namespace().unwrap_or_default();
                // Nobody listens any more when the program ends.
                let _ = wake.send(ObjectRef::new(&system.name_any()).within(&namespace));
            }
            Err(error) => tracing::warn!(%error, "cannot watch ChatSystems; trying again"),
        }
    }
}

/// A number that is always the same for a system, to do not everything of all systems at the same moment.
fn scattered(system: &impl Resource) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(&system.meta().uid)
}

/// As everything here takes the time: from the one clock.
fn now() -> Timestamp {
    Timestamp::from_millisecond(chat::clock::now().get()).unwrap_or_default()
}
