//! Servers of its own that fail one after the other, in any order, with clients on the cluster all the
//! while; and then a judgement of everything anybody was told.

use crate::cluster::judged;
use crate::deliveries::empty;
use crate::under_load::{CLIENTS, Size, Writers, summary};
use e2e::client::Client;
use e2e::cluster::{Cluster, OwnServers, Server, Size as Processes};
use e2e::queues::Queues;
use e2e::seed::Seed;
use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use sqlx::{Connection, Executor, MySqlConnection};
use std::time::{Duration, Instant};

const TWO_OF_EACH: Processes = Processes {
    apis: 2,
    workers: 2,
};
/// While nothing is wrong, between two faults.
const BETWEEN: u64 = 150;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    RedisWiped,
    RedisEmptyInItsPlace,
    RedisWithAnOlderCopy,
    RedisAway,
    RedisStopped,
    BrokerKilled,
    BrokerStopped,
    ExchangesDeleted,
    QueuesDeleted,
    DatabaseKilled,
    DatabaseReadOnly,
    DatabaseStopped,
    SearchAway,
    IndexDeleted,
}

const FAULTS: [Fault; 14] = [
    Fault::RedisWiped,
    Fault::RedisEmptyInItsPlace,
    Fault::RedisWithAnOlderCopy,
    Fault::RedisAway,
    Fault::RedisStopped,
    Fault::BrokerKilled,
    Fault::BrokerStopped,
    Fault::ExchangesDeleted,
    Fault::QueuesDeleted,
    Fault::DatabaseKilled,
    Fault::DatabaseReadOnly,
    Fault::DatabaseStopped,
    Fault::SearchAway,
    Fault::IndexDeleted,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_on_which_every_server_fails_breaks_no_promise() {
    let seed = Seed::of_this_run();
    let mut dice = seed.dice(u64::from(CLIENTS));
    let started = Instant::now();
    let Some(servers) = OwnServers::start().await else {
        return;
    };
    let mut day = Day::start(servers, seed).await;
    println!("everything runs after {:?}", started.elapsed());
    let mut faults = FAULTS;
    faults.shuffle(&mut dice);
    for fault in faults {
        day.writers.accepted_more(BETWEEN).await;
        let since = Instant::now();
        day.suffer(fault, &mut dice).await;
        // They are accepted again, by whoever did it before and was not restarted.
        day.writers.accepted_more(BETWEEN).await;
        println!("{fault:?}: {:?}", since.elapsed());
    }
    day.writers.load.end();
    let history = day.writers.finish().await;
    println!("{:?}: {}", started.elapsed(), summary(&history));
    let client = day.client.at(&day.cluster.place());
    judged(&day.cluster, &client, &history, seed).await;
    println!("judged after {:?}", started.elapsed());
    day.cluster.stop().await;
}

struct Day {
    // Before the servers, so that it goes first.
    cluster: Cluster,
    client: Client,
    writers: Writers,
    servers: OwnServers,
}

impl Day {
    async fn start(servers: OwnServers, seed: Seed) -> Self {
        let settings = [("CHAT_NUMBER_BLOCK", "16")];
        let cluster = Cluster::start_on(&servers, TWO_OF_EACH, &settings).await;
        let client = Client::new(&cluster.place()).await;
        let size = Size {
            applications: 2,
            chats_each: 5,
            creates: u64::MAX,
        };
        Self {
            writers: Writers::start(&client, seed, size).await,
            cluster,
            client,
            servers,
        }
    }

    /// Whatever it was, the servers are all right afterwards.
    async fn suffer(&mut self, fault: Fault, dice: &mut SmallRng) {
        let a_while = Duration::from_millis(dice.random_range(500..3_000));
        match fault {
            Fault::RedisWiped => {
                for _ in 0..3 {
                    self.redis(&["FLUSHALL"]).await;
                    self.writers.accepted_more(BETWEEN / 3).await;
                }
            }
            Fault::RedisEmptyInItsPlace => {
                self.servers.redis.kill();
                self.servers.redis.delete_data();
                self.servers.redis.start_again().await;
            }
            Fault::RedisWithAnOlderCopy => {
                self.redis(&["SAVE"]).await;
                self.writers.accepted_more(3 * BETWEEN).await;
                self.servers.redis.kill();
                self.servers.redis.start_again().await;
            }
            Fault::RedisAway => kill_for(&mut self.servers.redis, a_while).await,
            Fault::RedisStopped => pause_for(&self.servers.redis, a_while).await,
            Fault::BrokerKilled => kill_for(&mut self.servers.rabbitmq, Duration::ZERO).await,
            // Longer than the heartbeats of everybody.
            Fault::BrokerStopped => {
                pause_for(&self.servers.rabbitmq, Duration::from_secs(12)).await;
            }
            Fault::ExchangesDeleted => self.delete_exchanges().await,
            Fault::QueuesDeleted => self.delete_queues().await,
            Fault::DatabaseKilled => kill_for(&mut self.servers.mysql, a_while).await,
            Fault::DatabaseReadOnly => {
                self.mysql("SET GLOBAL super_read_only = 1").await;
                tokio::time::sleep(a_while).await;
                self.mysql("SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0")
                    .await;
            }
            Fault::DatabaseStopped => pause_for(&self.servers.mysql, a_while).await,
            Fault::SearchAway => {
                self.servers.elasticsearch.kill();
                self.writers.accepted_more(5 * BETWEEN).await;
                self.servers.elasticsearch.start_again().await;
            }
            Fault::IndexDeleted => self.delete_index().await,
        }
    }

    async fn redis(&self, words: &[&str]) {
        let done = self.servers.redis.ask_redis(words).await;
        done.expect("Redis does as it is told");
    }

    async fn mysql(&self, statements: &'static str) {
        let mysql = MySqlConnection::connect(&self.servers.mysql.address()).await;
        let mut mysql = mysql.expect("MySQL answers");
        let done = mysql.execute(sqlx::raw_sql(statements)).await;
        done.expect("MySQL does as it is told");
    }

    /// By hand, while they are used: what is in a queue stays there.
    async fn delete_exchanges(&self) {
        let queues = self.queues();
        for exchange in ["chat.cmd", "chat.unrouted", "chat.dlx"] {
            queues.delete_exchange(exchange).await;
        }
    }

    /// By hand. What is in them is lost, so clients wait until nothing is; everything else goes on.
    async fn delete_queues(&self) {
        self.writers.tell(None);
        let queues = self.queues();
        let names = queues.names().await;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        empty(&self.client, &names).await;
        for queue in names {
            queues.delete(queue).await;
        }
        self.writers.tell(Some(self.client.clone()));
    }

    async fn delete_index(&self) {
        let deleted = self.servers.delete_indices().await;
        assert!(deleted > 0, "there is an index");
    }

    fn queues(&self) -> Queues {
        let place = self.cluster.place();
        place.queues.expect("a cluster has queues")
    }
}

async fn kill_for(server: &mut Server, time: Duration) {
    server.kill();
    tokio::time::sleep(time).await;
    server.start_again().await;
}

async fn pause_for(server: &Server, time: Duration) {
    server.pause();
    tokio::time::sleep(time).await;
    server.resume();
}
