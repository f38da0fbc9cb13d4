//! The children of every system, kept up to date by watches, and the news that wakes whoever looks after a system.
//!
//! An index by owner, so that what a system has is found without looking at what others have. It may be behind: an
//! object is deleted only after it was read once more, and an apply that was not needed changes nothing.

use super::live::{self, Child, Facts, Live};
use crate::build::ours;
use crate::crd::ChatSystem;
use crate::kinds::Kind;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

/// So many of a kind are read at once at the start: whole Deployments are a hundred times of what is kept of them.
const PAGE: u32 = 100;

/// Where news goes.
pub type Wake = UnboundedSender<ObjectRef<ChatSystem>>;

/// Cheap to clone.
#[derive(Clone)]
pub struct Children {
    index: Arc<Mutex<Index>>,
    /// The kinds that were not read yet.
    unread: watch::Sender<BTreeSet<Kind>>,
}

#[derive(Default)]
struct Index {
    /// By the owner's uid.
    owned: HashMap<String, Owned>,
    /// Whose each object is, and which reference wakes its owner.
    owners: HashMap<(Kind, ObjectName), Arc<Owner>>,
}

type ObjectName = (String, String);

/// What a system has.
struct Owned {
    owner: Arc<Owner>,
    children: BTreeMap<Child, Live>,
}

struct Owner {
    uid: String,
    name: String,
}

impl Default for Children {
    fn default() -> Self {
        let watched = Kind::ALL
            .into_iter()
            .filter(|kind| !Kind::OPTIONAL.contains(kind));
        Self {
            index: Arc::default(),
            unread: watch::Sender::new(watched.collect()),
        }
    }
}

impl Children {
    /// As they were last seen.
    pub fn of(&self, uid: &str) -> BTreeMap<Child, Live> {
        let index = self.index();
        let owned = index.owned.get(uid);
        owned.map_or_else(BTreeMap::new, |owned| owned.children.clone())
    }

    /// The kinds that could not be read yet.
    pub fn unread(&self) -> BTreeSet<Kind> {
        self.unread.borrow().clone()
    }

    /// Returns when every kind was read once.
    pub async fn read(&self) {
        let mut unread = self.unread.subscribe();
        // The sender lives as long as this.
        let _ = unread.wait_for(BTreeSet::is_empty).await;
    }

    /// Watches every kind in a namespace, or in all of them. The futures end never.
    pub fn watch(
        &self,
        client: &Client,
        namespace: Option<&str>,
        wake: &Wake,
    ) -> Vec<BoxFuture<'static, ()>> {
        let watching = Watching {
            children: self.clone(),
            client: client.clone(),
            namespace: namespace.map(str::to_owned),
            wake: wake.clone(),
        };
        vec![
            watching.typed::<Deployment>(Kind::Deployment, live::deployment),
            watching.typed::<Job>(Kind::Job, live::job),
            watching.typed::<CronJob>(Kind::CronJob, live::cron_job),
            watching.named::<ServiceAccount>(Kind::ServiceAccount),
            watching.named::<ConfigMap>(Kind::ConfigMap),
            watching.named::<NetworkPolicy>(Kind::NetworkPolicy),
            watching.named::<Service>(Kind::Service),
            watching.named::<PodDisruptionBudget>(Kind::PodDisruptionBudget),
            watching.named::<HorizontalPodAutoscaler>(Kind::HorizontalPodAutoscaler),
            watching.named::<Ingress>(Kind::Ingress),
        ]
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // Whoever panicked left a whole map.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Watching {
    children: Children,
    client: Client,
    namespace: Option<String>,
    wake: Wake,
}

impl Watching {
    /// Its metadata alone.
    fn named<K>(&self, kind: Kind) -> BoxFuture<'static, ()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Send
            + Sync
            + 'static,
    {
        self.typed::<PartialObjectMeta<K>>(kind, |_| Facts::None)
    }

    fn typed<K>(&self, kind: Kind, facts: fn(&K) -> Facts) -> BoxFuture<'static, ()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let api: Api<K> = match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let config = watcher::Config::default().labels(&ours()).page_size(PAGE);
        let (children, wake) = (self.children.clone(), self.wake.clone());
        let mut listed = BTreeSet::new();
        let mut events = watcher(api, config).default_backoff().boxed();
        async move {
            loop {
                match events.try_next().await {
                    Ok(Some(event)) => {
                        for owner in children.see(kind, event, facts, &mut listed) {
                            // Nobody listens any more when the program ends.
                            let _ = wake.send(owner);
                        }
                    }
                    Ok(None) => return,
                    Err(error) => {
                        tracing::warn!(kind = kind.name(), %error, "cannot watch; trying again");
                    }
                }
            }
        }
        .boxed()
    }
}

impl Children {
    /// The owners that have something to look at.
    fn see<K: Resource<DynamicType = ()>>(
        &self,
        kind: Kind,
        event: Event<K>,
        facts: fn(&K) -> Facts,
        listed: &mut BTreeSet<ObjectName>,
    ) -> Vec<ObjectRef<ChatSystem>> {
        let mut index = self.index();
        match event {
            Event::Init => {
                listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                listed.insert(object_name(&object));
                index.put(kind, &object, facts)
            }
            Event::Apply(object) => index.put(kind, &object, facts),
            Event::Delete(object) => index
                .remove(kind, &object_name(&object))
                .into_iter()
                .collect(),
            Event::InitDone => {
                let all = index.owners.keys();
                let gone: Vec<_> = all
                    .filter(|(of, name)| *of == kind && !listed.contains(name))
                    .map(|(_, name)| name.clone())
                    .collect();
                listed.clear();
                let owners = gone.iter().filter_map(|name| index.remove(kind, name));
                let owners = owners.collect();
                self.unread.send_if_modified(|unread| unread.remove(&kind));
                owners
            }
        }
    }
}

impl Index {
    /// The owner, if that is news, and the one it had before.
    fn put<K: Resource<DynamicType = ()>>(
        &mut self,
        kind: Kind,
        object: &K,
        facts: fn(&K) -> Facts,
    ) -> Vec<ObjectRef<ChatSystem>> {
        let (namespace, name) = object_name(object);
        let Some(owner) = live::owner(object.meta()) else {
            return self.remove(kind, &(namespace, name)).into_iter().collect();
        };
        let place = (kind, (namespace.clone(), name.clone()));
        let mut woken = Vec::new();
        if self
            .owners
            .get(&place)
            .is_some_and(|before| before.uid != owner.uid)
        {
            woken.extend(self.remove(kind, &place.1));
        }
        let now = live::live(object.meta(), facts(object));
        let fresh = || Owned {
            owner: Arc::new(Owner {
                uid: owner.uid.clone(),
                name: owner.name.clone(),
            }),
            children: BTreeMap::new(),
        };
        let owned = self.owned.entry(owner.uid.clone()).or_insert_with(fresh);
        let before = owned.children.insert(Child { kind, name }, now.clone());
        if before.is_none_or(|before| now.is_news(&before)) {
            woken.push(reference(&namespace, &owned.owner));
        }
        self.owners.insert(place, owned.owner.clone());
        woken
    }

    fn remove(&mut self, kind: Kind, name: &ObjectName) -> Option<ObjectRef<ChatSystem>> {
        let owner = self.owners.remove(&(kind, name.clone()))?;
        let child = Child {
            kind,
            name: name.1.clone(),
        };
        if let Some(owned) = self.owned.get_mut(&owner.uid) {
            owned.children.remove(&child);
            if owned.children.is_empty() {
                self.owned.remove(&owner.uid);
            }
        }
        Some(reference(&name.0, &owner))
    }
}

fn reference(namespace: &str, owner: &Owner) -> ObjectRef<ChatSystem> {
    ObjectRef::new(&owner.name).within(namespace)
}

fn object_name<K: Resource<DynamicType = ()>>(object: &K) -> ObjectName {
    (object.namespace().unwrap_or_default(), object.name_any())
}
