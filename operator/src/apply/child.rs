//! One child: whether it has to be written, and writing it.

use super::{Applying, Failed};
use crate::build::MANAGER;
use crate::kinds::Kind;
use crate::observe::live::{self, Child, Live};
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The annotation that says what was applied last, as a checksum. Not of a pod template, so it rolls nothing.
pub const APPLIED_HASH: &str = "chatsystem.io/applied-hash";

/// What an apply returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub(super) hash: String,
    /// Which fields were ours then.
    pub(super) ours: Option<u64>,
    /// The resourceVersion that was known before: as long as that is all that is known, it is too old to compare.
    pub(super) before: Option<String>,
}

/// A child as it should be.
pub(super) struct Wanted {
    pub(super) child: Child,
    hash: String,
    document: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    AsItWas,
    Changed,
    /// Nothing was written.
    UnknownKind(Kind),
}

impl Wanted {
    pub(super) fn new(object: &impl Serialize) -> Self {
        let mut document = serde_json::to_value(object).expect("objects have a JSON form");
        let digest = Sha256::digest(document.to_string());
        let hash: String = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        document["metadata"]["annotations"][APPLIED_HASH] = hash.clone().into();
        Self {
            child: Child::of(&document),
            hash,
            document,
        }
    }

    /// Whether it has to be written. After a start everything is, once, which changes nothing where nothing has to
    /// change: only then is it known which fields are ours.
    fn is_needed(&self, live: Option<&Live>, applied: Option<&Applied>) -> bool {
        let (Some(live), Some(applied)) = (live, applied) else {
            return true;
        };
        if applied.hash != self.hash {
            return true;
        }
        if applied.before.as_deref() == Some(&live.resource_version) {
            return false;
        }
        live.ours != applied.ours
    }
}

impl Applying<'_> {
    pub(super) fn is_needed(&self, wanted: &Wanted) -> bool {
        let child = &wanted.child;
        wanted.is_needed(self.live.get(child), self.applied.get(child))
    }

    /// As it is now, not as it is remembered.
    pub(super) async fn has_class_of_ours(&self, ingress: &Child) -> Result<bool, Failed> {
        let found = self.api(ingress.kind).get_metadata_opt(&ingress.name).await;
        let found = found.map_err(|error| Failed {
            child: ingress.clone(),
            error,
        })?;
        Ok(found.is_some_and(|found| live::has_class_of_ours(&found.metadata)))
    }

    pub(super) async fn put(&mut self, wanted: Wanted) -> Result<Outcome, Failed> {
        let kind = wanted.child.kind;
        if Kind::OPTIONAL.contains(&kind) && !self.known.contains(&kind) {
            return Ok(Outcome::UnknownKind(kind));
        }
        if !self.is_needed(&wanted) {
            return Ok(Outcome::AsItWas);
        }
        let live = self.live.get(&wanted.child);
        let api = self.api(kind);
        let params = PatchParams::apply(MANAGER).force();
        let patch = Patch::Apply(&wanted.document);
        let answer = api
            .patch_metadata(&wanted.child.name, &params, &patch)
            .await;
        let meta = match answer {
            Ok(object) => object.metadata,
            Err(error) => {
                return Err(Failed {
                    child: wanted.child,
                    error,
                });
            }
        };
        let before = live.map(|live| live.resource_version.clone());
        let outcome = match before == meta.resource_version {
            true => Outcome::AsItWas,
            false => Outcome::Changed,
        };
        if outcome == Outcome::Changed {
            let name = &wanted.child.name;
            tracing::info!(
                namespace = self.namespace,
                kind = kind.name(),
                name,
                "applied"
            );
        }
        let applied = Applied {
            hash: wanted.hash,
            ours: live::ours(&meta),
            before: before.filter(|_| outcome == Outcome::Changed),
        };
        self.applied.insert(wanted.child, applied);
        Ok(outcome)
    }

    pub(super) fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), self.namespace, &kind.resource())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::live::Facts;
    use serde_json::json;

    fn wanted(value: &str) -> Wanted {
        Wanted::new(&json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": "acme-config", "labels": { "ours": "yes" } },
            "data": { "key": value },
        }))
    }

    /// As it is right after it was applied.
    fn live() -> Live {
        Live {
            resource_version: "20".to_owned(),
            ours: Some(7),
            facts: Facts::None,
        }
    }

    fn applied(wanted: &Wanted) -> Applied {
        Applied {
            hash: wanted.hash.clone(),
            ours: Some(7),
            before: Some("10".to_owned()),
        }
    }

    #[test]
    fn what_is_as_it_should_be_is_not_written() {
        let wanted = wanted("value");
        assert!(!wanted.is_needed(Some(&live()), Some(&applied(&wanted))));
    }

    #[test]
    fn what_is_missing_unknown_or_other_is_written() {
        let wanted = wanted("value");
        let (live, known) = (live(), applied(&wanted));
        assert!(wanted.is_needed(None, Some(&known)));
        assert!(wanted.is_needed(Some(&live), None), "after a start");
        let other = super::tests::wanted("other");
        assert!(other.is_needed(Some(&live), Some(&known)));
    }

    #[test]
    fn what_somebody_changed_is_written() {
        let wanted = wanted("value");
        let mut changed = live();
        changed.ours = Some(8);
        assert!(wanted.is_needed(Some(&changed), Some(&applied(&wanted))));
        let mut theirs = live();
        theirs.resource_version = "21".to_owned();
        let is_needed = wanted.is_needed(Some(&theirs), Some(&applied(&wanted)));
        assert!(!is_needed, "what others add is theirs");
    }

    #[test]
    fn what_is_not_seen_yet_is_not_written_twice() {
        let wanted = wanted("value");
        let mut behind = live();
        behind.resource_version = "10".to_owned();
        behind.ours = Some(6);
        assert!(!wanted.is_needed(Some(&behind), Some(&applied(&wanted))));
    }
}
