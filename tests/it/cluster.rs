//! A cluster whose processes end in every way a process can end, with clients on it, and then a judgement
//! of everything anybody was told.

use crate::kill::{nothing_of_deleted_chats_is_found, some_are_found_by_their_own_words};
use crate::under_load::{CLIENTS, Writers, judge, summary};
use e2e::checker::{Ending, Op, Outcome};
use e2e::client::Client;
use e2e::cluster::{Cluster, Database, Role, Size as Processes};
use e2e::eventually::eventually;
use e2e::load::Load;
use e2e::metrics::at_rest;
use e2e::queues::LAG;
use e2e::seed::Seed;
use rand::RngExt;
use rand::rngs::SmallRng;
use std::time::{Duration, Instant};

const TWO_OF_EACH: Processes = Processes {
    apis: 2,
    workers: 2,
};
const EVERY_ROLE: [Role; 5] = [
    Role::Api,
    Role::Chats,
    Role::Messages,
    Role::Indexing,
    Role::Upkeep,
];
/// For what waits in queues when the clients are done.
const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_any_process_under_load_break_no_promise() {
    const CREATES: u64 = 6_000;
    const KILLS: u64 = 20;
    let seed = Seed::of_this_run();
    let Some(mut run) = Run::start(Database::Mysql, seed, CREATES).await else {
        return;
    };
    let mut dice = seed.dice(u64::from(CLIENTS));
    let started = Instant::now();
    let mut kills = 0;
    while kills < KILLS {
        run.writers
            .accepted((kills + 1) * CREATES / (KILLS + 1))
            .await;
        kills += run.kill_somebody(&mut dice).await;
    }
    let (cluster, client, history) = run.finish().await;
    println!(
        "{kills} kills in {:?}: {}",
        started.elapsed(),
        summary(&history)
    );
    let said = judged(&cluster, &client, &history, seed).await;
    some_are_found_by_their_own_words(&client, &said, &mut dice).await;
    nothing_of_deleted_chats_is_found(&client, &history, &said).await;
    println!("judged after {:?}", started.elapsed());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_request_and_delivers_nothing_twice() {
    const CREATES: u64 = 4_000;
    let seed = Seed::of_this_run();
    let Some(mut run) = Run::start(Database::Mariadb, seed, CREATES).await else {
        return;
    };
    let members = run.cluster.members(&EVERY_ROLE);
    let steps = members.len() as u64 + 1;
    for (step, member) in (1..).zip(members) {
        run.writers.accepted(step * CREATES / steps).await;
        // Nobody is sent to who is about to stop, also none who knew of it before; what is under way there is
        // answered.
        run.tell_of_others(member);
        run.writers
            .accepted_more_or_all(4 * u64::from(CLIENTS))
            .await;
        run.cluster.stop_one(member).await;
        run.cluster.start_again(member).await;
        run.tell();
    }
    let (cluster, client, history) = run.finish().await;
    let failed: Vec<&Op> = history
        .iter()
        .filter(|op| match op.outcome {
            Outcome::Unknown => true,
            Outcome::Fail { status } => status >= 500,
            _ => false,
        })
        .collect();
    assert!(
        failed.is_empty(),
        "{seed:?}: {} requests failed: {failed:#?}",
        failed.len()
    );
    judged(&cluster, &client, &history, seed).await;
    // The broker's own figure also counts what was on its way when a worker said that it takes no more: that
    // goes back to the queue unseen (https://github.com/rabbitmq/rabbitmq-server/issues/3729).
    let mut received = cluster.received();
    let all = received.len();
    received.sort_unstable();
    received.dedup();
    assert_eq!(
        received.len(),
        all,
        "{seed:?}: something was handed out twice"
    );
    assert!(all as u64 > CREATES, "{all} commands were seen");
    cluster.stop().await;
}

/// So that a count of 0 means something.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_has_its_deliveries_delivered_again() {
    const CREATES: u64 = 1_000;
    let seed = Seed::of_this_run();
    let Some(mut run) = Run::start(Database::Mysql, seed, CREATES).await else {
        return;
    };
    run.writers.accepted(CREATES / 2).await;
    let workers = run.cluster.members(&[Role::Messages]);
    for worker in &workers {
        run.cluster.pause(*worker);
    }
    // They hold what comes meanwhile.
    run.writers.accepted(CREATES * 3 / 4).await;
    for worker in &workers {
        run.cluster.kill(*worker);
        run.cluster.start_again(*worker).await;
    }
    run.tell();
    let (cluster, client, history) = run.finish().await;
    judged(&cluster, &client, &history, seed).await;
    let counted = |count: &Option<u64>| count.is_some_and(|count| count > 0);
    eventually(2 * LAG, || client.redelivered(), counted).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_hang_up_leave_nothing_half_done() {
    let seed = Seed::of_this_run();
    let settings = [("CHAT_NUMBER_BLOCK", "64")];
    let Some(cluster) = Cluster::start_with(Database::Mariadb, TWO_OF_EACH, &settings).await else {
        return;
    };
    let load = Load::new(3_000).with_hang_ups(0.4);
    let (cluster, client, history) = Run::with(load, cluster, seed).await.finish().await;
    println!("{}", summary(&history));
    let is_open = |op: &&Op| op.outcome == Outcome::Unknown;
    let open = history.iter().filter(is_open).count();
    assert!(open > 500, "only {open} requests were given up");
    judged(&cluster, &client, &history, seed).await;
    cluster.stop().await;
}

/// A cluster with clients on it.
pub(crate) struct Run {
    pub(crate) cluster: Cluster,
    client: Client,
    pub(crate) writers: Writers,
}

impl Run {
    /// None without servers.
    pub(crate) async fn start(database: Database, seed: Seed, creates: u64) -> Option<Self> {
        // Each wasted number is asked for in the end.
        let settings = [("CHAT_NUMBER_BLOCK", "64")];
        let cluster = Cluster::start_with(database, TWO_OF_EACH, &settings).await?;
        Some(Self::on(cluster, seed, creates).await)
    }

    /// On a cluster that runs, with applications of its own.
    pub(crate) async fn on(cluster: Cluster, seed: Seed, creates: u64) -> Self {
        Self::with(Load::new(creates), cluster, seed).await
    }

    async fn with(mut load: Load, cluster: Cluster, seed: Seed) -> Self {
        let client = Client::new(&cluster.place()).await;
        load.prepare(&client, 2, 5).await;
        Self {
            writers: Writers::of(load, &client, seed),
            cluster,
            client,
        }
    }

    /// `kill -9` of any process, sometimes of two, and a start; returns how many were killed.
    pub(crate) async fn kill_somebody(&mut self, dice: &mut SmallRng) -> u64 {
        let members = self.cluster.members(&EVERY_ROLE);
        let first = dice.random_range(0..members.len());
        let mut killed = vec![members[first]];
        // Perhaps the only other one that does this work.
        if dice.random_bool(0.4) {
            let other = first + dice.random_range(1..members.len());
            killed.push(members[other % members.len()]);
        }
        for member in &killed {
            self.cluster.kill(*member);
        }
        self.tell();
        for member in &killed {
            self.cluster.start_again(*member).await;
            self.tell();
        }
        killed.len() as u64
    }

    /// Where the system answers now.
    pub(crate) fn tell(&self) {
        self.tell_of(&self.cluster.place());
    }

    fn tell_of_others(&self, member: usize) {
        self.tell_of(&self.cluster.place_without(member));
    }

    fn tell_of(&self, place: &e2e::place::Place) {
        let up = !place.apis.is_empty();
        self.writers.tell(up.then(|| self.client.at(place)));
    }

    /// Waits for the clients to be done.
    pub(crate) async fn finish(self) -> (Cluster, Client, Vec<Op>) {
        let history = self.writers.finish().await;
        let client = self.client.at(&self.cluster.place());
        (self.cluster, client, history)
    }
}

/// Comes to rest; panics when any promise was broken.
pub(crate) async fn judged(
    cluster: &Cluster,
    client: &Client,
    history: &[Op],
    seed: Seed,
) -> Ending {
    at_rest(client, SOON).await;
    cluster.explain_numbers().await;
    let said = judge(client, history, seed).await;
    cluster.run(&["audit"]).await;
    said
}
