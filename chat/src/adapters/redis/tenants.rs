//! Applications as they were found in the store, kept in Redis for half an hour.
//!
//! What is kept must not outlive a change, whoever dies when. So a change first forbids keeping, and
//! fails if it cannot; the ban outlasts the change and every read of the store that began before it. A
//! copy of Redis's data that comes back after a restart is not believed, like the records of numbers.
//!
//! What is kept lets nobody in: hashes of random keys, and the salt. The salt makes uids out of
//! idempotency keys and guards nothing: whoever knows it can at most tell whether a guessed idempotency
//! key belongs to a uid. Tokens can be secrets, so the key holds a hash of one. Whoever may write to this
//! Redis can let himself in, as he can spoil numbering: its accounts are the system's own.

mod kept;

use super::RedisServer;
use super::gather::Gather;
use super::script::Script;
use crate::error::Result;
use crate::model::{Application, KeyId, Millis, Name, TenantId, Token};
use crate::ports::{Creation, KeyRecord, NewApplication, Tenant, Tenants};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::sync::{Arc, LazyLock};

const KEEP_MS: u32 = 30 * 60 * 1_000;
/// How long reading the store may take for its answer to be kept.
const FRESH_MS: u32 = 5_000;
/// How long nothing is kept from the beginning of a change, and again from its end: longer than a change
/// and a read of the store take together.
const BAN_MS: u32 = 120_000;

static FIND: LazyLock<Script> = LazyLock::new(|| Script::fenced(include_str!("tenants/find.lua")));
static KEEP: LazyLock<Script> = LazyLock::new(|| Script::fenced(include_str!("tenants/keep.lua")));
static CHANGE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("tenants/change.lua")));

/// `Tenants` whose `find` seldom asks the store. While Redis is away `find` asks the store each time, and
/// what would have to be forgotten cannot be changed: `Unavailable`, and nothing was done.
pub struct CachedTenants {
    server: RedisServer,
    /// Requests of the same application.
    together: Gather<Token, (), Option<Asked>>,
    inner: Arc<dyn Tenants>,
}

/// What Redis says of an application.
#[derive(Clone)]
struct Asked {
    /// The process of Redis and its time.
    run_id: String,
    time_ms: u64,
    kept: Option<Tenant>,
}

impl CachedTenants {
    pub fn new(server: RedisServer, inner: Arc<dyn Tenants>) -> Self {
        Self {
            server,
            together: Gather::default(),
            inner,
        }
    }

    fn key(&self, token: Token) -> String {
        let hash = Sha256::digest(token.as_str());
        self.server.tenant_key(&URL_SAFE_NO_PAD.encode(&hash[..16]))
    }

    /// None: Redis is away.
    async fn ask(&self, token: Token) -> Option<Asked> {
        let (server, key) = (self.server.clone(), self.key(token));
        let ask = move |requests: Vec<()>| {
            let (server, key) = (server.clone(), key.clone());
            async move {
                let asked = FIND.call().key(&key).try_run(&server).await;
                let asked = asked.map(|(run_id, time_ms, kept): (String, u64, String)| Asked {
                    run_id,
                    time_ms,
                    kept: kept::read(&kept, token),
                });
                vec![asked; requests.len()]
            }
        };
        self.together.ask(token, (), ask).await.flatten()
    }

    /// Carries out a change of what `find` shows.
    async fn change<T>(
        &self,
        tenant: TenantId,
        change: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(application) = self.inner.show(tenant).await? else {
            // Nobody finds a deleted one, and deleting it was such a change.
            return change.await;
        };
        let key = self.key(application.token);
        let ban = CHANGE.call().key(&key).arg(BAN_MS);
        ban.run::<()>(&self.server).await?;
        let outcome = change.await;
        // For a change that took as long as the ban. Usually the first one does.
        if let Err(error) = ban.run::<()>(&self.server).await {
            tracing::warn!(%error, "an application was changed and redis could not be told again");
        }
        outcome
    }
}

#[async_trait]
impl Tenants for CachedTenants {
    async fn create(&self, new: NewApplication) -> Result<Creation> {
        self.inner.create(new).await
    }

    async fn find(&self, token: Token) -> Result<Option<Tenant>> {
        let Some(asked) = self.ask(token).await else {
            return self.inner.find(token).await;
        };
        let Asked {
            run_id,
            time_ms,
            kept,
        } = asked;
        if let Some(tenant) = kept {
            return Ok(Some(tenant));
        }
        let found = self.inner.find(token).await?;
        if let Some(tenant) = &found {
            let key = self.key(token);
            let keep = KEEP.call().key(&key).arg(kept::write(tenant)?);
            let keep = keep.arg(run_id).arg(time_ms).arg(FRESH_MS).arg(KEEP_MS);
            keep.try_run::<()>(&self.server).await;
        }
        Ok(found)
    }

    async fn show(&self, tenant: TenantId) -> Result<Option<Application>> {
        self.inner.show(tenant).await
    }

    async fn list(&self, offset: u64, limit: u32) -> Result<(Vec<Application>, u64)> {
        self.inner.list(offset, limit).await
    }

    /// The name is not among what is kept.
    async fn rename(&self, tenant: TenantId, name: &Name, now: Millis) -> Result<bool> {
        self.inner.rename(tenant, name, now).await
    }

    async fn delete(&self, tenant: TenantId, now: Millis) -> Result<bool> {
        self.change(tenant, self.inner.delete(tenant, now)).await
    }

    async fn add_key(&self, tenant: TenantId, key: KeyRecord, limit: u32) -> Result<bool> {
        self.change(tenant, self.inner.add_key(tenant, key, limit))
            .await
    }

    async fn revoke_key(&self, tenant: TenantId, id: &KeyId, now: Millis) -> Result<bool> {
        self.change(tenant, self.inner.revoke_key(tenant, id, now))
            .await
    }
}
