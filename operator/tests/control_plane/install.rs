//! From ten lines to everything, and the ways in which that can begin.

use crate::kubelet::Kubelet;
use crate::plane::{eventually, in_a_namespace};
use crate::process::Process;
use crate::room::Room;
use crate::state::{remove, state};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

#[test]
fn ten_lines_become_a_system_that_is_ready() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.install(|_| ()).await;
        room.until_ready().await;
        let state = state(&room).await;
        let names: Vec<_> = state.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "ConfigMap acme-config",
                "CronJob acme-audit",
                "CronJob acme-reconcile",
                "Deployment acme-api",
                "Deployment acme-worker-chats",
                "Deployment acme-worker-indexing",
                "Deployment acme-worker-messages",
                "Ingress acme-api",
                "Job migration",
                "NetworkPolicy acme-api",
                "NetworkPolicy acme-pods",
                "PodDisruptionBudget acme-api",
                "PodDisruptionBudget acme-worker-chats",
                "PodDisruptionBudget acme-worker-indexing",
                "PodDisruptionBudget acme-worker-messages",
                "Service acme-api",
                "ServiceAccount acme-api",
                "ServiceAccount acme-worker",
            ]
        );
        assert_eq!(state["Deployment acme-api"]["spec"]["replicas"], 2);
        let status = room.system().await.status.unwrap();
        assert_eq!(status.version.as_deref(), Some("0.1.0"));
        assert_eq!(status.worker_replicas, Some(3));
        assert_eq!(status.api.unwrap().ready_replicas, 2);
    });
}

#[test]
fn nothing_that_reads_tables_is_made_before_they_are_there() {
    in_a_namespace(async |room| {
        let kubelet = Kubelet::start(&room.admin, &room.namespace);
        kubelet.fail_jobs(true);
        let _operator = Process::start(&room);
        room.install(|_| ()).await;
        room.until("MigrationsApplied", "MigrationFailed").await;
        let state = state(&room).await;
        let made = |name: &str| state.contains_key(name);
        assert!(
            made("Deployment acme-api"),
            "it is not ready until there are tables"
        );
        for name in ["Deployment acme-worker-chats", "CronJob acme-reconcile"] {
            assert!(!made(name), "{name}");
        }
    });
}

#[test]
fn a_missing_secret_is_told_and_its_arrival_is_noticed() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.delete_secret("acme-redis").await;
        room.install(|_| ()).await;
        room.until("Ready", "SecretNotFound").await;
        let told = room.event("SecretNotFound").await;
        assert_eq!(told.type_.as_deref(), Some("Warning"));
        let note = told.note.unwrap();
        assert!(note.contains("spec.redis.urlSecretRef.name"), "{note}");
        assert_eq!(state(&room).await.len(), 0, "nothing is made of it");
        for _ in 0..3 {
            let before = passes(&room);
            room.poke().await;
            eventually("it looks again", async || {
                (passes(&room) > before).then_some(())
            })
            .await;
        }
        let told = room.events("SecretNotFound").await;
        assert_eq!(told.len(), 1, "it is told once: {told:?}");

        room.put_secret("acme-redis", "1").await;
        // Instead of waiting for the minute after which Secrets are read again.
        room.poke().await;
        room.until_ready().await;
    });
}

/// How often the operator has looked for the Secret that is missing.
fn passes(room: &Room) -> usize {
    let requests = room.requests();
    let looks = requests
        .iter()
        .filter(|request| request.name == "acme-redis");
    looks.count()
}

#[test]
fn one_that_cannot_be_read_is_told_and_looked_after_once_it_can() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        room.install(|_| ()).await;
        let systems = room.dynamic("chatsystem.io/v1alpha1", "ChatSystem", "chatsystems");
        let set_conditions = async |conditions: Value| {
            let patch = Patch::Merge(json!({ "status": { "conditions": conditions } }));
            let params = PatchParams::default();
            systems.patch_status("acme", &params, &patch).await.unwrap();
        };
        // The API server takes it for a time.
        let condition = json!({
            "type": "Ready", "status": "True", "reason": "AllReady", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00+99:99",
        });
        set_conditions(json!([condition])).await;
        let _operator = Process::start(&room);
        let told = room.event("Unreadable").await;
        assert_eq!(told.type_.as_deref(), Some("Warning"));
        assert_eq!(state(&room).await.len(), 0, "nothing is made of it");

        set_conditions(Value::Null).await;
        room.poke().await;
        room.until_ready().await;
    });
}

#[test]
fn what_runs_goes_on_while_a_secret_is_missing() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.install(|_| ()).await;
        room.until_ready().await;
        let before = state(&room).await;
        room.delete_secret("acme-redis").await;
        room.merge(json!({ "spec": { "version": "0.2.0" } })).await;
        room.until("Ready", "SecretNotFound").await;
        assert_eq!(state(&room).await, before);
    });
}

#[test]
fn what_the_api_server_refuses_of_a_child_is_told_and_the_rest_goes_on() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.install(|_| ()).await;
        room.until_ready().await;
        let before = state(&room).await;
        let audit = |schedule: &str| json!({ "spec": { "audit": { "schedule": schedule } } });
        // It ends before it begins, which no rule of the definition finds.
        room.merge(audit("30-10 * * * *")).await;
        room.until("Ready", "ApplyRefused").await;
        room.until("Progressing", "ApplyRefused").await;
        let told = room.event("ApplyRefused").await.note.unwrap();
        assert!(told.contains("CronJob acme-audit"), "{told}");
        assert_eq!(state(&room).await, before);

        room.merge(audit("10-30 * * * *")).await;
        room.until_ready().await;
        let now = state(&room).await;
        assert_eq!(
            now["CronJob acme-audit"]["spec"]["schedule"],
            "10-30 * * * *"
        );
    });
}

#[test]
fn a_paused_system_is_not_touched() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.install(|system| system.spec.paused = true).await;
        room.until("Ready", "Paused").await;
        assert_eq!(
            state(&room).await.len(),
            0,
            "before the first installation nothing is made"
        );
        room.merge(json!({ "spec": { "paused": false } })).await;
        room.until_ready().await;

        let before = state(&room).await;
        room.merge(json!({ "spec": { "paused": true, "version": "0.2.0" } }))
            .await;
        room.until("Progressing", "Paused").await;
        assert_eq!(state(&room).await, before);
        let workers = json!({ "messages": { "autoscaling": { "minReplicas": 3 } } });
        room.merge(json!({ "spec": { "workers": workers } })).await;
        room.until_workers_of_messages(3).await;
    });
}

#[test]
fn what_goes_with_its_system_is_made_again_with_it() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.install(|_| ()).await;
        room.until_ready().await;
        let before = state(&room).await;
        let uid = room.system().await.uid();
        remove(&room).await;
        room.install(|_| ()).await;
        room.until_ready().await;
        assert_ne!(room.system().await.uid(), uid);
        assert_eq!(state(&room).await, before);
    });
}
