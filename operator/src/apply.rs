//! From objects as they should be to the cluster: server-side apply under one name, in a fixed order, each child only
//! if it is not as it should be. How many pods there are is written elsewhere (`replicas`).

mod child;
mod prune;
pub mod replicas;

pub use child::{APPLIED_HASH, Applied};

use crate::build::{Deployments, Objects};
use crate::kinds::Kind;
use crate::observe::live::{Child, Facts, Live};
use crate::observe::migration;
use crate::status::{Migration, Rollout, Trouble};
use child::{Outcome, Wanted};
use k8s_openapi::api::networking::v1::{Ingress, IngressSpec};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A system's children as they are, and where to write.
pub struct Applying<'a> {
    pub client: &'a Client,
    pub namespace: &'a str,
    /// Of the ChatSystem.
    pub uid: &'a str,
    pub live: &'a BTreeMap<Child, Live>,
    /// Which of the optional kinds the cluster knows.
    pub known: &'a BTreeSet<Kind>,
    /// What earlier applies of this process returned.
    pub applied: &'a mut HashMap<Child, Applied>,
    pub now: Timestamp,
}

/// What was reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Reached {
    pub migration: Migration,
    /// Something of it still waits, or was only now begun.
    pub is_under_way: bool,
    /// Kinds that were asked for and that the cluster does not know.
    pub unknown: BTreeSet<Kind>,
}

/// A write that the API server did not take.
#[derive(Debug, thiserror::Error)]
#[error("{} {}: {error}", .child.kind.name(), .child.name)]
pub struct Failed {
    pub child: Child,
    #[source]
    pub error: kube::Error,
}

impl Failed {
    /// What to tell people, where trying again will not help.
    pub fn trouble(&self) -> Option<Trouble> {
        let kube::Error::Api(status) = &self.error else {
            return None;
        };
        let reason = match status.code {
            403 => "Forbidden",
            400 | 404 | 405 | 413 | 422 => "ApplyRefused",
            _ => return None,
        };
        let Child { kind, name } = &self.child;
        Some(Trouble {
            reason: reason.to_owned(),
            message: format!(
                "the API server refuses {} {name}: {}",
                kind.name(),
                status.message
            ),
        })
    }
}

impl Applying<'_> {
    /// Brings everything as far as it can be now: what has to wait is done by a later call.
    pub async fn apply(mut self, objects: &Objects) -> Result<Reached, Failed> {
        let Objects {
            service_accounts,
            config_map,
            network_policies,
            migration,
            deployments: Deployments { workers, api },
            disruption_budgets,
            service,
            autoscaler,
            ingress,
            http_route,
            cron_jobs,
            pod_monitor,
        } = objects;
        let mut unknown = BTreeSet::new();
        // Pods are not made without their account, do not start without their settings, and talk to nobody before
        // it is said to whom they may.
        self.all(service_accounts).await?;
        self.one(config_map).await?;
        self.all(network_policies).await?;
        // What finds and protects pods is there before them.
        self.one(service).await?;
        self.all(disruption_budgets).await?;
        let migration = self.migrate(migration).await?;
        // It goes on to answer whatever becomes of a migration, and is ready once there are tables.
        if !self.is_there(Kind::Deployment, api.metadata.name.as_deref()) {
            self.one(api).await?;
        }
        let mut is_under_way = true;
        if let Migration::Complete(_) = migration {
            // Workers understand what the API of their version and of the one before says, so they go first.
            let mut rolled_out = true;
            for (_, worker) in workers {
                let outcome = self.one(worker).await?;
                rolled_out &= outcome == Outcome::AsItWas
                    && self.is_rolled_out(worker.metadata.name.as_deref());
            }
            self.all(cron_jobs).await?;
            if rolled_out {
                is_under_way = self.one(api).await? != Outcome::AsItWas;
            }
        }
        // These point to what is there now.
        if let Some(autoscaler) = autoscaler {
            self.one(autoscaler).await?;
        }
        if let Some(ingress) = ingress {
            self.lead_in(ingress).await?;
        }
        for object in http_route.iter().chain(pod_monitor) {
            let child = self.one(object).await?;
            if let Outcome::UnknownKind(kind) = child {
                unknown.insert(kind);
            }
        }
        // Last, so that nothing is taken away before what replaces it is there.
        self.prune(objects, &unknown).await?;
        Ok(Reached {
            migration,
            is_under_way,
            unknown,
        })
    }

    /// The Job is the gate: what follows waits until it is complete. It is never changed; one that failed a while ago
    /// is made again.
    async fn migrate(&mut self, job: &impl Serialize) -> Result<Migration, Failed> {
        let wanted = Wanted::new(job);
        let name = wanted.child.name.clone();
        if migration::is_worth_another_try(self.live, &name, self.now) {
            // Its end wakes the next call, which makes it again.
            self.delete(&wanted.child).await?;
            return Ok(Migration::Running);
        }
        self.put(wanted).await?;
        Ok(match migration::state(self.live, &name) {
            Migration::None => Migration::Running,
            state => state,
        })
    }

    /// The default class is given to an Ingress when it is made, and to none that only loses its own: that one is made
    /// again.
    async fn lead_in(&mut self, ingress: &Ingress) -> Result<(), Failed> {
        let wanted = Wanted::new(ingress);
        let has_class = |ingress: &IngressSpec| ingress.ingress_class_name.is_some();
        if !ingress.spec.as_ref().is_some_and(has_class)
            && self.is_needed(&wanted)
            && self.has_class_of_ours(&wanted.child).await?
        {
            // Its end wakes the next call, which makes it again.
            return self.delete(&wanted.child).await;
        }
        self.put(wanted).await?;
        Ok(())
    }

    async fn all<'o, K: Serialize + 'o>(
        &mut self,
        objects: impl IntoIterator<Item = &'o K>,
    ) -> Result<(), Failed> {
        for object in objects {
            self.one(object).await?;
        }
        Ok(())
    }

    async fn one(&mut self, object: &impl Serialize) -> Result<Outcome, Failed> {
        self.put(Wanted::new(object)).await
    }

    fn is_there(&self, kind: Kind, name: Option<&str>) -> bool {
        self.find(kind, name).is_some()
    }

    fn is_rolled_out(&self, name: Option<&str>) -> bool {
        match self.find(Kind::Deployment, name).map(|live| &live.facts) {
            Some(Facts::Deployment(facts)) => Rollout::from(facts).complete,
            _ => false,
        }
    }

    fn find(&self, kind: Kind, name: Option<&str>) -> Option<&Live> {
        let name = name.unwrap_or_default().to_owned();
        self.live.get(&Child { kind, name })
    }
}
