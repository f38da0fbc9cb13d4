//! The program itself: one of several acts, another takes over, and it ends in order.

use crate::kubelet::Kubelet;
use crate::plane::{eventually, in_a_namespace, log};
use crate::room::Room;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Patch, PatchParams};
use kube::config::Kubeconfig;
use serde_json::json;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    admin: String,
    kubeconfig: PathBuf,
}

impl Program {
    fn start(room: &Room, identity: &str) -> Self {
        Self::of(env!("CARGO_BIN_EXE_chat-operator"), room, identity)
    }

    /// One that is built in another way.
    pub(crate) fn of(program: &str, room: &Room, identity: &str) -> Self {
        // Beside the one it is made of, which goes with the control plane.
        let path =
            Path::new(&room.kubeconfig).with_file_name(format!("{}-{identity}", room.namespace));
        let mut config = Kubeconfig::read_from(&room.kubeconfig).unwrap();
        config.current_context = Some("operator".to_owned());
        std::fs::write(&path, serde_json::to_string(&config).unwrap()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let listen = format!("127.0.0.1:{port}");
        let child = Command::new(program)
            .args(["run", "--identity", identity, "--listen", &listen])
            .args([
                "--namespace",
                &room.namespace,
                "--watch-namespaces",
                &room.namespace,
            ])
            .env("KUBECONFIG", &path)
            .env("CHAT_LOG", log())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            admin: format!("http://{listen}"),
            kubeconfig: path,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Status and body.
    pub(crate) async fn get(&self, path: &str) -> Option<(u16, String)> {
        let answer = reqwest::get(format!("{}{path}", self.admin)).await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    pub(crate) async fn until_it_says(&self, path: &str, wanted: &str) {
        eventually(&format!("{path} says {wanted}"), async || {
            let (status, text) = self.get(path).await?;
            (status == 200 && text.contains(wanted)).then_some(())
        })
        .await;
    }

    fn terminate(&self) {
        let asked = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(asked.unwrap().success());
    }

    async fn ended(&mut self) -> ExitStatus {
        let child = std::cell::RefCell::new(&mut self.child);
        eventually("it ends", async || child.borrow_mut().try_wait().unwrap()).await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}

async fn until_held_by(room: &Room, identity: &str) {
    eventually(&format!("{identity} holds the Lease"), async || {
        let lease = room
            .api::<Lease>()
            .get_opt("chat-operator")
            .await
            .unwrap()?;
        (lease.spec?.holder_identity? == identity).then_some(())
    })
    .await;
}

/// As the controller of CronJobs would say it.
async fn ended_well(room: &Room, cron_job: &str, at: &str) {
    let status = Patch::Merge(json!({ "status": { "lastSuccessfulTime": at } }));
    let params = PatchParams::default();
    let cron_jobs = room.api::<CronJob>();
    cron_jobs
        .patch_status(cron_job, &params, &status)
        .await
        .unwrap();
}

#[test]
fn one_acts_and_another_takes_over_when_it_ends() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let mut first = Program::start(&room, "first");
        first
            .until_it_says("/metrics", "chat_operator_leader 1")
            .await;
        until_held_by(&room, "first").await;
        let second = Program::start(&room, "second");
        second.until_it_says("/readyz", "ready").await;
        second
            .until_it_says("/metrics", "chat_operator_leader 0")
            .await;
        first.until_it_says("/readyz", "ready").await;
        first.until_it_says("/livez", "ok").await;

        room.install(|_| ()).await;
        room.until_settled().await;
        let ready = format!(
            "chat_operator_condition{{chatsystem=\"acme\",namespace=\"{}\",type=\"Ready\"}} 1",
            room.namespace
        );
        first.until_it_says("/metrics", &ready).await;
        ended_well(&room, "acme-reconcile", "2026-01-01T00:01:00Z").await;
        ended_well(&room, "acme-audit", "2026-01-01T00:02:00Z").await;
        for (job, seconds) in [("reconciliation", 1_767_225_660), ("audit", 1_767_225_720)] {
            let last = format!(
                "chat_operator_{job}_last_success_timestamp_seconds{{chatsystem=\"acme\",namespace=\"{}\"}} {seconds}",
                room.namespace
            );
            first.until_it_says("/metrics", &last).await;
        }

        first.terminate();
        let ended = first.ended().await;
        assert!(ended.success(), "{ended}");
        until_held_by(&room, "second").await;
        room.merge(json!({ "spec": { "version": "0.2.0" } })).await;
        room.until_settled().await;

        // Without a word: its Lease has to run out.
        drop(second);
        let _third = Program::start(&room, "third");
        until_held_by(&room, "third").await;
        room.merge(json!({ "spec": { "version": "0.1.0" } })).await;
        room.until_settled().await;
    });
}
