//! The servers of a cluster: MySQL or MariaDB, Redis, RabbitMQ and Elasticsearch.
//!
//! Opening asks nothing of any server, so programs and servers may start in any order; `health` says which
//! of them answers.

use super::Work;
use crate::adapters::elasticsearch::ElasticIndex;
use crate::adapters::memory_limiter::MemoryLimiter;
use crate::adapters::rabbitmq::{RabbitQueue, RabbitSettings};
use crate::adapters::redis::{CachedTenants, RedisLimiter, RedisNumbers, RedisServer};
use crate::adapters::sql::{MysqlSettings, SqlNumbers, SqlStore, open_mysql};
use crate::config::{Numbering, Servers};
use crate::error::Result;
use crate::ops::health::{Health, Need, Probe};
use crate::ops::{Ops, Ports};
use crate::ports::{Limiter, Numbers, Publisher, Search, Tenants};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long after a request took its number its publish has certainly ended: the deadline of a publish and
/// the wait for its slot.
const PUBLISH_ENDED: Duration = Duration::from_secs(3);

/// What a process needs to know besides where the servers are.
#[derive(Clone, Copy, Debug)]
pub struct ClusterSettings {
    /// Connections to the database at most.
    pub connections: u32,
    /// Numbers reserved at a time; the same in all processes.
    pub number_block: u32,
    /// How many processes share the rate limits.
    pub replicas: u32,
    /// Whether exchanges, queues and the index are made where they are missing.
    pub declares: bool,
}

/// One process's connections to all servers. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    pub ops: Ops,
    pub work: Work,
    pub limiter: Arc<dyn Limiter>,
    pub store: SqlStore,
    pub queue: RabbitQueue,
    pub index: ElasticIndex,
    redis: Option<RedisServer>,
}

/// Must be called inside a tokio runtime. Fails only for an address that cannot be one.
pub fn open_cluster(servers: &Servers, settings: ClusterSettings) -> Result<Cluster> {
    let store = open_mysql(&mysql_settings(servers, settings.connections))?;
    let queue = RabbitQueue::open(RabbitSettings {
        endpoint: servers.rabbitmq.clone(),
        management: servers.rabbitmq_management.clone(),
        prefetch: RabbitSettings::PREFETCH,
        declares: settings.declares,
        max_queue_bytes: RabbitSettings::MAX_QUEUE_BYTES,
    })?;
    let index = ElasticIndex::open(&servers.elasticsearch, &servers.key_prefix)?;
    let redis = servers
        .redis
        .as_ref()
        .map(|endpoint| RedisServer::open(endpoint, &servers.key_prefix))
        .transpose()?;
    let store_port = Arc::new(store.clone());
    let numbers: Arc<dyn Numbers> = match (servers.numbering, &redis) {
        (Numbering::Redis, Some(redis)) => Arc::new(RedisNumbers::new(
            redis.clone(),
            store_port.clone(),
            settings.number_block,
            PUBLISH_ENDED,
        )),
        _ => Arc::new(SqlNumbers::new(store.clone())),
    };
    let (tenants, limiter): (Arc<dyn Tenants>, Arc<dyn Limiter>) = match &redis {
        Some(redis) => (
            Arc::new(CachedTenants::new(redis.clone(), store_port.clone())),
            Arc::new(RedisLimiter::new(redis.clone(), settings.replicas)),
        ),
        None => (store_port.clone(), Arc::new(MemoryLimiter::default())),
    };
    let queue_port = Arc::new(queue.clone());
    let search = Arc::new(index.clone());
    let ops = Ops::new(Ports {
        tenants,
        reader: store_port.clone(),
        across: store_port.clone(),
        sequences: store_port.clone(),
        numbers: numbers.clone(),
        publisher: queue_port.clone(),
        search: search.clone(),
    });
    let work = Work {
        writer: store_port.clone(),
        upkeep: store_port.clone(),
        gaps: store_port.clone(),
        across: store_port,
        numbers,
        publisher: queue_port.clone(),
        subscriber: queue_port,
        search,
    };
    Ok(Cluster {
        ops,
        work,
        limiter,
        store,
        queue,
        index,
        redis,
    })
}

/// How to reach the database alone, for whoever changes its tables.
pub fn mysql_settings(servers: &Servers, connections: u32) -> MysqlSettings {
    MysqlSettings {
        endpoint: servers.mysql.clone(),
        ca_file: servers.mysql_ca_file.as_ref().map(PathBuf::from),
        connections,
    }
}

impl Cluster {
    /// Who accepts needs the broker and the numbers; the tables once, and search only for searching.
    pub fn health_of_api(&self) -> Health {
        self.health(Need::AtStart, Need::Never)
    }

    /// Who stores needs the database, and who indexes the search engine as well.
    pub fn health_of_worker(&self, indexes: bool) -> Health {
        let index = if indexes { Need::Always } else { Need::Never };
        self.health(Need::Always, index)
    }

    fn health(&self, mysql: Need, elasticsearch: Need) -> Health {
        let (store, queue, index) = (self.store.clone(), self.queue.clone(), self.index.clone());
        let mut probes = vec![
            Probe::new("mysql", mysql, move || {
                let store = store.clone();
                async move { store.schema_ready().await }
            }),
            Probe::new("rabbitmq", Need::Always, move || {
                let queue = queue.clone();
                async move { queue.ready().await }
            }),
            Probe::new("elasticsearch", elasticsearch, move || {
                let index = index.clone();
                async move { index.ready().await }
            }),
        ];
        if let Some(redis) = self.redis.clone() {
            probes.push(Probe::new("redis", Need::Always, move || {
                let redis = redis.clone();
                async move { redis.ready().await }
            }));
        }
        Health::new(probes)
    }

    /// Ends what runs in the background and closes every connection. Nothing may be under way any more.
    pub async fn close(&self) -> Result<()> {
        let closed = self.work.numbers.close().await;
        self.store.close().await;
        closed
    }
}
