//! What the API server remembers is lost and comes back from a backup, as the documentation of Kubernetes and of etcd says
//! it is done. What happened since is forgotten there and is the truth on the nodes; with clients on the system all the time.

use super::{CONTROL_PLANE, MORE, NEXT_VERSION, NODE_WITHOUT_SERVERS, Run, VERSION};
use e2e::checker::{Kind, Op, Outcome};
use e2e::eventually::eventually;
use e2e::kubernetes::{Children, SOON, System, docker};
use serde_json::{Value, json};
use std::time::Duration;

const NODES: [&str; 3] = [CONTROL_PLANE, "chatsystem-worker", NODE_WITHOUT_SERVERS];
const BACKUP: &str = "/var/lib/chatsystem-backup.db";
/// While they are here, kubelet runs none of the control plane's pods.
const AWAY: &str = "/var/lib/chatsystem-manifests";
const MANIFESTS: &str = "/etc/kubernetes/manifests";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the cluster of `make e2e-long`"]
async fn a_cluster_that_is_restored_from_a_backup_breaks_no_promise() {
    let run = Run::begin().await;
    let before = Past::of(&run.system);
    back_up();
    run.say("etcd is backed up");
    run.the_system_changes().await;

    let control_plane = Stopped::now().await;
    let from = run.now();
    run.writers.accepted_more(MORE).await;
    run.next_to_none_failed(from);
    run.say("there is no API server, and nobody notices");
    restore();
    control_plane.starts(&run.system).await;
    run.say("the API server knows the past alone");

    before.comes_back(&run.system).await;
    run.say("the system is as it was when the backup was made");
    run.the_operator_acts().await;
    run.writers.accepted_more(MORE).await;
    let (failed, all) = run.failed(from);
    let history = run.writers.load.history().split_off(from.ops);
    let found = format!(
        "{} creates, {} of {all} requests failed since the API server went, {:.1?} without an accepted one at most",
        run.writers.load.accepted(),
        failed.len(),
        longest_pause(&history),
    );
    run.comes_to_rest().await.is_judged().await;
    println!("found: {found}");
}

impl Run {
    /// Everything that a backup of before knows nothing of: a version, settings, and pods.
    async fn the_system_changes(&self) {
        let change = json!({ "spec": {
            "version": NEXT_VERSION,
            "logLevel": "Debug",
            "api": { "replicas": 3 },
            "workers": { "chats": { "autoscaling": { "minReplicas": 2 } } },
        }});
        self.system.patch(&change.to_string());
        self.system.runs(NEXT_VERSION).await;
        self.system.has_replicas("acme-api", "3").await;
        self.system.has_replicas("acme-worker-chats", "2").await;
        self.writers.accepted_more(MORE).await;
        self.say("the system was upgraded, scaled and set up differently");
    }

    /// It hears of what people change, and of what becomes of its children.
    async fn the_operator_acts(&self) {
        let ingress = ["ingress/acme-api", "--output=name"];
        self.system.kubectl(&["delete", ingress[0]]);
        self.system.has(&["get", ingress[0], ingress[1]]).await;
        for level in ["Warn", "Info"] {
            let patch = json!({ "spec": { "logLevel": level } });
            self.system.patch(&patch.to_string());
            self.system.is_ready().await;
        }
        self.say("the operator mends and carries out");
    }
}

/// How a system was described, and what it was made of.
struct Past {
    spec: Value,
    children: Children,
}

impl Past {
    fn of(system: &System) -> Self {
        let asked = ["get", "chatsystem/acme", "--output=json"];
        let resource: Value =
            serde_json::from_str(&system.kubectl(&asked)).expect("kubectl prints JSON");
        Self {
            spec: resource["spec"].clone(),
            children: system.children().expect("there is an API server"),
        }
    }

    /// Returns once it is so again, in the API server and on the nodes. What the API server says at first is what it said
    /// then, so the nodes are asked.
    async fn comes_back(&self, system: &System) {
        nodes_agree(system).await;
        system.is_ready().await;
        system.runs(VERSION).await;
        let same = |now: &Result<Children, String>| now.as_ref() == Ok(&self.children);
        let children = eventually(SOON, async || system.children(), same);
        children.await.expect("only an answer is right");
        assert_eq!(Self::of(system).spec, self.spec);
        nodes_agree(system).await;
    }
}

/// Returns once nothing runs but what the API server knows, and all of that.
async fn nodes_agree(system: &System) {
    let asked = async || (running(), system.ready_pods());
    let agree = |(running, ready): &(usize, Result<usize, String>)| Ok(*running) == *ready;
    let (_, ready) = eventually(SOON, asked, agree).await;
    ready.expect("only an answer is right");
}

/// How many programs of ChatSystem run on the nodes, whoever knows of them.
fn running() -> usize {
    let count = "pgrep --count --full '^/usr/local/bin/chat-(api$|worker run)' || true";
    let on = |node| docker(&["exec", node, "bash", "-c", count]);
    let counts = NODES.map(|node| on(node).parse::<usize>().expect("pgrep counts"));
    counts.iter().sum()
}

fn on_control_plane(script: &str) -> String {
    docker(&["exec", CONTROL_PLANE, "bash", "-euc", script])
}

fn back_up() {
    on_control_plane(&format!(
        "pki=/etc/kubernetes/pki/etcd
        rm -f {BACKUP}
        etcdctl --endpoints=https://127.0.0.1:2379 --cacert=$pki/ca.crt --cert=$pki/server.crt --key=$pki/server.key \
            snapshot save {BACKUP}"
    ));
}

/// Its revisions go on far above those that anybody has seen, and all before count as compacted: whoever watches reads
/// everything anew.
fn restore() {
    on_control_plane(&format!(
        "flag() {{ sed -n \"s/^ *- --$1=//p\" {AWAY}/etcd.yaml; }}
        rm -rf /var/lib/chatsystem-restored
        etcdutl snapshot restore {BACKUP} --data-dir /var/lib/chatsystem-restored --name \"$(flag name)\" \
            --initial-cluster \"$(flag initial-cluster)\" --initial-advertise-peer-urls \"$(flag initial-advertise-peer-urls)\" \
            --bump-revision 1000000000 --mark-compacted
        rm -rf /var/lib/etcd/member
        mv /var/lib/chatsystem-restored/member /var/lib/etcd/
        rm -r /var/lib/chatsystem-restored {BACKUP}"
    ));
}

/// A control plane that does not run. Dropping it starts it, as good as that may go.
struct Stopped;

impl Stopped {
    /// Scheduler and controllers too: they must not go on with what they remember.
    async fn now() -> Self {
        on_control_plane(&format!("mkdir -p {AWAY} && mv {MANIFESTS}/*.yaml {AWAY}"));
        let stopped = Self;
        let left = async || on_control_plane("pgrep --full '^(etcd|kube-apiserver) ' || true");
        eventually(SOON, left, String::is_empty).await;
        stopped
    }

    /// Kubelets restart for the same reason; pods that run go on.
    async fn starts(self, system: &System) {
        drop(self);
        let asked = ["get", "--raw=/readyz"];
        let answers = eventually(SOON, async || system.try_kubectl(&asked), Result::is_ok);
        answers.await.expect("only an answer is right");
        for node in NODES {
            docker(&["exec", node, "systemctl", "restart", "kubelet"]);
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        on_control_plane(&format!(
            "mv {AWAY}/*.yaml {MANIFESTS} && rmdir {AWAY} || true"
        ));
    }
}

/// Between two creates that were accepted.
fn longest_pause(history: &[Op]) -> Duration {
    let mut accepted: Vec<_> = history.iter().filter(|op| is_accepted(op)).collect();
    accepted.sort_by_key(|op| op.completed_at);
    let pause = |pair: &[&Op]| pair[1].completed_at.saturating_sub(pair[0].completed_at);
    let longest = accepted.windows(2).map(pause).max();
    Duration::from_nanos(longest.unwrap_or_default())
}

fn is_accepted(op: &Op) -> bool {
    matches!(
        (&op.kind, &op.outcome),
        (Kind::Create { .. }, Outcome::Ok { .. })
    )
}
