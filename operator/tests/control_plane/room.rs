//! A namespace of a test: what it is given, what is asked for in it, and what is waited for.

use crate::plane::{config, eventually, install, named, prepare};
use crate::rights::granted::RIGHTS;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use operator::crd::{ChatSystem, Role};
use operator::manifest;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

const TEN_LINES: &str = include_str!("../../../examples/ten-lines.yaml");

/// A namespace.
#[derive(Clone)]
pub(crate) struct Room {
    /// May do everything.
    pub(crate) admin: Client,
    pub(crate) kubeconfig: String,
    pub(crate) namespace: String,
    audit: String,
}

/// What the operator asked the API server for, as that wrote it down.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) verb: String,
    /// Resource and subresource.
    pub(crate) of: String,
    pub(crate) name: String,
    pub(crate) code: u64,
}

impl Request {
    pub(crate) fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

impl Room {
    pub(crate) async fn new(kubeconfig: &str, audit: &str) -> Self {
        static ROOMS: AtomicUsize = AtomicUsize::new(0);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let admin = Client::try_from(config(kubeconfig, "admin").await).unwrap();
        prepare(&admin).await;
        let number = ROOMS.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("room-{}-{number}", std::process::id());
        let namespaces: Api<Namespace> = Api::all(admin.clone());
        let object = Namespace {
            metadata: named(&namespace),
            ..Namespace::default()
        };
        namespaces
            .create(&PostParams::default(), &object)
            .await
            .unwrap();
        let room = Self {
            admin,
            kubeconfig: kubeconfig.to_owned(),
            audit: audit.to_owned(),
            namespace,
        };
        room.grant().await;
        room.put_secrets("1").await;
        room
    }

    /// What the chart grants in a namespace that is watched.
    async fn grant(&self) {
        let rules: Value = serde_saphyr::from_str(RIGHTS).unwrap();
        let all: Vec<_> = ["watched", "own"]
            .iter()
            .flat_map(|place| rules[*place].as_array().unwrap())
            .collect();
        let role = json!({ "metadata": { "name": "operator" }, "rules": all });
        let binding = json!({
            "metadata": { "name": "operator" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator" },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "operator" }],
        });
        self.create("rbac.authorization.k8s.io/v1", "Role", "roles", role)
            .await;
        self.create(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "rolebindings",
            binding,
        )
        .await;
    }

    async fn create(&self, version: &str, kind: &str, plural: &str, object: Value) {
        let api = self.dynamic(version, kind, plural);
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        api.create(&PostParams::default(), &object).await.unwrap();
    }

    pub(crate) fn dynamic(&self, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        let (group, short) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource {
            group: group.to_owned(),
            version: short.to_owned(),
            api_version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        Api::namespaced_with(self.admin.clone(), &self.namespace, &resource)
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.admin.clone(), &self.namespace)
    }

    pub(crate) fn systems(&self) -> Api<ChatSystem> {
        self.api()
    }

    /// The Secrets that the sample refers to.
    pub(crate) async fn put_secrets(&self, password: &str) {
        for name in [
            "acme-mysql",
            "acme-redis",
            "acme-rabbitmq",
            "acme-elasticsearch",
        ] {
            self.put_secret(name, password).await;
        }
    }

    pub(crate) async fn put_secret(&self, name: &str, password: &str) {
        // Nobody listens on port 1.
        let url = format!("amqps://chat:{password}@127.0.0.1:1/chat");
        let management = format!("https://chat:{password}@127.0.0.1:1");
        self.put_addresses(name, &url, &management).await;
    }

    pub(crate) async fn delete_secret(&self, name: &str) {
        let secrets: Api<Secret> = self.api();
        secrets
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }

    /// Where the broker is, and its management API.
    pub(crate) async fn put_broker(&self, url: &str, management: &str) {
        self.put_addresses("acme-rabbitmq", url, management).await;
    }

    async fn put_addresses(&self, name: &str, url: &str, management: &str) {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": name },
            "stringData": { "url": url, "managementUrl": management },
        });
        let secrets: Api<Secret> = self.api();
        let params = PatchParams::apply("test").force();
        let patch = Patch::Apply(&secret);
        secrets.patch(name, &params, &patch).await.unwrap();
    }

    /// The sample of ten lines, with a change.
    pub(crate) async fn install(&self, change: impl FnOnce(&mut ChatSystem)) -> ChatSystem {
        let mut system = self.sample();
        change(&mut system);
        self.systems()
            .create(&PostParams::default(), &system)
            .await
            .unwrap()
    }

    pub(crate) fn sample(&self) -> ChatSystem {
        let mut system = manifest::read(TEN_LINES).unwrap().remove(0);
        system.metadata.namespace = Some(self.namespace.clone());
        system
    }

    pub(crate) async fn system(&self) -> ChatSystem {
        self.systems().get("acme").await.unwrap()
    }

    pub(crate) async fn merge(&self, patch: Value) -> ChatSystem {
        self.try_merge(patch).await.unwrap()
    }

    pub(crate) async fn try_merge(&self, patch: Value) -> Result<ChatSystem, kube::Error> {
        let params = PatchParams::default();
        self.systems()
            .patch("acme", &params, &Patch::Merge(&patch))
            .await
    }

    /// Makes the cluster know a kind.
    pub(crate) async fn define(&self, group: &str, kind: &str, plural: &str) {
        let anything = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": format!("{plural}.{group}"),
                // Groups of Kubernetes ask for it.
                "annotations": { "api-approved.kubernetes.io": "unapproved, of a test" },
            },
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": { "kind": kind, "plural": plural },
                "versions": [{
                    "name": "v1",
                    "served": true,
                    "storage": true,
                    "schema": { "openAPIV3Schema": anything },
                }],
            },
        });
        install(&self.admin, serde_json::from_value(definition).unwrap()).await;
    }

    /// Makes the operator look, as a person who is impatient would.
    pub(crate) async fn poke(&self) {
        static POKES: AtomicUsize = AtomicUsize::new(0);
        let poke = POKES.fetch_add(1, Ordering::Relaxed).to_string();
        self.merge(json!({ "metadata": { "annotations": { "test/poke": poke } } }))
            .await;
    }

    /// Makes whoever watches Deployments look at them.
    pub(crate) async fn poke_deployments(&self) {
        let deployments = self.api::<Deployment>();
        let poke = Patch::Merge(json!({ "metadata": { "annotations": { "test/poke": "1" } } }));
        for deployment in deployments.list(&ListParams::default()).await.unwrap() {
            let name = deployment.metadata.name.unwrap();
            deployments
                .patch(&name, &PatchParams::default(), &poke)
                .await
                .unwrap();
        }
    }

    /// Status and reason of a condition, once it is about the newest specification.
    pub(crate) async fn condition(&self, kind: &str) -> Option<(String, String)> {
        condition(&self.systems().get_opt("acme").await.unwrap()?, kind)
    }

    /// Of the operator in this namespace so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let log = std::fs::read_to_string(&self.audit).unwrap();
        let ours = format!("\"namespace\":\"{}\"", self.namespace);
        let lines = log.lines().filter(|line| line.contains(&ours));
        let entries = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        let by_operator = entries.filter(|entry| entry["user"]["username"] == "operator");
        by_operator
            .map(|entry| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let object = &entry["objectRef"];
                let parts = [text(&object["resource"]), text(&object["subresource"])];
                Request {
                    verb: text(&entry["verb"]),
                    of: parts.join("/").trim_end_matches('/').to_owned(),
                    name: text(&object["name"]),
                    code: entry["responseStatus"]["code"].as_u64().unwrap_or(0),
                }
            })
            .collect()
    }

    /// Ready, every pod of the version that is asked for, and as many as are asked for.
    pub(crate) async fn until_settled(&self) {
        self.until_ready().await;
        eventually("all pods are as they should be", async || {
            let spec = self.system().await.spec;
            let deployments = self
                .api::<Deployment>()
                .list(&ListParams::default())
                .await
                .unwrap();
            let settled = deployments.iter().all(|deployment| {
                let name = deployment.metadata.name.as_deref().unwrap();
                let own = deployment.spec.as_ref().unwrap();
                let image = own.template.spec.as_ref().unwrap().containers[0]
                    .image
                    .as_deref();
                let new = image.unwrap().ends_with(&format!(":{}", spec.version));
                let bounds = |role| {
                    let bounds = &spec.workers.role(role).autoscaling;
                    bounds.min_replicas..=bounds.max_replicas
                };
                // Nobody scales for the autoscaler here.
                let wanted = match name.strip_prefix("acme-worker-") {
                    None if spec.api.autoscaling.is_some() => 0..=i32::MAX,
                    None => spec.api.replicas..=spec.api.replicas,
                    Some("chats") => bounds(Role::Chats),
                    Some("messages") => bounds(Role::Messages),
                    Some(_) => bounds(Role::Indexing),
                };
                new && wanted.contains(&own.replicas.unwrap())
            });
            (settled && deployments.items.len() == 4).then_some(())
        })
        .await;
        self.until_ready().await;
    }

    /// The same, once the API's pods have another checksum.
    pub(crate) async fn until_settled_after(&self, before: &str, annotation: &str) {
        eventually("the API is rolled", async || {
            (self.checksum("acme-api", annotation).await != before).then_some(())
        })
        .await;
        self.until_settled().await;
    }

    /// An annotation of a Deployment's pods.
    pub(crate) async fn checksum(&self, deployment: &str, annotation: &str) -> String {
        let deployment = self.api::<Deployment>().get(deployment).await.unwrap();
        let pods = deployment.spec.unwrap().template.metadata.unwrap();
        pods.annotations.unwrap()[annotation].clone()
    }

    /// Everything is rolled out and works.
    pub(crate) async fn until_ready(&self) {
        eventually("it is ready and at rest", async || {
            let system = self.systems().get_opt("acme").await.unwrap()?;
            is_ready(&system).then_some(())
        })
        .await;
    }

    pub(crate) async fn until_workers_of_messages(&self, wanted: i32) {
        let what = format!("there are {wanted} workers of messages");
        eventually(&what, async || {
            let deployments = self.api::<Deployment>();
            let messages = deployments.get("acme-worker-messages").await.unwrap();
            (messages.spec?.replicas == Some(wanted)).then_some(())
        })
        .await;
    }

    /// The first event with this reason.
    pub(crate) async fn event(&self, reason: &str) -> Event {
        eventually(&format!("an event says {reason}"), async || {
            self.events(reason).await.into_iter().next()
        })
        .await
    }

    pub(crate) async fn events(&self, reason: &str) -> Vec<Event> {
        let events = self.api::<Event>();
        let events = events.list(&ListParams::default()).await.unwrap().items;
        let said = |event: &Event| event.reason.as_deref() == Some(reason);
        events.into_iter().filter(said).collect()
    }

    pub(crate) async fn until(&self, kind: &str, reason: &str) {
        let what = format!("the reason of {kind} is {reason}");
        eventually(&what, async || {
            let (_, found) = self.condition(kind).await?;
            (found == reason).then_some(())
        })
        .await;
    }
}

/// Status and reason of a condition, once it is about the newest specification.
fn condition(system: &ChatSystem, kind: &str) -> Option<(String, String)> {
    let status = system.status.as_ref()?;
    if status.observed_generation != system.metadata.generation {
        return None;
    }
    let mut conditions = status.conditions.iter();
    let found = conditions.find(|found| found.type_ == kind)?;
    Some((found.status.clone(), found.reason.clone()))
}

/// Everything is rolled out and works.
pub(crate) fn is_ready(system: &ChatSystem) -> bool {
    let is = |kind: &str, wanted: &str| {
        condition(system, kind).is_some_and(|(status, _)| status == wanted)
    };
    is("Ready", "True") && is("Progressing", "False")
}
