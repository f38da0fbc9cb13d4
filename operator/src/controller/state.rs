//! What is remembered of a system between two passes. All of it can be lost.

use crate::apply::Applied;
use crate::crd::{ChatSystem, ChatSystemStatus, Role};
use crate::kinds::Kind;
use crate::observe::live::Child;
use crate::observe::queues::Broker;
use crate::sample::Sample;
use crate::status::{Migration, Trouble, Written};
use crate::validate::Invalid;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

#[derive(Default)]
pub(super) struct State {
    /// Passes in a row that failed.
    pub(super) failures: u32,
    pub(super) applied: HashMap<Child, Applied>,
    /// What the last pass came to; absent before the first.
    pub(super) looked: Option<Looked>,
    pub(super) queues: QueuesSeen,
    pub(super) pods: PodsSeen,
    /// What the pods of a failed migration said; they may be gone the next time.
    pub(super) last_words: Option<(String, Trouble)>,
    /// Roles that an autoscaler of somebody else scales, as was told.
    pub(super) foreign: BTreeSet<Role>,
    pub(super) written: Option<Written>,
    /// When backlogs were told last.
    pub(super) backlog_told: Option<Timestamp>,
}

/// What a pass came to.
#[derive(Clone)]
pub(super) struct Looked {
    pub(super) refused: Option<Invalid>,
    pub(super) failed: Option<Trouble>,
    pub(super) unknown: BTreeSet<Kind>,
    pub(super) migration: Migration,
    pub(super) is_under_way: bool,
    pub(super) broker: Option<Broker>,
}

#[derive(Default)]
pub(super) struct QueuesSeen {
    /// The last answer, if it was one, and the one before it.
    pub(super) sample: Option<Sample>,
    pub(super) before: Option<Sample>,
    /// When each role's figures were last known.
    pub(super) known: BTreeMap<Role, Timestamp>,
    /// What is said about it.
    pub(super) metrics: Option<Result<(), Trouble>>,
    pub(super) failures: u32,
    pub(super) next: Option<Instant>,
}

#[derive(Default)]
pub(super) struct PodsSeen {
    pub(super) backends: Option<Result<(), Trouble>>,
    pub(super) failures: u32,
    pub(super) next: Option<Instant>,
}

impl State {
    /// The newest status that is known.
    pub(super) fn status(&self, system: &ChatSystem) -> ChatSystemStatus {
        let written = self
            .written
            .as_ref()
            .filter(|written| system.resource_version().as_ref() == Some(&written.read))
            .map(|written| &written.status);
        written
            .or(system.status.as_ref())
            .cloned()
            .unwrap_or_default()
    }
}

/// By namespace and name.
#[derive(Default)]
pub(super) struct States(Mutex<HashMap<(String, String), Entry>>);

type Entry = (String, Arc<tokio::sync::Mutex<State>>);

impl States {
    pub(super) fn of(&self, system: &ChatSystem) -> Arc<tokio::sync::Mutex<State>> {
        let key = (system.namespace().unwrap_or_default(), system.name_any());
        let uid = system.uid().unwrap_or_default();
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || {
            // Whoever has the same name and another uid is another.
            (uid.clone(), Arc::default())
        };
        let (known, state) = states.entry(key.clone()).or_insert_with(fresh);
        if *known == uid {
            return state.clone();
        }
        let entry = fresh();
        let state = entry.1.clone();
        states.insert(key, entry);
        state
    }

    /// Drops those that are not among these, and names them.
    pub(super) fn retain(&self, there: &BTreeSet<(String, String)>) -> Vec<(String, String)> {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<_> = states
            .keys()
            .filter(|key| !there.contains(*key))
            .cloned()
            .collect();
        for key in &gone {
            states.remove(key);
        }
        gone
    }
}
