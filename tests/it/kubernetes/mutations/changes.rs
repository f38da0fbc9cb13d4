//! Changes as people make them, all of which two small nodes without a registry can carry out; null is what it is by default.

use crate::kubernetes::{NEXT_VERSION, VERSION};
use serde_json::{Value, json};

/// Those that replace no pod.
pub(super) fn quiet() -> Vec<Value> {
    let api = |api: Value| json!({ "api": api });
    let bounds =
        |role: &str, bounds: Value| json!({ "workers": { role: { "autoscaling": bounds } } });
    let everybody = json!([{ "ipBlock": { "cidr": "0.0.0.0/0" } }]);
    let peer = json!([{ "namespaceSelector": { "matchLabels": { "team": "chat" } } }]);
    vec![
        api(json!({ "replicas": 1 })),
        api(json!({ "replicas": 2 })),
        api(json!({ "autoscaling": { "minReplicas": 1, "maxReplicas": 2 } })),
        api(json!({ "autoscaling": null })),
        bounds("chats", json!({ "minReplicas": 2, "maxReplicas": 2 })),
        bounds("chats", Value::Null),
        bounds(
            "messages",
            json!({ "minReplicas": 1, "maxReplicas": 3, "backlogPerReplica": 50 }),
        ),
        bounds("messages", Value::Null),
        bounds("indexing", json!({ "scaleDownStabilizationSeconds": 10 })),
        bounds("indexing", Value::Null),
        json!({ "reconciliation": { "schedule": "*/5 * * * *", "suspend": true } }),
        json!({ "reconciliation": null }),
        json!({ "audit": { "suspend": true } }),
        json!({ "audit": null }),
        json!({ "exposure": { "type": "None", "host": null, "ingress": null } }),
        json!({ "exposure": { "type": "Ingress", "host": "a.example.com" } }),
        json!({ "exposure": { "type": "Ingress", "host": "b.example.com",
            "ingress": { "className": "x", "tlsSecretName": "t", "annotations": { "a": "b" } } } }),
        json!({ "networkPolicy": { "enabled": false } }),
        json!({ "networkPolicy": { "enabled": true, "apiFrom": everybody, "metricsFrom": peer } }),
        json!({ "networkPolicy": null }),
        json!({ "serviceAccount": { "annotations": { "role": "chat" } } }),
        json!({ "serviceAccount": null }),
    ]
}

/// Those that do.
pub(super) fn rolling() -> Vec<Value> {
    let api = |api: Value| json!({ "api": api });
    let pods = |pods: Value| json!({ "podTemplate": pods });
    let role = |role: &str, worker: Value| json!({ "workers": { role: worker } });
    let resources = json!({ "limits": { "memory": "400Mi" }, "requests": { "cpu": "20m" } });
    let env = json!([{ "name": "CHAT_LOG_FORMAT", "value": "json" }]);
    let toleration = json!([{ "key": "dedicated", "operator": "Exists" }]);
    let spread = json!([{ "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway" }]);
    vec![
        json!({ "version": VERSION }),
        json!({ "version": NEXT_VERSION }),
        json!({ "logLevel": "Debug" }),
        json!({ "logLevel": null }),
        json!({ "image": { "pullPolicy": "Never", "pullSecrets": [{ "name": "registry" }] } }),
        json!({ "image": null }),
        api(
            json!({ "trustedProxies": 1, "rateLimit": { "enabled": true, "requestsPerSecond": 5000, "createsPerSecond": 5000 } }),
        ),
        api(json!({ "trustedProxies": null, "rateLimit": { "enabled": false } })),
        api(json!({ "resources": resources })),
        api(json!({ "resources": null })),
        api(json!({ "env": env })),
        api(json!({ "env": null })),
        role("messages", json!({ "resources": resources, "env": env })),
        role("messages", json!({ "resources": null, "env": null })),
        role("chats", json!({ "env": env })),
        role("chats", Value::Null),
        pods(json!({ "labels": { "team": "a" }, "annotations": { "note": "b" } })),
        pods(json!({ "tolerations": toleration, "nodeSelector": { "kubernetes.io/os": "linux" } })),
        pods(json!({ "topologySpreadConstraints": spread })),
        pods(Value::Null),
    ]
}

/// Those that are refused: nothing comes of them.
pub(super) fn refused() -> Vec<Value> {
    let settings = |name: &str, value: &str| json!([{ "name": name, "value": value }]);
    vec![
        json!({ "exposure": { "type": "HTTPRoute", "httpRoute": null } }),
        json!({ "dataPrefix": "other" }),
        json!({ "numbering": { "mode": "MySQL" } }),
        json!({ "version": null }),
        json!({ "logLevel": "Loud" }),
        json!({ "api": { "replicas": -1 } }),
        json!({ "workers": { "messages": { "autoscaling": { "minReplicas": 9, "maxReplicas": 3 } } } }),
        json!({ "api": { "env": settings("CHAT_KEY_PREFIX", "mine") } }),
        json!({ "podTemplate": { "env": settings("CHAT_REDIS_URL", "mine") } }),
        json!({ "podTemplate": { "env": settings("CHAT_OTLP_ENDPOINT", "https://me:secret@collector:4318") } }),
        json!({ "podTemplate": { "labels": { "app.kubernetes.io/component": "mine" } } }),
        json!({ "audit": { "schedule": "99 99 * * *" } }),
    ]
}

/// Those that are taken, and that cannot work: the operator says so, and nothing comes of them either.
pub(super) fn mistakes() -> Vec<Value> {
    vec![
        json!({ "redis": { "urlSecretRef": { "name": "nobody" } } }),
        json!({ "mysql": { "urlSecretRef": { "key": "nothing" } } }),
    ]
}
