//! The promises of `Numbers`, `Limiter` and `Tenants` on Redis, and what becomes of them when it fails.

mod faults;
mod limiter;
mod needs;
mod numbers;
mod own;
mod replica;
mod server;
mod tenants;

use chat::adapters::endpoint::{Endpoint, Trust};
use chat::adapters::redis::RedisServer;
use chat::conformance::servers;

/// The shared server under a prefix nobody else has. What is under it goes when this is dropped.
struct Shared {
    url: String,
    prefix: String,
}

impl Shared {
    /// `None`, said aloud, where there is no server.
    fn new() -> Option<Self> {
        let url = servers::address(servers::REDIS)?;
        let prefix = format!("test-{:032x}", rand::random::<u128>());
        Some(Self { url, prefix })
    }

    fn open(&self) -> RedisServer {
        RedisServer::open(&endpoint(&self.url), &self.prefix)
            .expect("the address of the tests' Redis")
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        remove(&self.url, &self.prefix).expect("keys of the test are removed");
    }
}

fn remove(url: &str, prefix: &str) -> redis::RedisResult<()> {
    let mut connection = redis::Client::open(url)?.get_connection()?;
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg(format!("{prefix}:*"))
        .query(&mut connection)?;
    for key in keys {
        redis::cmd("DEL").arg(key).exec(&mut connection)?;
    }
    Ok(())
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint {
        url: url.to_owned().into(),
        trust: Trust {
            ca_pem: None,
            plaintext: true,
        },
    }
}
