//! `Numbers` and `Limiter` on Redis or Valkey, fenced (PROTOCOLS A), and a cache of applications.
//!
//! Redis is disposable here: deleting its data, or starting it from an older copy, costs numbers nobody
//! got and a few reads of the store, never a number twice. Everything is done by scripts whose keys
//! share a hash tag, so that one script speaks to one node.

mod connection;
mod gather;
mod limiter;
mod numbers;
mod script;
mod tenants;

pub use limiter::RedisLimiter;
pub use numbers::RedisNumbers;
pub use tenants::CachedTenants;

use super::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::model::{Problem, Scope, Uid};
use connection::Connection;
use script::Script;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// A Redis server and the part of its keys that is ours. Cloning shares the connection.
#[derive(Clone)]
pub struct RedisServer {
    connection: Arc<Connection>,
    prefix: Arc<str>,
    asked_for_rights: Arc<AtomicBool>,
}

impl RedisServer {
    /// Connects when it is first used, and again whenever the connection is lost. All keys begin with
    /// `prefix` and a colon. `Invalid`: an address that cannot be used, a plaintext one unless
    /// `trust.plaintext` allows it, or a prefix with braces or spaces.
    pub fn open(endpoint: &Endpoint, prefix: &str) -> Result<Self> {
        let usable = !prefix.is_empty()
            && prefix
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"{}".contains(&byte));
        if !usable {
            return Err(Error::invalid(
                "prefix of the keys in redis",
                Problem::new(
                    "it is empty or holds spaces or braces",
                    "take letters and digits",
                ),
            ));
        }
        Ok(Self {
            connection: Arc::new(Connection::new(endpoint)?),
            prefix: prefix.into(),
            asked_for_rights: Arc::default(),
        })
    }

    /// Ok when numbers can be given from here: the server answers, forgets nothing to make room, and
    /// tells scripts which process it is.
    pub async fn ready(&self) -> Result<()> {
        const EVICTS: &str =
            "it forgets keys when it is full: set its maxmemory-policy to noeviction";
        const SILENT: &str =
            "its scripts may not ask INFO for the run_id: allow it, or set CHAT_NUMBERING=mysql";
        let mut info = ::redis::cmd("INFO");
        let memory: String = self.connection.ask(info.arg("memory")).await?;
        let policy = memory
            .lines()
            .find_map(|line| line.strip_prefix("maxmemory_policy:"));
        if policy.is_some_and(|policy| policy.trim() != "noeviction") {
            return Err(self.refused(EVICTS));
        }
        match RUN_ID.call().run::<Option<String>>(self).await {
            Ok(Some(_)) => {}
            Ok(None) => return Err(self.refused(SILENT)),
            Err(error) => return Err(self.refused(&format!("{SILENT} ({error})"))),
        }
        if !self.asked_for_rights.swap(true, Ordering::Relaxed) && self.may_wipe().await {
            tracing::warn!(
                server = self.connection.place(),
                "this account may FLUSH redis, which would leave gaps in the numbers: take the right away"
            );
        }
        Ok(())
    }

    /// No, too, where one may not even ask.
    async fn may_wipe(&self) -> bool {
        let mut whoami = ::redis::cmd("ACL");
        let Ok(account) = self.connection.ask::<String>(whoami.arg("WHOAMI")).await else {
            return false;
        };
        let mut try_it = ::redis::cmd("ACL");
        try_it.arg("DRYRUN").arg(account).arg("FLUSHALL");
        let answer = self.connection.ask::<String>(&try_it).await;
        answer.is_ok_and(|answer| answer == "OK")
    }

    fn refused(&self, why: &str) -> Error {
        Error::unavailable(PART, format!("{}: {why}", self.connection.place()))
    }

    /// What a scope's numbers are given from, beside whether its chat exists.
    fn sequence_key(&self, scope: Scope) -> String {
        format!("{}:seq:{{{}}}", self.prefix, tag(scope))
    }

    fn claim_key(&self, scope: Scope, uid: Uid) -> String {
        format!("{}:claim:{{{}}}:{uid}", self.prefix, tag(scope))
    }

    /// The keys of one payer lie in one slot of a cluster.
    fn limit_key(&self, payer: &str, name: &str) -> String {
        format!("{}:limit:{{{payer}}}:{name}", self.prefix)
    }

    /// `name`: of an application, not its token.
    fn tenant_key(&self, name: &str) -> String {
        format!("{}:tenant:{name}", self.prefix)
    }
}

/// How errors and readiness name this server.
const PART: &str = "redis";

static RUN_ID: LazyLock<Script> = LazyLock::new(|| Script::fenced("return rid"));

/// What keys of one script have in common, so that a cluster keeps them on one node.
fn tag(scope: Scope) -> String {
    match scope {
        Scope::Chats(app) => app.get().to_string(),
        Scope::Messages(chat) | Scope::Revs(chat) => format!("{}:{}", chat.app.get(), chat.number),
    }
}
