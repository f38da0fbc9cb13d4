//! What every `Tenants` promises, one function per promise.

use super::fixture::{NOW, Store, Tenant, again, new_application, new_key};
use crate::error::Error;
use crate::model::{Application, Fingerprint, Name, TenantId, Token};
use crate::ports::{Creation, NewApplication, Tenant as Found};
use futures::future::join_all;

pub async fn a_new_application_is_found_by_its_token(store: Store) {
    let new = new_application();
    assert_eq!(store.create(&new).await, Creation::Created);
    let found = store.tenants.find(new.token).await.expect("find");
    let NewApplication {
        app,
        token,
        name,
        idem_salt,
        key,
        now,
        idem_key: _,
    } = new;
    let expected = Found {
        app,
        token,
        idem_salt,
        keys: vec![key],
    };
    assert_eq!(found, Some(expected));
    let shown = store.tenants.show(TenantId::authenticated(app)).await;
    let expected = Application {
        token,
        name,
        chats_count: 0,
        created_at: now,
        updated_at: now,
    };
    assert_eq!(shown.expect("show"), Some(expected));
}

pub async fn a_token_nobody_has_finds_nothing(store: Store) {
    let token = Token::from_random(rand::random());
    assert_eq!(store.tenants.find(token).await.expect("find"), None);
}

pub async fn an_idempotency_key_makes_one_application(store: Store) {
    let key = format!("{:032x}", rand::random::<u128>());
    let first = NewApplication {
        idem_key: Some((key.clone(), Fingerprint::of(&[b"first"]))),
        ..new_application()
    };
    let second = NewApplication {
        idem_key: Some((key, Fingerprint::of(&[b"second"]))),
        ..new_application()
    };
    assert_eq!(store.create(&first).await, Creation::Created);
    let existing = Creation::Existing {
        token: first.token,
        fingerprint: Fingerprint::of(&[b"first"]),
    };
    assert_eq!(store.create(&second).await, existing);
    assert_eq!(store.create(&first).await, existing);
    assert_eq!(store.tenants.find(second.token).await.expect("find"), None);
}

pub async fn an_idempotency_key_used_at_once_makes_one_application(store: Store) {
    let key = format!("{:032x}", rand::random::<u128>());
    let fingerprint = Fingerprint::of(&[b"same"]);
    let news: Vec<NewApplication> = (0..8)
        .map(|_| NewApplication {
            idem_key: Some((key.clone(), fingerprint)),
            ..new_application()
        })
        .collect();
    let outcomes = join_all(news.iter().map(|new| store.create(new))).await;
    let winners: Vec<Token> = news
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| **outcome == Creation::Created)
        .map(|(new, _)| new.token)
        .collect();
    let [token] = winners[..] else {
        panic!("one request made it: {outcomes:?}");
    };
    let existing = Creation::Existing { token, fingerprint };
    let losers = outcomes
        .iter()
        .filter(|outcome| **outcome != Creation::Created);
    assert!(losers.clone().all(|outcome| *outcome == existing));
    assert_eq!(losers.count(), 7);
}

pub async fn a_taken_token_or_id_is_a_conflict_and_stores_nothing(store: Store) {
    let first = new_application();
    store.create(&first).await;
    let same_token = NewApplication {
        token: first.token,
        ..new_application()
    };
    let same_id = NewApplication {
        app: first.app,
        ..new_application()
    };
    for clash in [&same_token, &same_id] {
        let refused = store.tenants.create(clash.clone()).await;
        assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
    }
    assert_eq!(store.tenants.find(same_id.token).await.expect("find"), None);
    let nobody = TenantId::authenticated(same_token.app);
    assert_eq!(store.tenants.show(nobody).await.expect("show"), None);
    let found = store.tenants.find(first.token).await.expect("find");
    assert_eq!(found.expect("the first stays").keys, [first.key]);
}

pub async fn applications_are_listed_oldest_first(store: Store) {
    let mut made = Vec::new();
    // The youngest is stored first.
    for age in [0, 1, 2] {
        let new = NewApplication {
            now: NOW.plus(-age),
            ..new_application()
        };
        store.create(&new).await;
        made.push(new.token);
    }
    made.reverse();
    let (mut listed, mut total) = (Vec::new(), 1);
    let mut offset = 0;
    while offset < total {
        let (page, now_total) = store.tenants.list(offset, 2).await.expect("list");
        assert!(!page.is_empty() && page.len() <= 2, "a page of two");
        offset += page.len() as u64;
        total = now_total;
        listed.extend(page);
    }
    assert_eq!(listed.len() as u64, total, "the total is what is listed");
    assert!(listed.is_sorted_by_key(|application| application.created_at));
    let own: Vec<Token> = listed
        .iter()
        .map(|application| application.token)
        .filter(|token| made.contains(token))
        .collect();
    assert_eq!(own, made);
}

pub async fn a_renamed_application_shows_its_new_name(store: Store) {
    let tenant = Tenant::new(&store).await;
    let name = Name::parse("new name").expect("it is a name");
    let later = NOW.plus(5);
    assert!(again(|| store.tenants.rename(tenant.id, &name, later)).await);
    let shown = store.tenants.show(tenant.id).await.expect("show");
    let shown = shown.expect("it is live");
    assert_eq!((shown.name, shown.updated_at), (name, later));
    assert_eq!(shown.created_at, NOW);
}

pub async fn a_deleted_application_is_found_by_nobody(store: Store) {
    let tenant = Tenant::with_chats(&store, 2).await;
    tenant.delete().await;
    assert_eq!(store.tenants.find(tenant.token).await.expect("find"), None);
    assert_eq!(store.tenants.show(tenant.id).await.expect("show"), None);
    let name = Name::parse("too late").expect("it is a name");
    assert!(!again(|| store.tenants.rename(tenant.id, &name, NOW)).await);
    assert!(!again(|| store.tenants.delete(tenant.id, NOW)).await);
    assert!(!again(|| store.tenants.add_key(tenant.id, new_key(), 9)).await);
    let (listed, _) = store.tenants.list(0, 1_000).await.expect("list");
    assert!(listed.iter().all(|listed| listed.token != tenant.token));
}

pub async fn keys_have_a_limit_also_when_asked_for_at_once(store: Store) {
    let tenant = Tenant::new(&store).await;
    let keys: Vec<_> = (0..8).map(|_| new_key()).collect();
    let added = join_all(
        keys.iter()
            .map(|key| again(|| store.tenants.add_key(tenant.id, key.clone(), 3))),
    )
    .await;
    assert_eq!(added.iter().filter(|added| **added).count(), 2);
    let found = store.tenants.find(tenant.token).await.expect("find");
    assert_eq!(found.expect("it is live").keys.len(), 3);
}

pub async fn a_revoked_key_stays_listed_and_makes_room(store: Store) {
    let tenant = Tenant::new(&store).await;
    let (first, second) = (new_key(), new_key());
    assert!(again(|| store.tenants.add_key(tenant.id, first.clone(), 2)).await);
    assert!(!again(|| store.tenants.add_key(tenant.id, second.clone(), 2)).await);
    assert!(again(|| store.tenants.revoke_key(tenant.id, &first.id, NOW.plus(1))).await);
    assert!(!again(|| store.tenants.revoke_key(tenant.id, &first.id, NOW.plus(2))).await);
    assert!(again(|| store.tenants.add_key(tenant.id, second.clone(), 2)).await);
    let found = store.tenants.find(tenant.token).await.expect("find");
    let keys = found.expect("it is live").keys;
    let revoked: Vec<_> = keys.iter().filter(|key| key.revoked_at.is_some()).collect();
    assert_eq!(revoked.len(), 1);
    assert_eq!(revoked[0].id, first.id);
    assert_eq!(revoked[0].revoked_at, Some(NOW.plus(1)));
    assert!(keys.contains(&second));
}

pub async fn no_tenant_revokes_the_key_of_another(store: Store) {
    let (own, other) = (Tenant::new(&store).await, Tenant::new(&store).await);
    let key = new_key();
    assert!(again(|| store.tenants.add_key(own.id, key.clone(), 2)).await);
    assert!(!again(|| store.tenants.revoke_key(other.id, &key.id, NOW)).await);
    let found = store.tenants.find(own.token).await.expect("find");
    assert!(found.expect("it is live").keys.contains(&key));
}
