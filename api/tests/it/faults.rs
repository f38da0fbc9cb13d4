//! What goes wrong behind the rules, as a client sees it.

use crate::system::{ADMIN_KEY, Answer, call, open};
use api::ApiSettings;
use async_trait::async_trait;
use axum::Router;
use chat::adapters::memory_limiter::MemoryLimiter;
use chat::adapters::memory_numbers::MemoryNumbers;
use chat::adapters::memory_search::MemorySearch;
use chat::adapters::sql::{SqlStore, open_sqlite};
use chat::config::Auth;
use chat::error::{Error, Result};
use chat::event::Envelope;
use chat::model::{Application, GapCause, KeyId, Millis, Name, Number, State, TenantId, Token};
use chat::ops::{Ops, Ports};
use chat::ports::{Creation, KeyRecord, NewApplication, Numbers, Publisher, Slot, Tenant, Tenants};
use http::Method;
use serde_json::json;
use std::sync::{Arc, Mutex};

/// Publishing fails as told.
#[derive(Clone)]
struct FailingQueue(Arc<Mutex<fn() -> Error>>);

#[async_trait]
impl Publisher for FailingQueue {
    async fn slot(&self) -> Result<Box<dyn Slot>> {
        Ok(Box::new(self.clone()))
    }

    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Slot for FailingQueue {
    async fn publish(self: Box<Self>, _: Envelope) -> Result<()> {
        let error = *self.0.lock().unwrap();
        Err(error())
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Panic,
    Hang,
}

/// Looking an application up fails as told; everything else works.
struct FailingTenants {
    store: SqlStore,
    fault: Arc<Mutex<Fault>>,
}

#[async_trait]
impl Tenants for FailingTenants {
    async fn create(&self, new: NewApplication) -> Result<Creation> {
        self.store.create(new).await
    }

    async fn find(&self, token: Token) -> Result<Option<Tenant>> {
        let fault = *self.fault.lock().unwrap();
        match fault {
            Fault::None => self.store.find(token).await,
            Fault::Panic => panic!("a secret of the inside"),
            Fault::Hang => std::future::pending().await,
        }
    }

    async fn show(&self, tenant: TenantId) -> Result<Option<Application>> {
        self.store.show(tenant).await
    }

    async fn list(&self, offset: u64, limit: u32) -> Result<(Vec<Application>, u64)> {
        self.store.list(offset, limit).await
    }

    async fn rename(&self, tenant: TenantId, name: &Name, now: Millis) -> Result<bool> {
        self.store.rename(tenant, name, now).await
    }

    async fn delete(&self, tenant: TenantId, now: Millis) -> Result<bool> {
        Tenants::delete(&self.store, tenant, now).await
    }

    async fn add_key(&self, tenant: TenantId, key: KeyRecord, limit: u32) -> Result<bool> {
        self.store.add_key(tenant, key, limit).await
    }

    async fn revoke_key(&self, tenant: TenantId, id: &KeyId, now: Millis) -> Result<bool> {
        self.store.revoke_key(tenant, id, now).await
    }
}

struct Failing {
    router: Router,
    queue: FailingQueue,
    fault: Arc<Mutex<Fault>>,
    /// The path of an application with a chat that takes messages.
    application: String,
    _dir: tempfile::TempDir,
}

async fn a_failing_system(settings: ApiSettings) -> Failing {
    let dir = tempfile::tempdir().unwrap();
    let store = open_sqlite(&dir.path().join("chat.db"), None)
        .await
        .unwrap();
    let queue = FailingQueue(Arc::new(Mutex::new(|| Error::Unroutable)));
    let fault = Arc::new(Mutex::new(Fault::None));
    let port = Arc::new(store.clone());
    let numbers = Arc::new(MemoryNumbers::new(port.clone(), 10));
    let ops = Ops::new(Ports {
        tenants: Arc::new(FailingTenants {
            store: store.clone(),
            fault: fault.clone(),
        }),
        reader: port.clone(),
        across: port.clone(),
        sequences: port,
        numbers: numbers.clone(),
        publisher: Arc::new(queue.clone()),
        search: Arc::new(MemorySearch::default()),
    });
    let router = api::router(ops, Arc::new(MemoryLimiter::default()), settings);
    let created = call(&router, Method::POST, "/api/v1/applications")
        .key(ADMIN_KEY)
        .json(json!({ "name": "a" }));
    let created = created.send().await.expect(201);
    let application = created.location();
    let token = Token::parse(created.body["token"].as_str().unwrap()).unwrap();
    let app = store.find(token).await.unwrap().unwrap().app;
    let chat = chat::model::ChatKey {
        app,
        number: Number::new(1).unwrap(),
    };
    numbers.mark(chat, State::Live).await;
    Failing {
        router,
        queue,
        fault,
        application,
        _dir: dir,
    }
}

impl Failing {
    async fn send_a_message(&self) -> Answer {
        let messages = format!("{}/chats/1/messages", self.application);
        call(&self.router, Method::POST, &messages)
            .json(json!({ "content": "x" }))
            .send()
            .await
    }
}

#[tokio::test]
async fn every_error_has_its_status_and_type() {
    let system = a_failing_system(open()).await;
    type Row = (fn() -> Error, u16, &'static str);
    let table: [Row; 13] = [
        (|| Error::NotFound, 404, "not-found"),
        (|| Error::Gone, 410, "gone"),
        (|| Error::NotYetStored, 503, "not-yet-stored"),
        (
            || Error::Invalid {
                field: "content",
                problem: "p".into(),
                fix: "f".into(),
            },
            400,
            "invalid-request",
        ),
        (|| Error::Unauthenticated, 401, "unauthenticated"),
        (|| Error::Forbidden, 403, "forbidden"),
        (
            || Error::InFlight {
                retry_after_ms: 1_500,
            },
            409,
            "in-flight",
        ),
        (|| Error::IdempotencyMismatch, 422, "idempotency-mismatch"),
        (|| Error::Conflict, 503, "busy"),
        (|| Error::Busy("the inside".into()), 503, "busy"),
        (|| Error::Unroutable, 503, "unroutable"),
        (
            || Error::unavailable("store", "the inside"),
            503,
            "unavailable",
        ),
        (|| Error::internal("the inside"), 500, "internal"),
    ];
    for (error, status, slug) in table {
        *system.queue.0.lock().unwrap() = error;
        let answer = system.send_a_message().await.problem(status, slug);
        assert!(!answer.text.contains("inside"), "{answer:?}");
        if status == 409 {
            assert_eq!(answer.header("retry-after"), "2");
        }
    }
    *system.queue.0.lock().unwrap() = || Error::NeverStored {
        cause: GapCause::BlockLost,
    };
    assert_eq!(
        system
            .send_a_message()
            .await
            .problem(404, "never-stored")
            .body["cause"],
        "block_lost"
    );
}

#[tokio::test]
async fn an_unknown_outcome_tells_number_and_id() {
    let system = a_failing_system(open()).await;
    *system.queue.0.lock().unwrap() = || Error::OutcomeUnknown {
        number: None,
        uid: None,
    };
    let unknown = system
        .send_a_message()
        .await
        .problem(503, "outcome-unknown");
    assert_eq!(unknown.body["number"], 1);
    assert_eq!(unknown.body["id"].as_str().unwrap().len(), 36);
    let path = format!("{}/chats/1/messages/1", system.application);
    call(&system.router, Method::GET, &path)
        .send()
        .await
        .expect(202);
}

#[tokio::test]
async fn a_panic_is_an_internal_error_without_internals() {
    let system = a_failing_system(open()).await;
    *system.fault.lock().unwrap() = Fault::Panic;
    let answer = call(&system.router, Method::GET, &system.application)
        .send()
        .await
        .problem(500, "internal");
    assert!(!answer.text.contains("secret"), "{answer:?}");
    *system.fault.lock().unwrap() = Fault::None;
    call(&system.router, Method::GET, &system.application)
        .send()
        .await
        .expect(200);
}

/// Takes as long as the deadline of a request.
#[tokio::test]
async fn at_most_512_requests_are_at_work_and_none_longer_than_15_seconds() {
    let system = a_failing_system(open()).await;
    *system.fault.lock().unwrap() = Fault::Hang;
    let ask = || tokio::spawn(call(&system.router, Method::GET, &system.application).send());
    let hanging: Vec<_> = (0..512).map(|_| ask()).collect();
    // Refused at once, while the others hang.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while call(&system.router, Method::GET, "/nowhere")
        .send()
        .await
        .status
        != 503
    {
        assert!(
            tokio::time::Instant::now() < deadline,
            "nothing was refused"
        );
        tokio::task::yield_now().await;
    }
    call(&system.router, Method::GET, &system.application)
        .send()
        .await
        .problem(503, "busy");
    for answer in hanging {
        answer.await.unwrap().problem(504, "timeout");
    }
    call(&system.router, Method::GET, "/nowhere")
        .send()
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn a_store_that_hangs_behind_a_key_does_not_let_anybody_in() {
    let keys = Auth::Keys {
        admin_key: Some(ADMIN_KEY.to_owned().into()),
    };
    let system = a_failing_system(ApiSettings {
        auth: keys,
        ..open()
    })
    .await;
    *system.fault.lock().unwrap() = Fault::Panic;
    call(&system.router, Method::GET, &system.application)
        .key("cs_x")
        .send()
        .await
        .problem(500, "internal");
}
