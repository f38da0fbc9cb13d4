//! What waits in the queues, as a management API of the test says it, and how many workers follow.

use crate::kubelet::Kubelet;
use crate::plane::{eventually, in_a_namespace};
use crate::process::Process;
use crate::room::Room;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{DeleteParams, PostParams};
use operator::crd::TlsMode;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A management API whose `chat.messages` has so many ready; below 0 it answers 503.
#[derive(Clone)]
pub(crate) struct Queues {
    ready: Arc<AtomicI64>,
    asked: Arc<AtomicUsize>,
    shown: Arc<Mutex<Option<Instant>>>,
}

impl Queues {
    /// With the address it is reached at. Ends with the tasks.
    pub(crate) async fn serve(ready: i64, tasks: &mut JoinSet<()>) -> (Self, String) {
        let queues = Self {
            ready: Arc::new(AtomicI64::new(ready)),
            asked: Arc::default(),
            shown: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://chat:secret@{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/api/queues/{vhost}", get(answer))
            .with_state(queues.clone());
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        (queues, address)
    }

    pub(crate) fn set(&self, ready: i64) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// When an answer showed for the first time that something waits.
    pub(crate) fn shown(&self) -> Option<Instant> {
        *self.shown.lock().unwrap()
    }

    /// Returns when it was asked so often again.
    async fn until_asked(&self, more: usize) {
        let before = self.asked.load(Ordering::Relaxed);
        eventually(&format!("it is asked {more} times"), async || {
            (self.asked.load(Ordering::Relaxed) >= before + more).then_some(())
        })
        .await;
    }
}

async fn answer(State(queues): State<Queues>, Path(vhost): Path<String>) -> Response {
    queues.asked.fetch_add(1, Ordering::Relaxed);
    let ready = queues.ready.load(Ordering::Relaxed);
    if ready < 0 || vhost != "chat" {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if ready > 0 {
        queues
            .shown
            .lock()
            .unwrap()
            .get_or_insert_with(Instant::now);
    }
    let names = [
        "chat.chats",
        "chat.messages",
        "chat.suspect",
        "chat.unrouted",
        "chat.indexing",
        "chat.dead",
    ];
    let queues: Vec<Value> = names
        .iter()
        .map(|name| {
            let waiting = if *name == "chat.messages" { ready } else { 0 };
            json!({ "name": name, "state": "running", "messages_ready": waiting, "messages_unacknowledged": 0 })
        })
        .collect();
    axum::Json(queues).into_response()
}

async fn install(room: &Room, management: &str) {
    room.put_broker("amqp://chat:secret@127.0.0.1:1/chat", management)
        .await;
    room.install(|system| system.spec.rabbitmq.tls.mode = TlsMode::Plaintext)
        .await;
    room.until_ready().await;
    room.until("QueueMetricsAvailable", "SampleComplete").await;
}

#[test]
fn workers_follow_what_waits_and_stay_while_nobody_knows() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        let mut tasks = JoinSet::new();
        let (queues, management) = Queues::serve(0, &mut tasks).await;
        install(&room, &management).await;
        // Whatever is known is acted on at once.
        let autoscaling = json!({ "scaleDownStabilizationSeconds": 0 });
        room.merge(
            json!({ "spec": { "workers": { "messages": { "autoscaling": autoscaling } } } }),
        )
        .await;
        room.until_workers_of_messages(1).await;

        queues.set(18_000);
        room.until_workers_of_messages(4).await;
        let status = eventually("the status says how much waits", async || {
            let status = room.system().await.status?;
            (status.backlog == Some(18_000)).then_some(status)
        })
        .await;
        let messages = status
            .workers
            .iter()
            .find(|workers| workers.role.name() == "messages");
        assert_eq!(messages.unwrap().desired_replicas, 4);

        queues.set(-1);
        room.until("QueueMetricsAvailable", "ManagementUnreachable")
            .await;
        // Each answer is followed by a decision, and so is each of the five seconds between them.
        queues.until_asked(2).await;
        room.poke().await;
        room.until("QueueMetricsAvailable", "ManagementUnreachable")
            .await;
        let requests = room.requests();
        let scaled = requests.iter().filter(|request| {
            request.is_write()
                && request.of == "deployments/scale"
                && request.name == "acme-worker-messages"
                && request.code == 200
        });
        assert_eq!(scaled.count(), 1, "up, and then never again");
        room.until_workers_of_messages(4).await;
    });
}

#[test]
fn an_autoscaler_of_somebody_else_is_left_alone() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        let mut tasks = JoinSet::new();
        let (queues, management) = Queues::serve(0, &mut tasks).await;
        install(&room, &management).await;
        let foreign = json!({
            "metadata": { "name": "foreign" },
            "spec": {
                "maxReplicas": 3,
                "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "acme-worker-messages" },
            },
        });
        let foreign: HorizontalPodAutoscaler = serde_json::from_value(foreign).unwrap();
        let autoscalers = room.api::<HorizontalPodAutoscaler>();
        autoscalers
            .create(&PostParams::default(), &foreign)
            .await
            .unwrap();

        queues.set(18_000);
        room.event("ForeignAutoscaler").await;
        room.until_workers_of_messages(1).await;
        autoscalers
            .delete("foreign", &DeleteParams::default())
            .await
            .unwrap();
        room.until_workers_of_messages(4).await;
    });
}
