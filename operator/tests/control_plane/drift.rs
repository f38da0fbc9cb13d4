//! What somebody changed or removed comes back, and what a system does not consist of any more goes.

use crate::kinds;
use crate::kubelet::Kubelet;
use crate::plane::{DEFAULT_CLASS, eventually, in_a_namespace, in_rooms, named};
use crate::process::Process;
use crate::room::Room;
use crate::state::{State, state, until_same};
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::ResourceExt;
use kube::api::{
    DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams,
};
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
        Kind::HTTPRoute => json!({ "spec": { "hostnames": ["other.example.com"] } }),
        Kind::PodMonitor => json!({ "spec": { "podMetricsEndpoints": [] } }),
    })
}

/// Every child.
async fn children(room: &Room) -> Vec<(Kind, Api<DynamicObject>, DynamicObject)> {
    let mut children = Vec::new();
    for kind in Kind::ALL {
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

/// With a child of each kind but the HTTPRoute, in whose place there is an Ingress.
async fn install_all(room: &Room) {
    room.install(|system| {
        system.spec.api.autoscaling = serde_json::from_value(autoscaling()).unwrap();
        system.spec.monitoring.pod_monitor.enabled = true;
    })
    .await;
    room.until_ready().await;
}

/// Puts the HTTPRoute in place of the Ingress.
async fn route(room: &Room) {
    let exposure =
        json!({ "type": "HTTPRoute", "httpRoute": { "parentRefs": [{ "name": "public" }] } });
    room.merge(json!({ "spec": { "exposure": exposure } }))
        .await;
    eventually("there is a route in place of the Ingress", async || {
        let now = state(room).await;
        let is_there = |name: &str| now.contains_key(name);
        (is_there("HTTPRoute acme-api") && !is_there("Ingress acme-api")).then_some(())
    })
    .await;
    room.until_ready().await;
}

#[test]
fn every_child_that_is_changed_or_removed_is_mended() {
    in_rooms(async |rooms| {
        kinds::known(&rooms).await;
        let mended = async |room: Room| {
            let _kubelet = Kubelet::start(&room.admin, &room.namespace);
            let _operator = Process::start(&room);
            install_all(&room).await;
            let mut tried = BTreeSet::new();
            mend(&room, &mut tried).await;
            route(&room).await;
            mend(&room, &mut tried).await;
            let kinds: BTreeSet<_> = tried.iter().map(|(kind, _)| *kind).collect();
            assert_eq!(kinds.len(), Kind::ALL.len());
        };
        rooms.with(mended).await;
    });
}

/// Every child that was not tried before.
async fn mend(room: &Room, tried: &mut BTreeSet<(Kind, String)>) {
    let before = state(room).await;
    let label = json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": null } } });
    // What is not watched is seen by the next pass.
    let look = async |kind: Kind| {
        if Kind::OPTIONAL.contains(&kind) {
            room.poke().await;
        }
    };
    for (kind, api, object) in children(room).await {
        let name = object.name_any();
        if !tried.insert((kind, name.clone())) {
            continue;
        }
        let what = format!("{} {name}", kind.name());
        for change in meddling(kind).into_iter().chain([label.clone()]) {
            let params = PatchParams::default();
            api.patch(&name, &params, &Patch::Merge(&change))
                .await
                .unwrap();
            look(kind).await;
            until_it_is_as_before(room, &before, &format!("{what} is mended of {change}")).await;
        }
        api.delete(&name, &DeleteParams::background())
            .await
            .unwrap();
        look(kind).await;
        until_it_is_as_before(room, &before, &format!("{what} is made again")).await;
        room.until_ready().await;
    }
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
fn an_ingress_that_loses_its_class_gets_the_one_of_new_ones() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let operator = Process::start(&room);
        room.install(|_| ()).await;
        // Its class, its host, and who it is.
        let ingress = async || {
            let ingress = room.api::<Ingress>().get("acme-api").await.ok()?;
            let spec = ingress.spec?;
            let host = spec.rules?.pop()?.host?;
            Some((spec.ingress_class_name?, host, ingress.metadata.uid?))
        };
        let has = async |class: &str, host: &str| {
            eventually(
                &format!("its class is {class}, its host {host}"),
                async || {
                    ingress()
                        .await
                        .filter(|now| (now.0.as_str(), now.1.as_str()) == (class, host))
                },
            )
            .await
        };
        let expose = async |exposure: Value| {
            room.merge(json!({ "spec": { "exposure": exposure } }))
                .await
        };
        let host = "chat.example.com";
        let (.., first) = has(DEFAULT_CLASS, host).await;
        expose(json!({ "ingress": { "className": "other" } })).await;
        let (.., other) = has("other", host).await;
        assert_eq!(other, first, "a class can be given to one that is there");
        expose(json!({ "ingress": null })).await;
        let (.., again) = has(DEFAULT_CLASS, host).await;
        // What the cluster gave stays, whoever looks.
        drop(operator);
        let _operator = Process::start(&room);
        expose(json!({ "host": "b.example.com" })).await;
        let (.., last) = has(DEFAULT_CLASS, "b.example.com").await;
        assert_eq!(last, again, "it was made again without need");
    });
}

#[test]
fn what_another_version_of_the_operator_has_left_goes() {
    in_rooms(async |rooms| {
        kinds::known(&rooms).await;
        let gone = async |room: Room| {
            let _kubelet = Kubelet::start(&room.admin, &room.namespace);
            let _operator = Process::start(&room);
            install_all(&room).await;
            let mut children_of_both = children(&room).await;
            route(&room).await;
            children_of_both.extend(children(&room).await);
            let before = state(&room).await;
            let mut left = BTreeSet::new();
            for (kind, api, object) in children_of_both {
                // Migrations are kept to be looked at.
                if kind != Kind::Job && left.insert(kind) {
                    leave(kind, &api, object).await;
                }
            }
            assert_eq!(left.len(), Kind::ALL.len() - 1);
            // Not all of them are watched.
            room.poke().await;
            until_it_is_as_before(&room, &before, "what it does not consist of is gone").await;
        };
        rooms.with(gone).await;
    });
}

/// Makes another one like it.
async fn leave(kind: Kind, api: &Api<DynamicObject>, mut object: DynamicObject) {
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
