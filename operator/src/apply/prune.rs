//! Taking away what a system does not consist of any more. Kinds come from a closed list, the system from the owner's
//! uid, and an object is read once more before it is deleted: what is remembered may be old.

use super::{Applying, Failed};
use crate::build::Objects;
use crate::kinds::Kind;
use crate::observe::live::{self, Child, Facts, JobFacts, Live};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Preconditions};
use std::collections::{BTreeMap, BTreeSet};

impl Applying<'_> {
    /// `unknown` kinds were asked for and could not be made.
    pub(super) async fn prune(
        &mut self,
        objects: &Objects,
        unknown: &BTreeSet<Kind>,
    ) -> Result<(), Failed> {
        let documents = objects.documents();
        let named = documents.iter().map(Child::of);
        for child in superfluous(self.live, &named.collect(), unknown) {
            self.delete(&child).await?;
        }
        Ok(())
    }

    /// Only as the object that was just read, and only if it is this system's.
    pub(super) async fn delete(&mut self, child: &Child) -> Result<(), Failed> {
        let failed = |error| Failed {
            child: child.clone(),
            error,
        };
        let api = self.api(child.kind);
        let found = api.get_metadata_opt(&child.name).await.map_err(failed)?;
        let Some(meta) = found.map(|object| object.metadata) else {
            return Ok(());
        };
        if live::owner(&meta).is_none_or(|owner| owner.uid != self.uid)
            || meta.deletion_timestamp.is_some()
        {
            return Ok(());
        }
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: meta.uid,
            resource_version: meta.resource_version,
        });
        match api.delete(&child.name, &params).await {
            Ok(_) => {
                let (kind, name) = (child.kind.name(), &child.name);
                tracing::info!(namespace = self.namespace, kind, name, "deleted");
                self.applied.remove(child);
                Ok(())
            }
            // Gone, or changed since: the next call looks again.
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

/// What there is and should not be. Of the migrations before, one that is under way ends by itself; the last that failed
/// is kept to be looked at, and the last that succeeded until the one that is named has. The way in stays while the other
/// one cannot be made.
fn superfluous(
    live: &BTreeMap<Child, Live>,
    named: &BTreeSet<Child>,
    unknown: &BTreeSet<Kind>,
) -> Vec<Child> {
    let newest = |succeeded: bool| {
        let all = live
            .iter()
            .filter(move |(_, live)| ended(live) == Some(succeeded));
        all.max_by_key(|(child, live)| (named.contains(*child), ended_at(live)))
            .map(|(child, _)| child)
    };
    let kept = [newest(true), newest(false)];
    let unnamed = live.iter().filter(|(child, _)| !named.contains(*child));
    unnamed
        .filter(|(child, live)| match child.kind {
            Kind::Job => ended(live).is_some() && !kept.contains(&Some(*child)),
            Kind::Ingress => !unknown.contains(&Kind::HTTPRoute),
            _ => true,
        })
        .map(|(child, _)| child.clone())
        .collect()
}

/// Whether a Job ended, and well.
fn ended(live: &Live) -> Option<bool> {
    match &live.facts {
        Facts::Job(JobFacts::Complete { .. }) => Some(true),
        Facts::Job(JobFacts::Failed { .. }) => Some(false),
        _ => None,
    }
}

fn ended_at(live: &Live) -> Option<Timestamp> {
    match &live.facts {
        Facts::Job(JobFacts::Complete { at, .. } | JobFacts::Failed { at, .. }) => *at,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(kind: Kind, name: &str) -> Child {
        Child {
            kind,
            name: name.to_owned(),
        }
    }

    fn live(facts: Facts) -> Live {
        Live {
            resource_version: String::new(),
            ours: None,
            facts,
        }
    }

    fn at(second: i64) -> Option<Timestamp> {
        Some(Timestamp::from_second(second).unwrap())
    }

    fn complete(second: i64) -> Facts {
        let message = String::new();
        Facts::Job(JobFacts::Complete {
            at: at(second),
            message,
        })
    }

    fn failed(second: i64) -> Facts {
        let message = String::new();
        Facts::Job(JobFacts::Failed {
            at: at(second),
            message,
        })
    }

    #[test]
    fn what_is_not_named_goes() {
        let all = [
            child(Kind::Ingress, "acme-api"),
            child(Kind::Service, "acme-api"),
        ];
        let there = all.clone().map(|child| (child, live(Facts::None))).into();
        let [ingress, service] = all;
        let named = [service].into();
        let none = BTreeSet::new();
        assert_eq!(superfluous(&there, &named, &none), [ingress]);
    }

    #[test]
    fn an_ingress_stays_while_the_route_in_its_place_cannot_be_made() {
        let ingress = child(Kind::Ingress, "acme-api");
        let there = [(ingress, live(Facts::None))].into();
        let unknown = [Kind::HTTPRoute].into();
        assert_eq!(superfluous(&there, &BTreeSet::new(), &unknown), []);
    }

    #[test]
    fn a_migration_that_ended_after_the_one_that_is_named_is_old_all_the_same() {
        let jobs = [("named", complete(10)), ("other", complete(20))];
        let there = jobs.map(|(name, facts)| (child(Kind::Job, name), live(facts)));
        let named = [child(Kind::Job, "named")].into();
        let gone = superfluous(&there.into(), &named, &BTreeSet::new());
        assert_eq!(gone, [child(Kind::Job, "other")]);
    }

    #[test]
    fn of_old_migrations_the_last_of_each_kind_stays() {
        let there = [
            ("current", complete(50)),
            ("old", complete(40)),
            ("broken", failed(30)),
            ("older", complete(20)),
            ("long-broken", failed(10)),
            ("under-way", Facts::Job(JobFacts::Unfinished)),
        ];
        let there = there.map(|(name, facts)| (child(Kind::Job, name), live(facts)));
        let named = [child(Kind::Job, "current")].into();
        let gone = superfluous(&there.into(), &named, &BTreeSet::new());
        let names: Vec<_> = gone.iter().map(|child| child.name.as_str()).collect();
        assert_eq!(names, ["long-broken", "old", "older"]);
    }
}
