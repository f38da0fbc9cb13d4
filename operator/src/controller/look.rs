//! The first half of a pass: from the specification and what is seen to children that are as they should be.

use super::state::{Looked, State};
use super::{Controller, now};
use crate::apply::replicas::scale;
use crate::apply::{Applying, Reached};
use crate::build::{Component, Objects, build};
use crate::crd::ChatSystem;
use crate::kinds::Kind;
use crate::metrics::{self, Outcome};
use crate::observe::live::{Child, Facts, Live};
use crate::observe::{migration, observe, optional};
use crate::status::{Migration, Trouble};
use crate::validate::{System, validate};
use kube::ResourceExt;
use std::collections::{BTreeMap, BTreeSet};

impl Controller {
    pub(super) async fn look(
        &self,
        resource: &ChatSystem,
        state: &mut State,
    ) -> Result<Outcome, kube::Error> {
        let mut looked = Looked {
            refused: None,
            failed: None,
            unknown: BTreeSet::new(),
            migration: Migration::None,
            is_under_way: false,
            broker: None,
        };
        let seen = match observe(&self.client, resource, &self.operator_namespace).await {
            Ok(seen) => seen,
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                looked.failed = Some(Trouble {
                    reason: "Forbidden".to_owned(),
                    message: format!("the operator may not read a Secret: {}", status.message),
                });
                state.looked = Some(looked);
                return Ok(Outcome::Failed);
            }
            Err(error) => return Err(error),
        };
        looked.broker = seen.broker;
        let mut outcome = Outcome::Done;
        match validate(resource, &seen.observed) {
            // What runs goes on as it was.
            Err(invalid) => {
                looked.refused = Some(invalid);
                outcome = Outcome::Refused;
            }
            Ok(system) => {
                let objects = build(&system);
                let known = self.discovery.known(&self.client, now()).await?;
                let live = self.live(&system, &known).await?;
                match self.bring(&system, &objects, &live, &known, state).await? {
                    Ok(reached) => {
                        looked.migration = reached.migration;
                        looked.is_under_way = reached.is_under_way;
                        looked.unknown = reached.unknown;
                    }
                    Err(trouble) => {
                        looked.failed = Some(trouble);
                        let job = objects.migration.name_any();
                        looked.migration = migration::state(&live, &job);
                        outcome = Outcome::Failed;
                    }
                }
                self.explain(&system, &objects, state, &mut looked).await?;
            }
        }
        state.looked = Some(looked);
        Ok(outcome)
    }

    /// The children as they are now.
    async fn live(
        &self,
        system: &System,
        known: &BTreeSet<Kind>,
    ) -> Result<BTreeMap<Child, Live>, kube::Error> {
        let uid = system.uid.clone().unwrap_or_default();
        let (namespace, name) = (&system.namespace, &system.name);
        let more = optional::children(&self.client, known, namespace, name, &uid).await?;
        let mut live = self.children.of(&uid);
        live.extend(more);
        Ok(live)
    }

    /// Applies, prunes and scales the API. What the API server refuses for good is told to people, everything else is
    /// an error.
    async fn bring(
        &self,
        system: &System,
        objects: &Objects,
        live: &BTreeMap<Child, Live>,
        known: &BTreeSet<Kind>,
        state: &mut State,
    ) -> Result<Result<Reached, Trouble>, kube::Error> {
        if system.spec.paused {
            return Ok(Ok(Reached {
                migration: migration::state(live, &objects.migration.name_any()),
                is_under_way: false,
                unknown: BTreeSet::new(),
            }));
        }
        let applying = Applying {
            client: &self.client,
            namespace: &system.namespace,
            uid: system.uid.as_deref().unwrap_or_default(),
            live,
            known,
            applied: &mut state.applied,
            now: now(),
        };
        let reached = match applying.apply(objects).await {
            Ok(reached) => reached,
            Err(failed) => {
                let Some(trouble) = failed.trouble() else {
                    return Err(failed.error);
                };
                metrics::failed(&failed.error);
                let (namespace, name) = (&system.namespace, &system.name);
                tracing::warn!(namespace, name, error = %failed, "cannot apply a child");
                return Ok(Err(trouble));
            }
        };
        self.scale_api(system, live).await?;
        Ok(Ok(reached))
    }

    /// To the fixed number; an autoscaler decides where there is one.
    async fn scale_api(
        &self,
        system: &System,
        live: &BTreeMap<Child, Live>,
    ) -> Result<(), kube::Error> {
        let name = Component::Api.object(&system.name);
        let wanted = system.spec.api.replicas;
        let child = Child {
            kind: Kind::Deployment,
            name: name.clone(),
        };
        let Some(Facts::Deployment(facts)) = live.get(&child).map(|live| &live.facts) else {
            return Ok(());
        };
        if system.spec.api.autoscaling.is_none() && facts.wanted != wanted {
            scale(&self.client, &system.namespace, &name, wanted).await?;
        }
        Ok(())
    }

    /// Adds what the pods of a failed migration said.
    async fn explain(
        &self,
        system: &System,
        objects: &Objects,
        state: &mut State,
        looked: &mut Looked,
    ) -> Result<(), kube::Error> {
        let Migration::Failed(_) = looked.migration else {
            return Ok(());
        };
        let job = objects.migration.name_any();
        if state.last_words.as_ref().is_none_or(|(of, _)| *of != job) {
            let words = migration::last_words(&self.client, &system.namespace, &job).await?;
            state.last_words = words.map(|words| (job, words));
        }
        if let Some((_, words)) = &state.last_words {
            looked.migration = Migration::Failed(words.clone());
        }
        Ok(())
    }
}
