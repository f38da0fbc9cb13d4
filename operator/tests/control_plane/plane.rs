//! The control plane that `tests/control-plane/with` starts, and namespaces in it for each test.

use crate::room::{Request, Room};
use futures::FutureExt;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::networking::v1::IngressClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, Config};
use serde_json::json;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::str::FromStr;
use std::time::Duration;
use tokio::sync::Mutex;

pub(crate) const DEFINITION: &str = include_str!("../../../crds/chatsystem.yaml");

/// Nobody waits longer; it is a failure then. What failed is tried again after a minute at most, and may fail once more.
const PATIENCE: Duration = Duration::from_secs(150);
const PAUSE: Duration = Duration::from_millis(50);

/// Runs a test in a namespace of its own, which goes afterwards; says SKIPPED where there is no control plane.
pub(crate) fn in_a_namespace<F: Future<Output = ()>>(test: impl FnOnce(Room) -> F) {
    in_rooms(async |rooms| rooms.with(test).await);
}

/// The same for a test that needs several.
pub(crate) fn in_rooms(test: impl AsyncFnOnce(Rooms)) {
    let (Some(kubeconfig), Some(audit)) = (
        setting("CONTROL_PLANE_KUBECONFIG"),
        setting("CONTROL_PLANE_AUDIT"),
    ) else {
        return;
    };
    // The first test starts it.
    let _ = chat::telemetry::init(&log(), chat::config::LogFormat::Human);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(test(Rooms { kubeconfig, audit }));
}

/// What the operators of the tests say: CONTROL_PLANE_LOG=info shows it.
pub(crate) fn log() -> String {
    chosen("CONTROL_PLANE_LOG", "off".to_owned())
}

/// What whoever runs the tests may choose.
#[expect(
    clippy::disallowed_methods,
    reason = "it reads no settings of a program"
)]
pub(crate) fn chosen<T: FromStr>(name: &str, otherwise: T) -> T {
    match std::env::var(name).ok().map(|text| text.parse()) {
        Some(Ok(chosen)) => chosen,
        Some(Err(_)) => panic!("{name} cannot be read"),
        None => otherwise,
    }
}

pub(crate) struct Rooms {
    kubeconfig: String,
    audit: String,
}

impl Rooms {
    /// A namespace, as long as this takes. Nothing that the operator asks for in it may be forbidden.
    pub(crate) async fn with<T, F: Future<Output = T>>(&self, test: impl FnOnce(Room) -> F) -> T {
        let room = Room::new(&self.kubeconfig, &self.audit).await;
        let guest = room.clone();
        let outcome = AssertUnwindSafe(test(guest)).catch_unwind().await;
        // What is still on its way when the namespace goes is refused for that.
        let forbidden = |request: &Request| request.code == 403;
        let forbidden: Vec<_> = room.requests().into_iter().filter(forbidden).collect();
        let namespaces: Api<Namespace> = Api::all(room.admin.clone());
        namespaces
            .delete(&room.namespace, &DeleteParams::default())
            .await
            .unwrap();
        match outcome {
            Err(panic) => resume_unwind(panic),
            Ok(outcome) => {
                assert!(forbidden.is_empty(), "{forbidden:?}");
                outcome
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "it reads no settings of a program"
)]
pub(crate) fn setting(name: &str) -> Option<String> {
    let read = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let found = read(name);
    if found.is_none() {
        assert!(
            read("CONTROL_PLANE_REQUIRED").is_none(),
            "{name} is not set, and CONTROL_PLANE_REQUIRED says that this test must run"
        );
        eprintln!("SKIPPED: {name} is not set; `make test-control-plane` sets it");
    }
    found
}

/// Asks again and again until there is an answer.
pub(crate) async fn eventually<T>(what: &str, probe: impl AsyncFn() -> Option<T>) -> T {
    let answer = patiently(probe).await;
    answer.unwrap_or_else(|| panic!("not within {PATIENCE:?}: {what}"))
}

/// The same; `None`: there was none in time.
pub(crate) async fn patiently<T>(probe: impl AsyncFn() -> Option<T>) -> Option<T> {
    let asking = async {
        loop {
            if let Some(answer) = probe().await {
                return answer;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.ok()
}

pub(crate) async fn config(kubeconfig: &str, context: &str) -> Config {
    let config = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions {
        context: Some(context.to_owned()),
        ..KubeConfigOptions::default()
    };
    Config::from_custom_kubeconfig(config, &options)
        .await
        .unwrap()
}

/// What an Ingress gets that names no class, as on most clusters.
pub(crate) const DEFAULT_CLASS: &str = "default";

/// Installs the definition, once, and a default class for Ingresses.
pub(crate) async fn prepare(admin: &Client) {
    static PREPARED: Mutex<bool> = Mutex::const_new(false);
    let mut prepared = PREPARED.lock().await;
    if *prepared {
        return;
    }
    install(admin, serde_saphyr::from_str(DEFINITION).unwrap()).await;
    let class = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": { "name": DEFAULT_CLASS, "annotations": { "ingressclass.kubernetes.io/is-default-class": "true" } },
        "spec": { "controller": "example.com/none" },
    });
    let params = PatchParams::apply("test").force();
    Api::<IngressClass>::all(admin.clone())
        .patch(DEFAULT_CLASS, &params, &Patch::Apply(&class))
        .await
        .unwrap();
    *prepared = true;
}

pub(crate) async fn install(admin: &Client, definition: CustomResourceDefinition) {
    let api: Api<CustomResourceDefinition> = Api::all(admin.clone());
    let name = definition.metadata.name.clone().unwrap();
    let params = PatchParams::apply("test").force();
    api.patch(&name, &params, &Patch::Apply(&definition))
        .await
        .unwrap();
    let established = await_condition(api, &name, conditions::is_crd_established());
    tokio::time::timeout(PATIENCE, established)
        .await
        .unwrap()
        .unwrap();
}

pub(crate) fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}
