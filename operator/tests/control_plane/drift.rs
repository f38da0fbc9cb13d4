//! What somebody changed or removed comes back, and what a system does not consist of any more goes.

use crate::kubelet::Kubelet;
use crate::plane::{eventually, in_a_namespace, named};
use crate::process::Process;
use crate::room::Room;
use crate::state::{State, state, until_same};
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::ResourceExt;
use kube::api::{
    DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams,
};
use operator::crd::ChatSystem;
use operator::kinds::Kind;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A field of ours in each kind, and a value that is not ours.
fn meddling(kind: Kind) -> Option<Value> {
    Some(match kind {
        Kind::ServiceAccount => json!({ "automountServiceAccountToken": true }),
        Kind::ConfigMap => json!({ "data": { "CHAT_LOG": "trace" } }),
        Kind::NetworkPolicy => json!({ "spec": { "ingress": [] } }),
        Kind::Service => {
            json!({ "spec": { "selector": { "app.kubernetes.io/instance": "other" } } })
        }
        Kind::PodDisruptionBudget => json!({ "spec": { "maxUnavailable": 0 } }),
        Kind::Deployment => {
            let pod = json!({ "terminationGracePeriodSeconds": 45 });
            json!({ "spec": { "template": { "spec": pod } } })
        }
        Kind::HorizontalPodAutoscaler => json!({ "spec": { "maxReplicas": 99 } }),
        Kind::CronJob => json!({ "spec": { "schedule": "1 1 1 1 1" } }),
        Kind::Ingress => json!({ "spec": { "rules": [{ "host": "other.example.com" }] } }),
        // Its specification cannot be changed.
        Kind::Job => return None,
        Kind::HTTPRoute | Kind::PodMonitor => return None,
    })
}

/// Every child.
async fn children(room: &Room) -> Vec<(Kind, Api<DynamicObject>, DynamicObject)> {
    let mut children = Vec::new();
    for kind in Kind::ALL
        .into_iter()
        .filter(|kind| !Kind::OPTIONAL.contains(kind))
    {
        let resource = kind.resource();
        let api = room.dynamic(&resource.api_version, &resource.kind, &resource.plural);
        let ours = ListParams::default().labels("app.kubernetes.io/managed-by=chat-operator");
        for object in api.list(&ours).await.unwrap() {
            children.push((kind, api.clone(), object));
        }
    }
    children
}

async fn until_it_is_as_before(room: &Room, before: &State, what: &str) {
    until_same(room, before, |state| state, what).await;
}

fn autoscaling() -> Value {
    json!({ "minReplicas": 2, "maxReplicas": 5, "targetCPUUtilizationPercentage": 70 })
}

fn autoscaled(system: &mut ChatSystem) {
    system.spec.api.autoscaling = serde_json::from_value(autoscaling()).unwrap();
}

#[test]
fn every_child_that_is_changed_or_removed_is_mended() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.install(autoscaled).await;
        room.until_ready().await;
        let before = state(&room).await;
        let label = json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": null } } });
        for (kind, api, object) in children(&room).await {
            let name = object.name_any();
            let what = format!("{} {name}", kind.name());
            for change in meddling(kind).into_iter().chain([label.clone()]) {
                let params = PatchParams::default();
                api.patch(&name, &params, &Patch::Merge(&change))
                    .await
                    .unwrap();
                until_it_is_as_before(&room, &before, &format!("{what} is mended of {change}"))
                    .await;
            }
            api.delete(&name, &DeleteParams::background())
                .await
                .unwrap();
            until_it_is_as_before(&room, &before, &format!("{what} is made again")).await;
            room.until_ready().await;
        }
    });
}

#[test]
fn what_is_switched_off_goes_and_what_is_not_ours_stays() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.install(|_| ()).await;
        room.until_ready().await;
        let plain = state(&room).await;
        room.merge(json!({ "spec": { "api": { "autoscaling": autoscaling() } } }))
            .await;
        room.until_ready().await;
        eventually("there is an autoscaler", async || {
            state(&room)
                .await
                .contains_key("HorizontalPodAutoscaler acme-api")
                .then_some(())
        })
        .await;

        // Same labels, nobody's child.
        let ours = room.api::<Ingress>().get("acme-api").await.unwrap();
        let mut foreign = ours.clone();
        foreign.metadata = named("foreign");
        foreign.metadata.labels = ours.metadata.labels.clone();
        room.api::<Ingress>()
            .create(&PostParams::default(), &foreign)
            .await
            .unwrap();

        let off = json!({
            "exposure": { "type": "None", "host": null },
            "networkPolicy": { "enabled": false },
            "api": { "autoscaling": null },
        });
        room.merge(json!({ "spec": off })).await;
        room.until_ready().await;
        let gone = async || {
            let now = state(&room).await;
            let names: Vec<_> = now.keys().filter(|key| !plain.contains_key(*key)).collect();
            let gone = [
                "Ingress acme-api",
                "NetworkPolicy acme-api",
                "NetworkPolicy acme-pods",
            ];
            (names == ["Ingress foreign"] && gone.iter().all(|name| !now.contains_key(*name)))
                .then_some(())
        };
        eventually("what is not asked for is gone", gone).await;
    });
}

#[test]
fn what_another_version_of_the_operator_has_left_goes() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.install(autoscaled).await;
        room.until_ready().await;
        let before = state(&room).await;
        let mut left = BTreeSet::new();
        for (kind, api, mut object) in children(&room).await {
            // Migrations are kept to be looked at.
            if kind == Kind::Job || !left.insert(kind) {
                continue;
            }
            object.metadata = ObjectMeta {
                labels: object.metadata.labels,
                owner_references: object.metadata.owner_references,
                ..named("left")
            };
            // Which one has, no other can have.
            if kind == Kind::Service {
                object.data["spec"] = json!({ "ports": [{ "port": 80 }] });
            }
            api.create(&PostParams::default(), &object).await.unwrap();
        }
        assert_eq!(left.len(), Kind::ALL.len() - Kind::OPTIONAL.len() - 1);
        until_it_is_as_before(&room, &before, "what it does not consist of is gone").await;
    });
}
