//! What changes pods: another version, another password, a migration that fails.

use crate::kubelet::Kubelet;
use crate::plane::{eventually, in_a_namespace};
use crate::process::Process;
use crate::room::Room;
use crate::state::state;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use operator::build::CHECKSUM;
use serde_json::json;

pub(crate) async fn migrations(room: &Room) -> Vec<String> {
    let jobs = room
        .api::<Job>()
        .list(&ListParams::default())
        .await
        .unwrap();
    jobs.iter().map(ResourceExt::name_any).collect()
}

async fn images(room: &Room) -> Vec<String> {
    let deployments = room
        .api::<Deployment>()
        .list(&ListParams::default())
        .await
        .unwrap();
    let image = |deployment: Deployment| {
        let pod = deployment.spec.unwrap().template.spec.unwrap();
        let image = pod.containers[0].image.clone().unwrap();
        image.rsplit_once(':').unwrap().1.to_owned()
    };
    deployments.into_iter().map(image).collect()
}

#[test]
fn a_rotated_password_rolls_the_pods_and_one_of_the_database_migrates() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.install(|_| ()).await;
        room.until_ready().await;
        let (before, jobs) = (
            room.checksum("acme-api", CHECKSUM).await,
            migrations(&room).await,
        );

        room.put_secret("acme-redis", "2").await;
        room.poke().await;
        let rolled = async |before: &str| {
            let now = room.checksum("acme-api", CHECKSUM).await;
            (now != before).then_some(now)
        };
        let after = eventually("the API is rolled", async || rolled(&before).await).await;
        assert_eq!(
            migrations(&room).await,
            jobs,
            "a migration has nothing to do with Redis"
        );

        room.put_secret("acme-mysql", "2").await;
        room.poke().await;
        eventually("the API is rolled", async || rolled(&after).await).await;
        room.until_ready().await;
        eventually("only the new migration is kept", async || {
            let now = migrations(&room).await;
            (now.len() == 1 && now != jobs).then_some(())
        })
        .await;
    });
}

#[test]
fn a_new_version_reaches_the_workers_before_the_api() {
    in_a_namespace(async |room| {
        let kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.install(|_| ()).await;
        room.until_ready().await;

        kubelet.hold_pods(true);
        room.merge(json!({ "spec": { "version": "0.2.0" } })).await;
        let workers_first = ["0.1.0", "0.2.0", "0.2.0", "0.2.0"];
        eventually("the workers' templates are new", async || {
            (images(&room).await == workers_first).then_some(())
        })
        .await;
        room.until("Progressing", "RollingOut").await;
        room.poke().await;
        room.until("Progressing", "RollingOut").await;
        assert_eq!(images(&room).await, workers_first);
        assert_eq!(
            room.system().await.status.unwrap().version.as_deref(),
            Some("0.1.0")
        );

        kubelet.hold_pods(false);
        room.poke_deployments().await;
        room.until_ready().await;
        assert_eq!(images(&room).await, ["0.2.0"; 4]);
        assert_eq!(
            room.system().await.status.unwrap().version.as_deref(),
            Some("0.2.0")
        );
    });
}

/// A pod of the API, which Kubernetes finds no place for.
async fn pod_without_a_place(room: &Room) {
    let deployment = room.api::<Deployment>().get("acme-api").await.unwrap();
    let template = deployment.spec.unwrap().template;
    let pod = Pod {
        metadata: ObjectMeta {
            name: Some("acme-api-5d4f8-x2b7k".to_owned()),
            ..template.metadata.unwrap()
        },
        spec: template.spec,
        status: None,
    };
    let pods = room.api::<Pod>();
    pods.create(&PostParams::default(), &pod).await.unwrap();
    let status = json!({ "status": { "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node is left",
    }] } });
    let name = pod.metadata.name.unwrap();
    let params = PatchParams::default();
    pods.patch_status(&name, &params, &Patch::Merge(&status))
        .await
        .unwrap();
}

#[test]
fn what_is_wrong_with_new_pods_is_told_while_the_old_ones_work() {
    in_a_namespace(async |room| {
        let kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.install(|_| ()).await;
        room.until_ready().await;
        room.until("BackendsReady", "AllReachable").await;

        kubelet.hold_pods(true);
        room.merge(json!({ "spec": { "version": "0.2.0" } })).await;
        pod_without_a_place(&room).await;
        room.until("BackendsReady", "Unschedulable").await;
        room.until("Ready", "AllReady").await;
    });
}

#[test]
fn a_migration_that_fails_stops_the_rollout_and_what_runs_stays() {
    in_a_namespace(async |room| {
        let kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.install(|_| ()).await;
        room.until_ready().await;
        let before = state(&room).await;

        kubelet.fail_jobs(true);
        room.merge(json!({ "spec": { "version": "0.2.0" } })).await;
        room.until("MigrationsApplied", "MigrationFailed").await;
        room.until("Progressing", "MigrationFailed").await;
        assert_eq!(images(&room).await, ["0.1.0"; 4]);

        kubelet.fail_jobs(false);
        room.merge(json!({ "spec": { "version": "0.1.0" } })).await;
        room.until_ready().await;
        let mut after = state(&room).await;
        // The failed one is kept to be looked at.
        after.insert("Job migration".to_owned(), before["Job migration"].clone());
        assert_eq!(after, before);
    });
}
