//! In which changes the operator dies, and how: its container is killed right after a write that was seen.

use crate::kubernetes::{NEXT_VERSION, VERSION};
use e2e::kubernetes::System;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Scene {
    Install,
    Upgrade,
    Scaling,
    Settings,
}

pub(super) const SCENES: [Scene; 4] = [
    Scene::Install,
    Scene::Upgrade,
    Scene::Scaling,
    Scene::Settings,
];

impl Scene {
    /// There and back again, from what is described now.
    pub(super) fn change(self, spec: &Value) -> Value {
        let other = |now: &Value, one: Value, two: Value| match *now == one {
            true => two,
            false => one,
        };
        match self {
            Self::Install => json!({}),
            Self::Upgrade => {
                json!({ "version": other(&spec["version"], json!(NEXT_VERSION), json!(VERSION)) })
            }
            Self::Scaling => {
                let replicas = other(&spec["api"]["replicas"], json!(2), json!(1));
                let bounds = json!({ "minReplicas": replicas, "maxReplicas": 2 });
                json!({
                    "api": { "replicas": replicas, "autoscaling": null },
                    "workers": { "chats": { "autoscaling": bounds } },
                })
            }
            Self::Settings => json!({
                "logLevel": other(&spec["logLevel"], json!("Debug"), json!("Warn")),
                "api": { "trustedProxies": other(&spec["api"]["trustedProxies"], json!(1), json!(0)) },
                "audit": { "schedule": other(&spec["audit"]["schedule"], json!("1 4 * * *"), json!("2 5 * * *")) },
            }),
        }
    }
}

const OPERATOR: [&str; 2] = [
    "--namespace=chat-operator",
    "--selector=app.kubernetes.io/name=chat-operator",
];
/// Finds it first, so that the kill itself takes no time. Without a word nobody is killed.
const KNIFE: &str = "until pids=$(pgrep --exact chat-operator); do sleep 0.1; done; echo ready; read -r && kill -KILL $pids";

/// Ready to kill the operator, on the node where it runs.
pub(super) struct Knife {
    docker: Child,
}

impl Knife {
    pub(super) fn drawn(system: &System) -> Self {
        let path = "--output=jsonpath={.items[?(@.status.phase==\"Running\")].spec.nodeName}";
        let nodes = system.kubectl(&["get", "pods", OPERATOR[0], OPERATOR[1], path]);
        let node = nodes.split(' ').next_back().unwrap_or_default();
        let mut docker = Command::new("docker")
            .args(["exec", "--interactive", node, "bash", "-c", KNIFE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("docker can be started");
        let said = docker.stdout.take().expect("it is piped");
        let mut line = String::new();
        tokio::task::block_in_place(|| BufReader::new(said).read_line(&mut line))
            .expect("docker says what bash says");
        assert_eq!(line.trim(), "ready", "no operator runs on {node:?}");
        Self { docker }
    }

    /// `kill -9`.
    pub(super) fn falls(mut self) {
        let input = self.docker.stdin.as_mut().expect("it is piped");
        input.write_all(b"\n").expect("bash listens");
        let status = tokio::task::block_in_place(|| self.docker.wait());
        let status = status.expect("docker can be waited for");
        assert!(status.success(), "it was gone already: {status}");
    }
}

impl Drop for Knife {
    fn drop(&mut self) {
        self.docker.kill().ok();
        self.docker.wait().ok();
    }
}

/// A pod whose container dies again and again is started later and later. Another one has to wait for the Lease.
pub(super) fn replace_pod(system: &System) {
    let force = ["--grace-period=0", "--force", "--wait=false"];
    system.kubectl(&[
        "delete",
        "pod",
        OPERATOR[0],
        OPERATOR[1],
        force[0],
        force[1],
        force[2],
    ]);
}
