//! Applications and their keys, and who may come in.

use super::Ops;
use crate::clock;
use crate::error::{Error, Result};
use crate::model::{
    AppId, Application, Fingerprint, IdempotencyKey, KeyId, Millis, Name, Problem, TenantId, Token,
};
use crate::ports::{Creation, KeyRecord, NewApplication, Tenant};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use subtle::ConstantTimeEq;

/// Two, so that a key can be replaced without a moment in which none works.
const MOST_LIVE_KEYS: u32 = 2;
const MOST_SALTS: usize = 10_000;

/// What a caller showed.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// Nothing is asked for: `auth.mode` is `none`.
    Open,
    /// The administrator's key, verified already.
    Admin,
    /// A bearer token, to be compared with the application's keys.
    Key(&'a str),
    Missing,
}

/// A new application and its first key, which is shown only here.
#[derive(Debug)]
pub struct CreatedApplication {
    pub application: Application,
    /// Absent when an earlier answer is repeated.
    pub api_key: Option<SecretString>,
    pub replayed: bool,
}

/// A key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub id: KeyId,
    pub created_at: Millis,
    pub revoked_at: Option<Millis>,
}

impl Ops {
    pub async fn create_application(
        &self,
        name: Name,
        key: Option<IdempotencyKey>,
    ) -> Result<CreatedApplication> {
        let fingerprint = Fingerprint::of(&[b"create_application", name.as_str().as_bytes()]);
        // Unique across applications, of any length: its hash is what the store keeps.
        let idem_key = key.map(|key| (hex(&Sha256::digest(key.as_str())), fingerprint));
        for _ in 0..3 {
            let (record, secret) = new_key(clock::now());
            let new = NewApplication {
                app: AppId::from_random(clock::random_u64()),
                token: Token::from_random(clock::random_bytes()),
                name: name.clone(),
                idem_salt: clock::random_bytes(),
                idem_key: idem_key.clone(),
                key: record,
                now: clock::now(),
            };
            let (token, api_key) = match self.ports.tenants.create(new.clone()).await {
                // Drawn again: an id or token was taken, or the same key came twice at once.
                Err(Error::Conflict) => continue,
                Err(error) => return Err(error),
                Ok(Creation::Created) => (new.token, Some(secret)),
                Ok(Creation::Existing {
                    fingerprint: first, ..
                }) if first != fingerprint => {
                    return Err(Error::IdempotencyMismatch);
                }
                Ok(Creation::Existing { token, .. }) => (token, None),
            };
            let tenant = self.ports.tenants.find(token).await?.ok_or(Error::Gone)?;
            let application = self
                .application(TenantId::authenticated(tenant.app))
                .await?;
            return Ok(CreatedApplication {
                application,
                replayed: api_key.is_none(),
                api_key,
            });
        }
        Err(Error::Busy(
            "the same application is being created by many requests".into(),
        ))
    }

    /// Oldest first, and how many there are in all.
    pub async fn applications(&self, offset: u64, limit: u32) -> Result<(Vec<Application>, u64)> {
        self.ports.tenants.list(offset, limit).await
    }

    /// Lets a caller into an application. Unknown applications and wrong keys are refused alike.
    pub async fn authenticate(&self, token: &str, credential: Credential<'_>) -> Result<TenantId> {
        let found = match Token::parse(token) {
            Some(token) => self.ports.tenants.find(token).await?,
            None => None,
        };
        if let Some(tenant) = &found {
            self.salts.put(tenant);
        }
        match credential {
            Credential::Open | Credential::Admin => found
                .map(|tenant| TenantId::authenticated(tenant.app))
                .ok_or(Error::NotFound),
            Credential::Key(key) => {
                // The same work whether the application is there or not.
                let keys = found.as_ref().map_or(&[][..], |tenant| &tenant.keys);
                let let_in = any_key_matches(keys, key);
                found
                    .filter(|_| let_in)
                    .map(|tenant| TenantId::authenticated(tenant.app))
                    .ok_or(Error::Unauthenticated)
            }
            Credential::Missing => Err(Error::Unauthenticated),
        }
    }

    pub async fn application(&self, tenant: TenantId) -> Result<Application> {
        self.ports
            .tenants
            .show(tenant)
            .await?
            .ok_or(Error::NotFound)
    }

    pub async fn rename_application(&self, tenant: TenantId, name: Name) -> Result<Application> {
        match self
            .ports
            .tenants
            .rename(tenant, &name, clock::now())
            .await?
        {
            true => self.application(tenant).await,
            false => Err(Error::NotFound),
        }
    }

    pub async fn delete_application(&self, tenant: TenantId) -> Result<()> {
        let deleted = self.ports.tenants.delete(tenant, clock::now()).await?;
        if deleted {
            Ok(())
        } else {
            Err(Error::NotFound)
        }
    }

    /// A new key beside the old one; it is shown only here.
    pub async fn rotate_key(&self, tenant: TenantId) -> Result<(Key, SecretString)> {
        let (record, secret) = new_key(clock::now());
        let added = self
            .ports
            .tenants
            .add_key(tenant, record.clone(), MOST_LIVE_KEYS)
            .await?;
        if added {
            return Ok((record.into(), secret));
        }
        let problem = format!("there are {MOST_LIVE_KEYS} live keys already");
        Err(Error::invalid(
            "keys",
            Problem::new(problem, "revoke one of them first: DELETE ../keys/{key_id}"),
        ))
    }

    /// Live and revoked ones, oldest first.
    pub async fn keys(&self, tenant: TenantId) -> Result<Vec<Key>> {
        let application = self.application(tenant).await?;
        let tenant = self
            .ports
            .tenants
            .find(application.token)
            .await?
            .ok_or(Error::NotFound)?;
        Ok(tenant.keys.into_iter().map(Key::from).collect())
    }

    pub async fn revoke_key(&self, tenant: TenantId, id: &str) -> Result<()> {
        let id = KeyId::parse(id).ok_or(Error::NotFound)?;
        let revoked = self
            .ports
            .tenants
            .revoke_key(tenant, &id, clock::now())
            .await?;
        if revoked {
            Ok(())
        } else {
            Err(Error::NotFound)
        }
    }

    pub(super) async fn idem_salt(&self, tenant: TenantId) -> Result<[u8; 32]> {
        if let Some(salt) = self.salts.get(tenant) {
            return Ok(salt);
        }
        let application = self.application(tenant).await?;
        let found = self.ports.tenants.find(application.token).await?;
        Ok(found.ok_or(Error::NotFound)?.idem_salt)
    }
}

impl From<KeyRecord> for Key {
    fn from(record: KeyRecord) -> Self {
        let KeyRecord {
            id,
            hash: _,
            created_at,
            revoked_at,
        } = record;
        Self {
            id,
            created_at,
            revoked_at,
        }
    }
}

/// `cs_<key id>_<43 base64url characters of 32 random bytes>`. Random 256 bits need no slow hash.
fn new_key(now: Millis) -> (KeyRecord, SecretString) {
    let id = KeyId::from_random(clock::random_u64());
    let secret = URL_SAFE_NO_PAD.encode(clock::random_bytes::<32>());
    let key = format!("cs_{}_{secret}", id.as_str());
    let record = KeyRecord {
        id,
        hash: Sha256::digest(&key).into(),
        created_at: now,
        revoked_at: None,
    };
    (record, key.into())
}

/// Compares with every live key, each in constant time.
fn any_key_matches(keys: &[KeyRecord], shown: &str) -> bool {
    let shown: [u8; 32] = Sha256::digest(shown).into();
    let live = keys.iter().filter(|key| key.revoked_at.is_none());
    live.fold(false, |matched, key| {
        matched | bool::from(key.hash.ct_eq(&shown))
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The salts of whoever was let in. A salt never changes, so none is ever wrong.
#[derive(Default)]
pub(super) struct Salts(Mutex<HashMap<AppId, [u8; 32]>>);

impl Salts {
    fn get(&self, tenant: TenantId) -> Option<[u8; 32]> {
        self.lock().get(&tenant.app()).copied()
    }

    fn put(&self, tenant: &Tenant) {
        let mut salts = self.lock();
        if salts.len() >= MOST_SALTS {
            salts.clear();
        }
        salts.insert(tenant.app, tenant.idem_salt);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AppId, [u8; 32]>> {
        self.0
            .lock()
            .expect("nothing panics while holding this lock")
    }
}
