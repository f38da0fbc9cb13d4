//! Applications and their keys.

use crate::error::Result;
use crate::model::{AppId, Application, Fingerprint, KeyId, Millis, Name, TenantId, Token};
use async_trait::async_trait;

/// Applications and their keys. Writes are synchronous: when a method returns, the next read sees it.
#[async_trait]
pub trait Tenants: Send + Sync {
    /// Stores a new application with its first key. `Existing` when `idem_key` was used before; nothing
    /// is stored then. `Conflict` when id or token are taken: draw again.
    async fn create(&self, new: NewApplication) -> Result<Creation>;
    /// The live application with this token; `None` for unknown and deleted ones alike.
    async fn find(&self, token: Token) -> Result<Option<Tenant>>;
    /// A live application with its exact count of chats.
    async fn show(&self, tenant: TenantId) -> Result<Option<Application>>;
    /// Live applications, oldest first, and how many there are in all, from one snapshot.
    async fn list(&self, offset: u64, limit: u32) -> Result<(Vec<Application>, u64)>;
    /// False when the application is not there any more.
    async fn rename(&self, tenant: TenantId, name: &Name, now: Millis) -> Result<bool>;
    /// One state change; cleaning follows in `Upkeep`. False when it was deleted before.
    async fn delete(&self, tenant: TenantId, now: Millis) -> Result<bool>;
    /// Adds a key unless `limit` keys are live already: then false.
    async fn add_key(&self, tenant: TenantId, key: KeyRecord, limit: u32) -> Result<bool>;
    /// False when there is no such live key. Repeating is harmless.
    async fn revoke_key(&self, tenant: TenantId, id: &KeyId, now: Millis) -> Result<bool>;
}

#[derive(Clone, Debug)]
pub struct NewApplication {
    pub app: AppId,
    pub token: Token,
    pub name: Name,
    pub idem_salt: [u8; 32],
    pub idem_key: Option<(String, Fingerprint)>,
    pub key: KeyRecord,
    pub now: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    Created,
    /// This idempotency key made this application, from a request with this fingerprint.
    Existing {
        token: Token,
        fingerprint: Fingerprint,
    },
}

/// What it takes to let somebody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    pub app: AppId,
    pub token: Token,
    pub idem_salt: [u8; 32],
    /// Live and revoked ones.
    pub keys: Vec<KeyRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    pub id: KeyId,
    /// SHA-256 of the whole key.
    pub hash: [u8; 32],
    pub created_at: Millis,
    pub revoked_at: Option<Millis>,
}
