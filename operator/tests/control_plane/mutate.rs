//! A system that was changed many times, in any order, is what a new one of the same specification is.

use crate::kubelet::Kubelet;
use crate::plane::in_rooms;
use crate::process::Process;
use crate::room::Room;
use crate::state::{State, state, until_same};
use operator::crd::ChatSystemSpec;
use serde_json::{Value, json};

/// Changes of one seed, and after how many of them all is compared.
const CHANGES: usize = 48;
const COMPARED: usize = 8;
const SEED: u64 = 0x0c4a_7000_5eed_0001;

/// Changes as people make them; null is what it is by default.
fn mutations() -> Vec<Value> {
    let api = |api: Value| json!({ "api": api });
    let pods = |pods: Value| json!({ "podTemplate": pods });
    let role = |role: &str, worker: Value| json!({ "workers": { role: worker } });
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
        json!({ "reconciliation": { "schedule": "*/5 * * * *", "suspend": true } }),
        json!({ "reconciliation": null }),
        json!({ "audit": { "suspend": true } }),
        json!({ "audit": null }),
        json!({ "exposure": { "type": "None", "host": null, "ingress": null } }),
        json!({ "exposure": { "type": "Ingress", "host": "a.example.com" } }),
        json!({ "exposure": { "type": "Ingress", "host": "b.example.com",
            "ingress": { "className": "x", "tlsSecretName": "t", "annotations": { "a": "b" } } } }),
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
        json!({ "exposure": { "type": "HTTPRoute", "httpRoute": null } }),
        json!({ "dataPrefix": "other" }),
        api(json!({ "replicas": -1 })),
    ]
}

/// The next of a row of numbers that looks random (xorshift).
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap()
}

#[test]
fn a_system_that_was_changed_many_times_is_as_a_new_one() {
    in_rooms(async |rooms| {
        let walk = async |room: Room| {
            let _kubelet = Kubelet::start(&room.admin, &room.namespace);
            let _operator = Process::start(&room);
            room.install(|_| ()).await;
            let mutations = mutations();
            let mut random = SEED;
            let mut made = Vec::new();
            for number in 1..=CHANGES {
                let change = &mutations[next(&mut random) % mutations.len()];
                if room.try_merge(json!({ "spec": change })).await.is_ok() {
                    made.push(change.clone());
                }
                // Not after each: some come while the one before is under way.
                if number % COMPARED == 0 {
                    let spec = room.system().await.spec;
                    let expected = rooms.with(|room| fresh(room, spec)).await;
                    until(&room, &expected, &made).await;
                }
            }
        };
        rooms.with(walk).await;
    });
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
