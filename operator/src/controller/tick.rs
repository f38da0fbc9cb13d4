//! Every five seconds: what waits in the queues, whether pods that are not ready say why, and what follows. Applies
//! nothing.

use super::state::{PodsSeen, QueuesSeen, State};
use super::{Controller, now, scattered};
use crate::crd::ChatSystem;
use crate::metrics;
use crate::observe::live::{DeploymentFacts, Facts};
use crate::observe::pods;
use crate::sample::{self, PERIOD, Sample};
use crate::status::{Rollout, Trouble};
use futures::StreamExt;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// A period has so many steps, and each system its own, so that few connections are open at once.
const STEPS: u32 = 20;
/// So many systems' brokers and pods are asked at once; most of the time is spent waiting.
const AT_ONCE: usize = 200;
/// Whoever is asked a little too early need not wait for another period.
const EARLY: Duration = Duration::from_millis(500);
/// How long a pod takes to start where nothing is wrong.
const START: Duration = Duration::from_secs(20);

impl Controller {
    pub(super) async fn tick(self, stop: CancellationToken) {
        let mut period = interval(PERIOD / STEPS);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let steps = (0..STEPS).cycle();
        let steps = futures::stream::unfold((period, steps), async |(mut period, mut steps)| {
            period.tick().await;
            Some((steps.next()?, (period, steps)))
        });
        steps
            .flat_map(|step| futures::stream::iter(self.systems_of(step)))
            .take_until(stop.cancelled())
            .for_each_concurrent(AT_ONCE, async |system| {
                if let Ok(system) = &system.0 {
                    self.tick_of(system).await;
                }
            })
            .await;
    }

    /// Those whose turn it is, always the same for the same step.
    fn systems_of(&self, step: u32) -> Vec<Arc<super::Guarded>> {
        let mut systems = self.systems.state();
        if step == 0 {
            self.forget(&systems);
        }
        systems.retain(|system| scattered(system.as_ref()) % u64::from(STEPS) == u64::from(step));
        systems
    }

    /// Systems that are gone.
    fn forget(&self, systems: &[Arc<super::Guarded>]) {
        let there: BTreeSet<_> = systems
            .iter()
            .map(|system| (system.namespace().unwrap_or_default(), system.name_any()))
            .collect();
        for (namespace, name) in self.states.retain(&there) {
            metrics::forget(&namespace, &name);
        }
    }

    async fn tick_of(&self, system: &ChatSystem) {
        let state = self.states.of(system);
        // Nobody who looks after the system waits for an answer of somebody else.
        let sample = self.sample(&state).await;
        let backends = self.backends(system, &state).await;
        let mut state = state.lock().await;
        if let Some(sample) = sample {
            state.queues.see(sample, now());
        }
        if let Some(backends) = backends {
            state.pods.see(backends);
        }
        if let Err(error) = self.settle(system, &mut state).await {
            metrics::failed(&error);
            let (namespace, name) = (system.namespace().unwrap_or_default(), system.name_any());
            tracing::warn!(namespace, name, %error, "cannot scale it or write its status; trying again");
        }
    }

    /// `None`: it is not time to ask, or nobody knows where.
    async fn sample(&self, state: &tokio::sync::Mutex<State>) -> Option<Result<Sample, Trouble>> {
        let broker = {
            let state = state.lock().await;
            if !is_due(state.queues.next) {
                return None;
            }
            state.looked.as_ref()?.broker.clone()?
        };
        Some(self.queues.ask(&broker, now()).await)
    }

    /// What the pods say about their servers. The outer `None`: nobody asked.
    async fn backends(
        &self,
        system: &ChatSystem,
        state: &tokio::sync::Mutex<State>,
    ) -> Option<Option<Result<(), Trouble>>> {
        if !is_due(state.lock().await.pods.next) {
            return None;
        }
        let running = self.running(system);
        if running.is_empty() {
            return None;
        }
        let works = running.iter().all(|facts| facts.available >= facts.wanted);
        let is_settled = running.iter().all(|facts| Rollout::from(facts).complete);
        if works && is_settled {
            return Some(Some(Ok(())));
        }
        // While others do their work, new pods may take their time.
        let patience = if works { START } else { Duration::ZERO };
        let (namespace, name) = (system.namespace().unwrap_or_default(), system.name_any());
        match pods::trouble(&self.client, &self.http, &namespace, &name, patience).await {
            Ok(None) if works => Some(Some(Ok(()))),
            Ok(trouble) => Some(trouble.map(Err)),
            Err(error) => {
                tracing::warn!(namespace, name = system.name_any(), %error, "cannot list pods");
                None
            }
        }
    }
}

impl Controller {
    /// The Deployments of a system, as far as there are any.
    fn running(&self, system: &ChatSystem) -> Vec<DeploymentFacts> {
        let live = self.children.of(&system.uid().unwrap_or_default());
        let deployments = live.into_values().filter_map(|live| match live.facts {
            Facts::Deployment(facts) => Some(facts),
            _ => None,
        });
        deployments.collect()
    }
}

fn is_due(next: Option<Instant>) -> bool {
    next.is_none_or(|next| Instant::now() + EARLY >= next)
}

impl QueuesSeen {
    fn see(&mut self, answer: Result<Sample, Trouble>, now: Timestamp) {
        match answer {
            Ok(sample) => {
                let known = sample.roles.iter().filter(|(_, figures)| figures.is_ok());
                self.known.extend(known.map(|(role, _)| (*role, now)));
                let unusable = sample
                    .roles
                    .values()
                    .find_map(|figures| figures.as_ref().err());
                self.metrics = Some(match unusable {
                    None => Ok(()),
                    Some(unusable) => Err(Trouble {
                        reason: unusable.reason().to_owned(),
                        message: unusable.to_string(),
                    }),
                });
                self.before = self.sample.replace(sample);
                self.failures = 0;
            }
            Err(trouble) => {
                self.metrics = Some(Err(trouble));
                self.sample = None;
                self.before = None;
                self.failures += 1;
            }
        }
        self.next = Some(Instant::now() + sample::pause(self.failures));
    }
}

impl PodsSeen {
    /// As the pods of a system that works are not asked, none of them says so either.
    fn see(&mut self, backends: Option<Result<(), Trouble>>) {
        self.failures = match &backends {
            Some(Ok(())) => 0,
            _ => self.failures + 1,
        };
        self.backends = backends;
        self.next = Some(Instant::now() + sample::pause(self.failures));
    }
}
