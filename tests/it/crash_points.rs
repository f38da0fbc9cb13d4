//! `kill -9` of each program at every named step of its work, with clients on the system, and then a
//! judgement of everything anybody was told.
//!
//! The programs are those that people run. Each is held at a step from outside, by a lock in the database or
//! by a proxy that holds back what it says or is told, and killed once it is seen to be there.

use crate::cluster::{Run, judged};
use crate::under_load::{CLIENTS, summary};
use e2e::cluster::{Cluster, Database, Role, Size};
use e2e::gate::{Gates, Place};
use e2e::proxy::{ACK, Hold, PUBLISH, Proxy, place};
use e2e::seed::Seed;
use rand::seq::SliceRandom;
use std::time::Duration;

const ONE_OF_EACH: Size = Size {
    apis: 1,
    workers: 1,
};
/// How often each step is come to.
const ROUNDS: usize = 3;
/// For a program to come to a step, with clients on it.
const SOON: Duration = Duration::from_secs(30);
/// Of a bulk request, and of its answer.
const BULK: &[u8] = b"_bulk";
const BULK_ANSWER: &[u8] = b"{\"items\"";
/// What `chat-api` asks Redis.
const SCRIPT: &[u8] = b"EVALSHA";

/// Where a program is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    // Of workers that store.
    AfterBegin,
    AfterDecision,
    BeforeCommit,
    AfterCommit,
    AfterIndexPublish,
    BeforeAck,
    WhileDraining,
    // Of workers that index.
    BeforeBulk,
    AfterBulk,
    BeforeIndexAck,
    // Of upkeep.
    BeforeFoldCommit,
    // Of the API.
    BeforeReserve,
    BeforeInstall,
    AfterNumber,
    AfterPublish,
    BeforeAnswer,
}

const STEPS: [Step; 16] = [
    Step::AfterBegin,
    Step::AfterDecision,
    Step::BeforeCommit,
    Step::AfterCommit,
    Step::AfterIndexPublish,
    Step::BeforeAck,
    Step::WhileDraining,
    Step::BeforeBulk,
    Step::AfterBulk,
    Step::BeforeIndexAck,
    Step::BeforeFoldCommit,
    Step::BeforeReserve,
    Step::BeforeInstall,
    Step::AfterNumber,
    Step::AfterPublish,
    Step::BeforeAnswer,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_step_breaks_no_promise() {
    let seed = Seed::of_this_run();
    let mut dice = seed.dice(u64::from(CLIENTS));
    let Some(mut held) = Held::start(seed).await else {
        return;
    };
    for _ in 0..ROUNDS {
        let mut steps = STEPS;
        steps.shuffle(&mut dice);
        for step in steps {
            println!("{step:?}");
            held.run.writers.accepted_more(50).await;
            held.kill_at(step).await;
        }
    }
    println!("{}", held.judge(seed).await);
}

/// SIGSTOP between its reading and its commit; another folds meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_stopped_and_goes_on_counts_nothing_twice() {
    let seed = Seed::of_this_run();
    let Some(mut held) = Held::start(seed).await else {
        return;
    };
    let upkeep = held.one(Role::Upkeep);
    for _ in 0..3 {
        held.run.writers.accepted_more(50).await;
        held.gates.close(Place::Added).await;
        held.gates.wait(Place::Added, SOON).await;
        held.run.cluster.pause(upkeep);
        held.gates.open().await;
        let another = held.run.cluster.run(&["reconcile"]);
        let meanwhile = async {
            held.run.writers.accepted_more(200).await;
            held.run.cluster.resume(upkeep);
        };
        tokio::join!(another, meanwhile);
    }
    println!("{}", held.judge(seed).await);
}

/// A cluster of one process of each kind, each behind proxies.
struct Held {
    // Before the database, which cannot go while somebody holds a lock in it.
    gates: Gates,
    run: Run,
    /// Between a worker of messages and the broker.
    stores: Proxy,
    /// Between a worker of the index and the broker, and Elasticsearch.
    indexes: Proxy,
    searches: Proxy,
    /// Between the API and the broker, and Redis.
    accepts: Proxy,
    numbers: Proxy,
}

impl Held {
    /// None without servers.
    async fn start(seed: Seed) -> Option<Self> {
        let settings = [("CHAT_NUMBER_BLOCK", "16")];
        let cluster = Cluster::start_with(Database::Mysql, ONE_OF_EACH, &settings).await?;
        let before = |name| Proxy::before(place(cluster.setting(name)));
        let (stores, indexes, accepts) = (
            before("CHAT_RABBITMQ_URL").await,
            before("CHAT_RABBITMQ_URL").await,
            before("CHAT_RABBITMQ_URL").await,
        );
        let searches = before("CHAT_ELASTICSEARCH_URL").await;
        let numbers = before("CHAT_REDIS_URL").await;
        let gates = Gates::build(cluster.setting("CHAT_MYSQL_URL")).await;
        let mut held = Self {
            run: Run::on(cluster, seed, u64::MAX).await,
            gates,
            stores,
            indexes,
            searches,
            accepts,
            numbers,
        };
        let cluster = &mut held.run.cluster;
        for (role, setting, proxy) in [
            (Role::Messages, "CHAT_RABBITMQ_URL", &held.stores),
            (Role::Indexing, "CHAT_RABBITMQ_URL", &held.indexes),
            (Role::Indexing, "CHAT_ELASTICSEARCH_URL", &held.searches),
            (Role::Api, "CHAT_RABBITMQ_URL", &held.accepts),
            (Role::Api, "CHAT_REDIS_URL", &held.numbers),
        ] {
            let through = proxy.instead_of(cluster.setting(setting));
            cluster.set(cluster.members(&[role])[0], setting, &through);
        }
        held.restart(&[Role::Messages, Role::Indexing, Role::Api])
            .await;
        Some(held)
    }

    fn one(&self, role: Role) -> usize {
        self.run.cluster.members(&[role])[0]
    }

    /// What was tried, after everything was found right.
    async fn judge(self, seed: Seed) -> String {
        self.run.writers.load.end();
        let (cluster, client, history) = self.run.finish().await;
        judged(&cluster, &client, &history, seed).await;
        cluster.stop().await;
        summary(&history)
    }

    /// Returns with everything running again.
    async fn kill_at(&mut self, step: Step) {
        // Those who may wait at a gate that more than one passes.
        const STORING: [Role; 2] = [Role::Chats, Role::Messages];
        const COUNTING: [Role; 3] = [Role::Chats, Role::Messages, Role::Upkeep];
        match step {
            Step::AfterBegin => self.kill_at_gate(Place::Begun, &STORING).await,
            Step::AfterDecision => self.kill_at_gate(Place::Inserting, &[Role::Messages]).await,
            Step::BeforeCommit => self.kill_at_gate(Place::Written, &COUNTING).await,
            Step::BeforeFoldCommit => self.kill_at_gate(Place::Added, &[Role::Upkeep]).await,
            Step::BeforeReserve => self.kill_at_gate(Place::Reserving, &[Role::Api]).await,
            Step::AfterCommit => self.kill_after_commit(Hold::ToServer, PUBLISH).await,
            Step::AfterIndexPublish => self.kill_after_commit(Hold::ToClient, ACK).await,
            Step::BeforeAck => {
                reach(&self.stores, Hold::ByConsumer, ACK).await;
                self.restart(&[Role::Messages]).await;
            }
            Step::WhileDraining => {
                self.gates.close(Place::Inserting).await;
                self.gates.wait(Place::Inserting, SOON).await;
                self.run.cluster.ask_to_stop(self.one(Role::Messages));
                self.run.writers.accepted_more(50).await;
                self.kill(&[Role::Messages]);
                self.gates.open().await;
                self.start_again(&[Role::Messages]).await;
            }
            Step::BeforeBulk => {
                reach(&self.searches, Hold::ToServer, BULK).await;
                self.restart(&[Role::Indexing]).await;
            }
            Step::AfterBulk => {
                reach(&self.searches, Hold::ToClient, BULK_ANSWER).await;
                self.restart(&[Role::Indexing]).await;
            }
            Step::BeforeIndexAck => {
                reach(&self.indexes, Hold::ByConsumer, ACK).await;
                self.restart(&[Role::Indexing]).await;
            }
            Step::AfterNumber => {
                reach(&self.accepts, Hold::ToServer, PUBLISH).await;
                self.restart(&[Role::Api]).await;
            }
            Step::AfterPublish => {
                reach(&self.accepts, Hold::ToClient, ACK).await;
                self.restart(&[Role::Api]).await;
            }
            Step::BeforeAnswer => {
                reach(&self.accepts, Hold::ToClient, ACK).await;
                self.numbers.hold(Hold::ToServer);
                self.accepts.let_go();
                self.numbers.holds(SCRIPT, SOON).await;
                self.restart(&[Role::Api]).await;
            }
            Step::BeforeInstall => {
                const RESERVED: &str = "SELECT CAST(SUM(hi) AS SIGNED) FROM sequences";
                self.gates.close(Place::Reserving).await;
                self.gates.wait(Place::Reserving, SOON).await;
                let before = self.gates.ask(RESERVED).await;
                self.numbers.hold(Hold::ToServer);
                self.gates.open().await;
                let more = |now| now > before;
                self.gates.until(RESERVED, more, SOON).await;
                self.numbers.holds(SCRIPT, SOON).await;
                self.restart(&[Role::Api]).await;
            }
        }
    }

    /// Each of `roles`, once one waits there and the others had their time to come there as well.
    async fn kill_at_gate(&mut self, place: Place, roles: &[Role]) {
        self.gates.close(place).await;
        self.gates.wait(place, SOON).await;
        if roles.len() > 1 {
            self.run.writers.accepted_more(50).await;
        }
        self.kill(roles);
        self.gates.open().await;
        self.start_again(roles).await;
    }

    /// What it says or is told after its commit is held back until it is killed.
    async fn kill_after_commit(&mut self, hold: Hold, bytes: &[u8]) {
        self.gates.close(Place::Inserting).await;
        self.gates.wait(Place::Inserting, SOON).await;
        self.stores.hold(hold);
        self.gates.open().await;
        self.stores.holds(bytes, SOON).await;
        self.restart(&[Role::Messages]).await;
    }

    async fn restart(&mut self, roles: &[Role]) {
        self.kill(roles);
        self.start_again(roles).await;
    }

    /// What proxies hold back is never heard.
    fn kill(&mut self, roles: &[Role]) {
        for member in self.run.cluster.members(roles) {
            self.run.cluster.kill(member);
        }
        self.run.tell();
        let proxies = [
            &self.stores,
            &self.indexes,
            &self.searches,
            &self.accepts,
            &self.numbers,
        ];
        for proxy in proxies.into_iter().filter(|proxy| proxy.holds_back()) {
            proxy.cut();
        }
    }

    async fn start_again(&mut self, roles: &[Role]) {
        for member in self.run.cluster.members(roles) {
            self.run.cluster.start_again(member).await;
        }
        self.run.tell();
    }
}

/// Returns once such bytes are held back.
async fn reach(proxy: &Proxy, hold: Hold, bytes: &[u8]) {
    proxy.reach(hold, bytes, SOON).await;
}
