//! The second half of a pass, and all of a tick: how many workers there are, and what is told about the system.

use super::state::State;
use super::{Controller, now};
use crate::apply::replicas::{Scaled, scale};
use crate::build::{Component, selector};
use crate::crd::{ChatSystem, ChatSystemStatus, Role};
use crate::kinds::Kind;
use crate::metrics;
use crate::observe::live::{Child, CronJobFacts, Facts, Live};
use crate::sample::sight;
use crate::scaling::{Decision, Sight, decide};
use crate::status::{
    Known, Rollout, Told, Workers, compute, events, is_news, memory, with_backlog_of,
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use std::collections::BTreeMap;

/// Between two backlogs that are told.
const BACKLOG_TOLD: SignedDuration = SignedDuration::from_secs(30);

impl Controller {
    /// Does nothing before the first pass of this process, which knows too little to tell anything.
    pub(super) async fn settle(
        &self,
        system: &ChatSystem,
        state: &mut State,
    ) -> Result<(), kube::Error> {
        let Some(looked) = state.looked.clone() else {
            return Ok(());
        };
        let now = now();
        let live = self.children.of(&system.uid().unwrap_or_default());
        let before = state.status(system);
        let mut workers = Vec::new();
        for role in Role::ALL {
            if let Some(rollout) = rollout(&live, system, Component::Worker(role)) {
                let workers_of_role = self.workers(system, role, rollout, &before, state, now);
                workers.push(workers_of_role.await?);
            }
        }
        let (namespace, name) = (system.namespace().unwrap_or_default(), system.name_any());
        let known = Known {
            refused: looked.refused,
            failed: looked.failed,
            unknown: looked.unknown,
            migration: looked.migration,
            is_under_way: looked.is_under_way,
            api: rollout(&live, system, Component::Api),
            api_selector: selector(&name, Component::Api),
            workers,
            backends: state.pods.backends.clone(),
            queue_metrics: state.queues.metrics.clone(),
            dead_letters: state
                .queues
                .sample
                .as_ref()
                .and_then(|sample| sample.dead_letters),
        };
        let status = compute(system, &known, now);
        // One that is gone is forgotten already.
        let system_ref = ObjectRef::new(&name).within(&namespace);
        if self.systems.get(&system_ref).is_some() {
            metrics::known(&namespace, &name, &known, &status.conditions);
            let facts = |component| cron_job(&live, system, component);
            let (reconcile, audit) = (facts(Component::Reconcile), facts(Component::Audit));
            metrics::cron_jobs(&namespace, &name, reconcile, audit);
        }
        self.tell(system, before, status, state, now).await
    }

    /// Decides for one role, and carries it out.
    async fn workers(
        &self,
        system: &ChatSystem,
        role: Role,
        mut rollout: Rollout,
        before: &ChatSystemStatus,
        state: &mut State,
        now: Timestamp,
    ) -> Result<Workers, kube::Error> {
        let queues = &mut state.queues;
        let blind_since = *queues.known.entry(role).or_insert(now);
        let sight = sight(
            role,
            queues.sample.as_ref(),
            queues.before.as_ref(),
            blind_since,
        );
        let remembered = memory(before, role);
        let policy = &system.spec.workers.role(role).autoscaling;
        // The API server refuses it; an older definition may not have.
        let sane = policy.min_replicas <= policy.max_replicas;
        let mut decision = match sane {
            true => decide(policy, sight, remembered, rollout.workload(), now),
            false => Decision {
                replicas: rollout.wanted,
                reason: crate::scaling::Reason::Blind,
                memory: remembered,
            },
        };
        if decision.replicas != rollout.wanted {
            let namespace = system.namespace().unwrap_or_default();
            let name = Component::Worker(role).object(&system.name_any());
            match scale(&self.client, &namespace, &name, decision.replicas).await? {
                Scaled::From(from) => {
                    state.foreign.remove(&role);
                    self.tell_scaled(system, role, from, &decision, sight).await;
                    rollout.complete = false;
                }
                Scaled::AsItWas => {}
                Scaled::ByAutoscaler(autoscaler) => {
                    if state.foreign.insert(role) {
                        self.tell_foreign(system, &name, &autoscaler).await;
                    }
                    decision.replicas = rollout.wanted;
                    decision.memory = remembered;
                }
            }
            rollout.wanted = decision.replicas;
        }
        let backlog = match sight {
            Sight::Seen { backlog, .. } => Some(backlog),
            Sight::Blind { .. } => None,
        };
        Ok(Workers {
            role,
            rollout,
            decision,
            backlog,
        })
    }

    async fn tell_foreign(&self, system: &ChatSystem, name: &str, autoscaler: &str) {
        let told = Told {
            is_warning: true,
            reason: "ForeignAutoscaler".to_owned(),
            note: format!(
                "the autoscaler {autoscaler} aims at {name}, so the operator does not scale it: remove that one"
            ),
        };
        self.teller.tell(system, told).await;
    }

    async fn tell_scaled(
        &self,
        system: &ChatSystem,
        role: Role,
        from: i32,
        decision: &Decision,
        sight: Sight,
    ) {
        let waiting = match sight {
            Sight::Seen { backlog, .. } => format!("{backlog} commands wait"),
            Sight::Blind { .. } => "nobody knows how much waits".to_owned(),
        };
        let (role, to) = (role.name(), decision.replicas);
        let note = format!("workers of {role}: {from} to {to}, {waiting}");
        tracing::info!(
            name = system.name_any(),
            reason = decision.reason.name(),
            "{note}"
        );
        let told = Told {
            is_warning: false,
            reason: decision.reason.name().to_owned(),
            note,
        };
        self.teller.tell(system, told).await;
    }

    async fn tell(
        &self,
        system: &ChatSystem,
        before: ChatSystemStatus,
        status: ChatSystemStatus,
        state: &mut State,
        now: Timestamp,
    ) -> Result<(), kube::Error> {
        let told_lately = state
            .backlog_told
            .is_some_and(|told| now.duration_since(told) < BACKLOG_TOLD);
        let status = match told_lately {
            true => with_backlog_of(&before, status),
            false => status,
        };
        if !is_news(&before, &status) {
            return Ok(());
        }
        let told = events(&before, &status);
        let Some(written) = self.teller.write(system, status).await? else {
            return Ok(());
        };
        let backlogs = |status: &ChatSystemStatus| {
            let workers = status.workers.iter().map(|workers| workers.backlog);
            workers.collect::<Vec<_>>()
        };
        if backlogs(&before) != backlogs(&written.status) {
            state.backlog_told = Some(now);
        }
        state.written = Some(written);
        for told in told {
            self.teller.tell(system, told).await;
        }
        Ok(())
    }
}

fn facts(live: &BTreeMap<Child, Live>, kind: Kind, name: String) -> Option<&Facts> {
    live.get(&Child { kind, name }).map(|live| &live.facts)
}

fn rollout(
    live: &BTreeMap<Child, Live>,
    system: &ChatSystem,
    component: Component,
) -> Option<Rollout> {
    let name = component.object(&system.name_any());
    match facts(live, Kind::Deployment, name)? {
        Facts::Deployment(facts) => Some(facts.into()),
        _ => None,
    }
}

/// Of one that is not there nothing has ended, well or otherwise.
fn cron_job(
    live: &BTreeMap<Child, Live>,
    system: &ChatSystem,
    component: Component,
) -> CronJobFacts {
    let name = component.object(&system.name_any());
    match facts(live, Kind::CronJob, name) {
        Some(Facts::CronJob(facts)) => *facts,
        _ => CronJobFacts::default(),
    }
}
