//! What may happen to a system on Kubernetes, with clients on it all the time, and then a judgement of everything anybody
//! was told. `make e2e` runs it on its cluster.

mod etcd;
mod mutations;
mod people;

use crate::under_load::{Writers, judge, summary};
use e2e::checker::{Op, Outcome};
use e2e::client::Client;
use e2e::eventually::eventually;
use e2e::kubernetes::{DEPLOYMENTS, Maker, SOON, System, docker};
use e2e::load::Load;
use e2e::metrics::queues_at_rest;
use e2e::seed::Seed;
use std::time::Instant;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The same images under another name.
const NEXT_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "-next");
const NODE_WITHOUT_SERVERS: &str = "chatsystem-worker2";
const CONTROL_PLANE: &str = "chatsystem-control-plane";
/// After something happened, so that it happened under load.
const MORE: u64 = 300;
/// Three times what a run has on two cores.
const NEVER_ENOUGH: u64 = 300_000;
/// So many that none of the thirty gets more than 1,000 messages with the last word of a client.
const CHATS_EACH: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the cluster of `make e2e`"]
async fn whatever_happens_on_kubernetes_breaks_no_promise() {
    let run = Run::begin().await;
    run.pods_are_killed().await;
    if run.system.maker == Maker::Operator {
        run.mistakes_change_nothing().await;
        run.a_migration_fails().await;
        run.a_password_is_rotated().await;
        run.somebody_meddles().await;
        run.a_pause_is_kept().await;
    }
    run.a_version_comes_and_goes().await;
    run.the_api_server_restarts().await;
    run.a_node_dies().await;

    let rest = run.comes_to_rest().await;
    rest.system.is_made_again().await;
    println!("deleted and made again");
    rest.is_judged().await;
}

struct Run {
    system: System,
    client: Client,
    seed: Seed,
    writers: Writers,
    started: Instant,
}

/// How much was written down up to a moment, and how often nobody took a connection.
#[derive(Clone, Copy)]
struct Moment {
    ops: usize,
    unsent: u64,
}

/// What is left when the clients have ended and nothing waits.
struct Rest {
    system: System,
    client: Client,
    seed: Seed,
    history: Vec<Op>,
}

impl Run {
    async fn begin() -> Self {
        let system = System::of_this_run().expect("tests/cluster/e2e says where the system is");
        Self::of(system, Seed::of_this_run()).await
    }

    /// Returns once clients are at work.
    async fn of(system: System, seed: Seed) -> Self {
        let client = Client::new(system.place()).await;
        let mut load = Load::new(NEVER_ENOUGH);
        load.prepare(&client, 3, CHATS_EACH).await;
        let run = Self {
            writers: Writers::of(load, &client, seed),
            system,
            client,
            seed,
            started: Instant::now(),
        };
        run.writers.accepted_more(MORE).await;
        run
    }

    #[expect(
        clippy::print_stdout,
        reason = "people read how far a long test has come"
    )]
    async fn comes_to_rest(self) -> Rest {
        self.writers.load.end();
        let history = self.writers.finish().await;
        println!("{}", summary(&history));
        queues_at_rest(&self.client, SOON).await;
        Rest {
            system: self.system,
            client: self.client,
            seed: self.seed,
            history,
        }
    }

    async fn pods_are_killed(&self) {
        for component in ["worker-messages", "worker-chats", "worker-indexing", "api"] {
            self.system.kill_pods(component);
            self.writers.accepted_more(MORE).await;
        }
        self.system.is_ready().await;
        self.say("all pods were killed");
    }

    /// With another setting, and whatever becomes of the operator.
    async fn a_version_comes_and_goes(&self) {
        let from = self.now();
        for (version, api_replicas) in [(NEXT_VERSION, "3"), (VERSION, "2")] {
            match self.system.maker {
                Maker::Chart => self.system.change_to(version, api_replicas),
                Maker::Operator => {
                    self.the_operator_is_killed_on_the_way_to(version, api_replicas)
                        .await
                }
            }
            self.system.runs(version).await;
            self.system.has_replicas("acme-api", api_replicas).await;
            self.writers.accepted_more(MORE).await;
            self.say(&format!("version {version} runs"));
        }
        self.none_failed(from);
    }

    /// The API is the last to get it, once all workers have; and one of them is held back until the operator was killed.
    async fn the_operator_is_killed_on_the_way_to(&self, version: &str, api_replicas: &str) {
        let kubectl = |arguments: &[&str]| self.system.kubectl(arguments);
        let worker = "deployment/acme-worker-chats";
        kubectl(&["rollout", "pause", worker]);
        self.system.change_to(version, api_replicas);
        let begun = |of_version: &Result<usize, String>| matches!(of_version, Ok(1..));
        let ask = async || self.system.deployments_of_version(version);
        eventually(SOON, ask, begun).await.expect("there are some");
        kubectl(&[
            "delete",
            "pod",
            "--namespace=chat-operator",
            "--selector=app.kubernetes.io/name=chat-operator",
            "--grace-period=0",
            "--force",
        ]);
        let of_version = self.system.deployments_of_version(version);
        assert!(
            of_version.as_ref().is_ok_and(|count| *count < DEPLOYMENTS),
            "{of_version:?} Deployments were of version {version} when the operator was killed"
        );
        kubectl(&["rollout", "resume", worker]);
        self.say("the operator was killed in the middle of an upgrade");
    }

    fn now(&self) -> Moment {
        Moment {
            ops: self.writers.load.history().len(),
            unsent: self.writers.load.unsent(),
        }
    }

    /// Where pods go only when others have taken their place.
    fn none_failed(&self, from: Moment) {
        let (failed, _) = self.failed(from);
        assert!(failed.is_empty(), "{failed:#?}");
        let unsent = self.now().unsent - from.unsent;
        assert_eq!(unsent, 0, "requests found nobody who took the connection");
    }

    /// Where something dies or cannot start, a server may for a moment answer later than the API waits for it.
    fn next_to_none_failed(&self, from: Moment) {
        let (failed, all) = self.failed(from);
        assert!(failed.len() * 200 <= all, "of {all} requests: {failed:#?}");
    }

    /// And how many there were.
    #[expect(
        clippy::print_stdout,
        reason = "people read how far a long test has come"
    )]
    fn failed(&self, from: Moment) -> (Vec<Op>, usize) {
        let mut history = self.writers.load.history().split_off(from.ops);
        let all = history.len();
        history.retain(has_failed);
        let (failures, unsent) = (history.len(), self.now().unsent - from.unsent);
        println!("{failures} of {all} requests failed, and {unsent} more could not be sent");
        for op in history.iter().take(5) {
            println!("{op:?}");
        }
        (history, all)
    }

    /// Whoever has no business with it does not notice.
    async fn the_api_server_restarts(&self) {
        let from = self.now();
        docker(&["exec", CONTROL_PLANE, "pkill", "-KILL", "kube-apiserver"]);
        self.writers.accepted_more(MORE).await;
        self.system.is_ready().await;
        self.next_to_none_failed(from);
        self.say("the API server was restarted");
    }

    async fn a_node_dies(&self) {
        let node = format!("node/{NODE_WITHOUT_SERVERS}");
        let unknown = "--for=condition=Ready=Unknown";
        docker(&["kill", NODE_WITHOUT_SERVERS]);
        self.system
            .kubectl(&["wait", &node, unknown, "--timeout=180s"]);
        self.writers.accepted_more(MORE).await;
        self.say("a node is dead, and messages are accepted");
        self.system.is_ready().await;
        self.say("what ran on the dead node runs elsewhere");
        docker(&["start", NODE_WITHOUT_SERVERS]);
        self.system
            .kubectl(&["wait", &node, "--for=condition=Ready", "--timeout=180s"]);
        self.writers.accepted_more(MORE).await;
        self.system.is_ready().await;
        self.say("the node is back");
    }

    #[expect(
        clippy::print_stdout,
        reason = "people read how far a long test has come"
    )]
    fn say(&self, what: &str) {
        let (after, accepted) = (self.started.elapsed(), self.writers.load.accepted());
        println!("{after:.0?}, {accepted} creates: {what}");
    }
}

impl Rest {
    /// Panics when any promise was broken.
    #[expect(
        clippy::print_stdout,
        reason = "people read how far a long test has come"
    )]
    async fn is_judged(&self) {
        self.system.explain_numbers().await;
        judge(&self.client, &self.history, self.seed).await;
        println!("judged: no promise was broken");
    }
}

fn has_failed(op: &Op) -> bool {
    match op.outcome {
        Outcome::Unknown => true,
        Outcome::Fail { status } => status >= 500,
        _ => false,
    }
}
