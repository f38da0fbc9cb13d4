//! Tenants that were found before, in memory: for one process that is alone with its store.

use crate::error::Result;
use crate::model::{AppId, Application, KeyId, Millis, Name, TenantId, Token};
use crate::ports::{Creation, KeyRecord, NewApplication, Tenant, Tenants};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

const MOST_KEPT: usize = 10_000;

/// What was found. Clones share it.
#[derive(Clone, Default)]
pub struct FoundTenants(Arc<Mutex<Found>>);

#[derive(Default)]
struct Found {
    by_token: HashMap<Token, Tenant>,
    tokens: HashMap<AppId, Token>,
    /// Changes so far. What was read before one is not kept after it.
    changes: u64,
}

/// `Tenants` whose `find` asks the store only for what it does not remember. Exact as long as every change
/// goes through here.
pub struct MemoryTenants {
    found: FoundTenants,
    inner: Arc<dyn Tenants>,
}

/// Forgets when dropped, also when whoever asked for the change has gone away meanwhile.
struct Change<'a>(&'a FoundTenants, AppId);

impl FoundTenants {
    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0
            .lock()
            .expect("nothing panics while holding this lock")
    }
}

impl MemoryTenants {
    pub fn new(found: FoundTenants, inner: Arc<dyn Tenants>) -> Self {
        Self { found, inner }
    }

    fn change(&self, tenant: TenantId) -> Change<'_> {
        Change(&self.found, tenant.app())
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        let mut found = self.0.lock();
        found.changes += 1;
        if let Some(token) = found.tokens.remove(&self.1) {
            found.by_token.remove(&token);
        }
    }
}

#[async_trait]
impl Tenants for MemoryTenants {
    async fn create(&self, new: NewApplication) -> Result<Creation> {
        self.inner.create(new).await
    }

    async fn find(&self, token: Token) -> Result<Option<Tenant>> {
        let changes = {
            let found = self.found.lock();
            if let Some(tenant) = found.by_token.get(&token) {
                return Ok(Some(tenant.clone()));
            }
            found.changes
        };
        let Some(tenant) = self.inner.find(token).await? else {
            return Ok(None);
        };
        let mut found = self.found.lock();
        if found.changes == changes {
            if found.by_token.len() >= MOST_KEPT {
                found.by_token.clear();
                found.tokens.clear();
            }
            found.tokens.insert(tenant.app, token);
            found.by_token.insert(token, tenant.clone());
        }
        Ok(Some(tenant))
    }

    async fn show(&self, tenant: TenantId) -> Result<Option<Application>> {
        self.inner.show(tenant).await
    }

    async fn list(&self, offset: u64, limit: u32) -> Result<(Vec<Application>, u64)> {
        self.inner.list(offset, limit).await
    }

    /// The name is not among what is found.
    async fn rename(&self, tenant: TenantId, name: &Name, now: Millis) -> Result<bool> {
        self.inner.rename(tenant, name, now).await
    }

    async fn delete(&self, tenant: TenantId, now: Millis) -> Result<bool> {
        let _change = self.change(tenant);
        self.inner.delete(tenant, now).await
    }

    async fn add_key(&self, tenant: TenantId, key: KeyRecord, limit: u32) -> Result<bool> {
        let _change = self.change(tenant);
        self.inner.add_key(tenant, key, limit).await
    }

    async fn revoke_key(&self, tenant: TenantId, id: &KeyId, now: Millis) -> Result<bool> {
        let _change = self.change(tenant);
        self.inner.revoke_key(tenant, id, now).await
    }
}
