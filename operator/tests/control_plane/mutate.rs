//! A system that was changed many times, in any order, is what a new one of the same specification is.
//!
//! Several systems are changed at the same time, each by a seed of its own that follows from SEED; MUTATIONS says how many
//! changes there are in all.

use crate::kinds;
use crate::kubelet::Kubelet;
use crate::plane::{Rooms, chosen, in_rooms};
use crate::process::Process;
use crate::random::next;
use crate::room::Room;
use crate::state::{State, state, until_same};
use futures::FutureExt;
use futures::future::join_all;
use operator::crd::ChatSystemSpec;
use serde_json::{Value, json};
use std::panic::AssertUnwindSafe;

/// Unless somebody chooses others.
const MUTATIONS: usize = 300;
const SEED: u64 = 0x0c4a_7000_5eed_0001;
/// So many systems are changed, and each is compared after so many changes.
const SYSTEMS: u64 = 6;
const COMPARED: usize = 10;

/// Changes as people make them; null is what it is by default.
fn mutations() -> Vec<Value> {
    let api = |api: Value| json!({ "api": api });
    let pods = |pods: Value| json!({ "podTemplate": pods });
    let role = |role: &str, worker: Value| json!({ "workers": { role: worker } });
    let server = |server: &str, change: Value| json!({ server: change });
    let key = json!({ "name": "acme-elasticsearch", "key": "url" });
    let other_key = json!({ "urlSecretRef": { "key": "managementUrl" } });
    let url_key = json!({ "urlSecretRef": { "key": null } });
    let plaintext = json!({ "tls": { "mode": "Plaintext", "caSecretRef": null } });
    let authority = json!({ "tls": { "mode": "Verify", "caSecretRef": key } });
    let trusted = json!({ "tls": null });
    let exposure = |exposure: Value| json!({ "exposure": exposure });
    let route = json!({ "parentRefs": [{ "name": "public", "sectionName": "https" }] });
    let memory = json!({ "limits": { "memory": "1Gi" }, "requests": { "cpu": "50m" } });
    let env = json!([{ "name": "CHAT_LOG_FORMAT", "value": "json" }]);
    let toleration = json!([{ "key": "dedicated", "operator": "Exists" }]);
    let peer = json!([{ "namespaceSelector": { "matchLabels": { "team": "chat" } } }]);
    vec![
        json!({ "version": "0.1.0" }),
        json!({ "version": "0.2.0" }),
        json!({ "logLevel": "Debug" }),
        json!({ "logLevel": null }),
        json!({ "image": { "registry": "registry.example.com/chat", "pullPolicy": "Always" } }),
        json!({ "image": { "pullSecrets": [{ "name": "registry" }] } }),
        json!({ "image": null }),
        api(json!({ "replicas": 3 })),
        api(json!({ "replicas": 0 })),
        api(json!({ "replicas": null })),
        api(json!({ "autoscaling": { "minReplicas": 1, "maxReplicas": 4 } })),
        api(json!({ "autoscaling": null })),
        api(json!({ "trustedProxies": 2, "rateLimit": { "enabled": false } })),
        api(json!({ "trustedProxies": null, "rateLimit": null })),
        api(json!({ "resources": memory })),
        api(json!({ "resources": null })),
        api(json!({ "env": env })),
        api(json!({ "env": null })),
        role(
            "messages",
            json!({ "autoscaling": { "minReplicas": 2, "maxReplicas": 7 } }),
        ),
        role("messages", json!({ "resources": memory, "env": env })),
        role("messages", Value::Null),
        role(
            "chats",
            json!({ "autoscaling": { "minReplicas": 3, "maxReplicas": 3 } }),
        ),
        role("chats", Value::Null),
        role(
            "indexing",
            json!({ "autoscaling": { "backlogPerReplica": 100 } }),
        ),
        role("indexing", Value::Null),
        json!({ "reconciliation": { "schedule": "*/5 * * * *", "suspend": true } }),
        json!({ "reconciliation": null }),
        json!({ "audit": { "suspend": true } }),
        json!({ "audit": null }),
        exposure(json!({ "type": "None", "host": null, "ingress": null, "httpRoute": null })),
        exposure(json!({ "type": "Ingress", "host": "a.example.com", "httpRoute": null })),
        exposure(
            json!({ "type": "Ingress", "host": "b.example.com", "httpRoute": null,
            "ingress": { "className": "x", "tlsSecretName": "t", "annotations": { "a": "b" } } }),
        ),
        exposure(
            json!({ "type": "HTTPRoute", "host": "c.example.com", "ingress": null, "httpRoute": route }),
        ),
        json!({ "monitoring": { "podMonitor": { "enabled": true, "labels": { "release": "a" } } } }),
        json!({ "monitoring": null }),
        json!({ "paused": true }),
        json!({ "paused": false }),
        server("mysql", other_key.clone()),
        server("mysql", url_key.clone()),
        server("mysql", json!({ "migrationURLSecretRef": key })),
        server("mysql", json!({ "migrationURLSecretRef": null })),
        server("mysql", plaintext.clone()),
        server("mysql", authority.clone()),
        server("mysql", trusted.clone()),
        server("redis", other_key.clone()),
        server("redis", url_key.clone()),
        server("redis", plaintext.clone()),
        server("redis", authority.clone()),
        server("redis", trusted.clone()),
        server("rabbitmq", json!({ "managementURLSecretRef": key })),
        server(
            "rabbitmq",
            json!({ "managementURLSecretRef": { "name": "acme-rabbitmq", "key": "managementUrl" } }),
        ),
        server("rabbitmq", other_key.clone()),
        server("rabbitmq", url_key.clone()),
        server("rabbitmq", plaintext.clone()),
        server("rabbitmq", authority.clone()),
        server("rabbitmq", trusted.clone()),
        server("elasticsearch", other_key),
        server("elasticsearch", url_key),
        server("elasticsearch", plaintext),
        server("elasticsearch", authority),
        server("elasticsearch", trusted),
        api(json!({ "auth": { "adminKeySecretRef": key } })),
        api(json!({ "auth": null })),
        json!({ "networkPolicy": { "enabled": false } }),
        json!({ "networkPolicy": { "enabled": true, "apiFrom": peer, "metricsFrom": peer } }),
        json!({ "networkPolicy": null }),
        pods(json!({ "labels": { "team": "a" }, "annotations": { "note": "b" } })),
        pods(
            json!({ "tolerations": toleration, "nodeSelector": { "disk": "fast" }, "priorityClassName": "high" }),
        ),
        pods(json!({ "topologySpreadConstraints": [] })),
        pods(Value::Null),
        json!({ "serviceAccount": { "annotations": { "role": "chat" } } }),
        json!({ "serviceAccount": null }),
        // Some that are refused: nothing comes of them.
        exposure(json!({ "type": "HTTPRoute", "httpRoute": null })),
        api(json!({ "env": [{ "name": "CHAT_REDIS_URL", "value": "mine" }] })),
        json!({ "dataPrefix": "other" }),
        api(json!({ "replicas": -1 })),
    ]
}

#[test]
fn a_system_that_was_changed_many_times_is_as_a_new_one() {
    let (seed, mutations) = (chosen("SEED", SEED), chosen("MUTATIONS", MUTATIONS));
    let changes = mutations.div_ceil(usize::try_from(SYSTEMS).unwrap());
    in_rooms(async |rooms| {
        let rooms = &rooms;
        kinds::known(rooms).await;
        let walks = (0..SYSTEMS).map(|number| {
            let own = seed.wrapping_mul(2 * number + 1);
            let walk = rooms.with(move |room| walk(rooms, room, own, changes));
            AssertUnwindSafe(walk).catch_unwind()
        });
        // All of them, so that each cleans up.
        let walks = join_all(walks).await;
        let failed = walks.iter().filter(|walk| walk.is_err()).count();
        assert_eq!(
            failed, 0,
            "systems that differ, of SEED={seed} MUTATIONS={mutations}"
        );
    });
}

async fn walk(rooms: &Rooms, room: Room, seed: u64, changes: usize) {
    let _kubelet = Kubelet::start(&room.admin, &room.namespace);
    let _operator = Process::start(&room);
    room.install(|_| ()).await;
    let mutations = mutations();
    let mut random = seed;
    let mut made = Vec::new();
    for number in 1..=changes {
        let change = &mutations[next(&mut random) % mutations.len()];
        if room.try_merge(json!({ "spec": change })).await.is_ok() {
            made.push(change.clone());
        }
        // Not after each: some come while the one before is under way.
        if number % COMPARED == 0 || number == changes {
            // Of one that is paused nothing new comes.
            room.merge(json!({ "spec": { "paused": false } })).await;
            let spec = room.system().await.spec;
            let expected = rooms.with(|room| fresh(room, spec)).await;
            until(&room, &expected, &made).await;
        }
    }
}

async fn fresh(room: Room, spec: ChatSystemSpec) -> State {
    let _kubelet = Kubelet::start(&room.admin, &room.namespace);
    let _operator = Process::start(&room);
    room.install(|system| system.spec = spec).await;
    room.until_settled().await;
    without_replicas(state(&room).await)
}

/// How many pods there are follows from what was, within the bounds.
fn without_replicas(mut state: State) -> State {
    for (name, object) in &mut state {
        if name.starts_with("Deployment ") {
            let object = object.as_object_mut().unwrap();
            object.remove("status");
            object["spec"].as_object_mut().unwrap().remove("replicas");
        }
    }
    state
}

async fn until(room: &Room, expected: &State, made: &[Value]) {
    room.until_settled().await;
    let what = format!("it is not as a new one after {made:?}");
    until_same(room, expected, without_replicas, &what).await;
}
