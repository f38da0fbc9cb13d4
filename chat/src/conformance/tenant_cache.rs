//! What a cache in front of `Tenants` promises beside what every `Tenants` does, one function per promise.
//!
//! Each takes `wrap`: what puts another process's cache in front of a store.

use super::fixture::{NOW, Store, new_application};
use crate::error::{Error, Result};
use crate::model::{Application, KeyId, Millis, Name, TenantId, Token};
use crate::ports::{Creation, KeyRecord, NewApplication, Tenant, Tenants};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

type Wrap = Box<dyn Fn(Arc<dyn Tenants>) -> Arc<dyn Tenants> + Send + Sync>;

/// A store that counts what it is asked, and can hold an answer back.
struct Watched {
    inner: Arc<dyn Tenants>,
    asked: AtomicUsize,
    /// Answers of `find` that may go out.
    may_answer: Semaphore,
}

impl Watched {
    fn new(inner: &Store, may_answer: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: inner.tenants.clone(),
            asked: AtomicUsize::new(0),
            may_answer: Semaphore::new(may_answer),
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Tenants for Watched {
    async fn create(&self, new: NewApplication) -> Result<Creation> {
        self.inner.create(new).await
    }

    async fn find(&self, token: Token) -> Result<Option<Tenant>> {
        let found = self.inner.find(token).await;
        self.asked.fetch_add(1, Ordering::SeqCst);
        let permit = self.may_answer.acquire().await;
        permit.expect("it is never closed").forget();
        found
    }

    async fn show(&self, tenant: TenantId) -> Result<Option<Application>> {
        self.inner.show(tenant).await
    }

    async fn list(&self, offset: u64, limit: u32) -> Result<(Vec<Application>, u64)> {
        self.inner.list(offset, limit).await
    }

    async fn rename(&self, tenant: TenantId, name: &Name, now: Millis) -> Result<bool> {
        self.inner.rename(tenant, name, now).await
    }

    async fn delete(&self, tenant: TenantId, now: Millis) -> Result<bool> {
        self.inner.delete(tenant, now).await
    }

    async fn add_key(&self, tenant: TenantId, key: KeyRecord, limit: u32) -> Result<bool> {
        self.inner.add_key(tenant, key, limit).await
    }

    async fn revoke_key(&self, tenant: TenantId, id: &KeyId, now: Millis) -> Result<bool> {
        self.inner.revoke_key(tenant, id, now).await
    }
}

async fn new(store: &Store) -> (TenantId, Token, KeyId) {
    let new = new_application();
    assert_eq!(store.create(&new).await, Creation::Created);
    (TenantId::authenticated(new.app), new.token, new.key.id)
}

async fn find(tenants: &dyn Tenants, token: Token) -> Tenant {
    let found = tenants.find(token).await.expect("find");
    found.expect("it is live")
}

async fn revoke(tenants: &dyn Tenants, tenant: TenantId, key: &KeyId) {
    let revoked = tenants.revoke_key(tenant, key, NOW).await;
    assert!(revoked.expect("a key is revoked"), "it was live");
}

fn is_revoked(tenant: &Tenant) -> bool {
    tenant.keys.iter().all(|key| key.revoked_at == Some(NOW))
}

pub async fn what_was_found_is_found_again_without_the_store(store: Store, wrap: Wrap) {
    let (_, token, _) = new(&store).await;
    let watched = Watched::new(&store, 1);
    let first = find(&*wrap(watched.clone()), token).await;
    for _ in 0..3 {
        assert_eq!(find(&*wrap(watched.clone()), token).await, first);
    }
    assert_eq!(watched.asked(), 1);
}

pub async fn every_process_sees_a_change_at_once(store: Store, wrap: Wrap) {
    let (one, other) = (wrap(store.tenants.clone()), wrap(store.tenants.clone()));
    let (tenant, token, key) = new(&store).await;
    assert!(!is_revoked(&find(&*one, token).await));
    revoke(&*other, tenant, &key).await;
    assert!(is_revoked(&find(&*one, token).await));
    let added = super::fixture::new_key();
    assert!(
        other
            .add_key(tenant, added.clone(), 2)
            .await
            .expect("add_key")
    );
    assert!(find(&*one, token).await.keys.contains(&added));
    assert!(other.delete(tenant, NOW).await.expect("delete"));
    assert_eq!(one.find(token).await.expect("find"), None);
}

/// However the read and the change of the store fall.
pub async fn what_was_read_before_a_change_is_not_kept_after_it(store: Store, wrap: Wrap) {
    let (tenant, token, key) = new(&store).await;
    let slow = Watched::new(&store, 0);
    let reading = tokio::spawn({
        let tenants = wrap(slow.clone());
        async move { find(&*tenants, token).await }
    });
    super::fixture::eventually("the store was read", async || slow.asked() == 1).await;
    revoke(&*wrap(store.tenants.clone()), tenant, &key).await;
    slow.may_answer.add_permits(1);
    assert!(
        !is_revoked(&reading.await.expect("it ends")),
        "it read before"
    );
    assert!(is_revoked(
        &find(&*wrap(store.tenants.clone()), token).await
    ));
}

/// `remember` makes the cache remember its data of now, `come_back` makes it come back with these.
pub async fn an_older_copy_of_the_cache_brings_no_key_back(
    store: Store,
    wrap: Wrap,
    remember: impl AsyncFnOnce(),
    come_back: impl AsyncFnOnce(),
) {
    let tenants = wrap(store.tenants.clone());
    let (tenant, token, key) = new(&store).await;
    find(&*tenants, token).await;
    remember().await;
    revoke(&*tenants, tenant, &key).await;
    come_back().await;
    assert!(is_revoked(&find(&*tenants, token).await));
}

/// `wrap` makes caches that cannot be reached.
pub async fn without_the_cache_the_store_answers_and_nothing_is_half_changed(
    store: Store,
    wrap: Wrap,
) {
    let tenants = wrap(store.tenants.clone());
    let (tenant, token, key) = new(&store).await;
    let found = find(&*tenants, token).await;
    let refused = tenants.revoke_key(tenant, &key, NOW).await;
    assert!(
        matches!(refused, Err(Error::Unavailable { .. })),
        "{refused:?}"
    );
    assert_eq!(find(&*tenants, token).await, found);
    let name = Name::parse("renamed").expect("it is a name");
    assert!(tenants.rename(tenant, &name, NOW).await.expect("rename"));
}
