//! Kinds that not every cluster knows: whether this one does, and the children of such a kind. Asked each time a
//! system is looked after, because they are not watched.

use super::live::{self, Child, Facts, Live};
use crate::build::ours_of;
use crate::kinds::Kind;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::Mutex;

/// A kind that was installed or removed is noticed after so long.
const BELIEVED: SignedDuration = SignedDuration::from_secs(60);

/// Which of them the cluster knows.
#[derive(Default)]
pub struct Discovery(Mutex<Option<(Timestamp, BTreeSet<Kind>)>>);

impl Discovery {
    pub async fn known(
        &self,
        client: &Client,
        now: Timestamp,
    ) -> Result<BTreeSet<Kind>, kube::Error> {
        let mut known = self.0.lock().await;
        if let Some((asked, known)) = &*known
            && now.duration_since(*asked) < BELIEVED
        {
            return Ok(known.clone());
        }
        let mut found = BTreeSet::new();
        for kind in Kind::OPTIONAL {
            if knows(client, kind).await? {
                found.insert(kind);
            }
        }
        *known = Some((now, found.clone()));
        Ok(found)
    }
}

async fn knows(client: &Client, kind: Kind) -> Result<bool, kube::Error> {
    match client.list_api_group_resources(&kind.api_version()).await {
        Ok(list) => Ok(list
            .resources
            .iter()
            .any(|resource| resource.kind == kind.name())),
        // A group that nobody serves is answered in plain text.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}

/// Those that belong to this ChatSystem.
pub async fn children(
    client: &Client,
    kinds: &BTreeSet<Kind>,
    namespace: &str,
    name: &str,
    uid: &str,
) -> Result<BTreeMap<Child, Live>, kube::Error> {
    let labels = ours_of(name);
    let mut children = BTreeMap::new();
    for &kind in kinds {
        let api: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), namespace, &kind.resource());
        for object in api
            .list_metadata(&ListParams::default().labels(&labels))
            .await?
        {
            let meta = object.metadata;
            if live::owner(&meta).is_some_and(|owner| owner.uid == uid) {
                let name = meta.name.clone().unwrap_or_default();
                children.insert(Child { kind, name }, live::live(&meta, Facts::None));
            }
        }
    }
    Ok(children)
}
