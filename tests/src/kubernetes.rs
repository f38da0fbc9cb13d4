//! A system on the Kubernetes of `make cluster-up`, handled by kubectl and helm as people handle it.

use crate::eventually::eventually;
use crate::place::Place;
use crate::queues::Queues;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

/// For whatever Kubernetes does by itself on a busy machine.
pub const SOON: Duration = Duration::from_secs(300);
/// What a number's explanation waits for at most.
const GRACE_SECONDS: u32 = 3_600;

const ANSWERED: &str = "only an answer is right";

/// Who makes the pods of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// `charts/chat-system`.
    Chart,
    /// Out of a ChatSystem.
    Operator,
}

/// The system `acme` in one namespace, on the servers of `charts/chat-backends` there.
#[derive(Clone, Debug)]
pub struct System {
    namespace: String,
    place: Place,
    pub maker: Maker,
}

impl System {
    /// As `tests/cluster/e2e` tells in the environment: a namespace, and addresses that do not change when pods do. None
    /// outside of it.
    #[expect(
        clippy::disallowed_methods,
        reason = "who started the cluster says where it is"
    )]
    pub fn of_this_run() -> Option<Self> {
        let said = |name: &str| std::env::var(name).ok();
        let management = said("E2E_MANAGEMENT_URL")?;
        Some(Self {
            maker: match said("E2E_MAKER")?.as_str() {
                "operator" => Maker::Operator,
                _ => Maker::Chart,
            },
            namespace: said("E2E_NAMESPACE")?,
            place: Place {
                apis: vec![said("E2E_API_URL")?],
                admins: Vec::new(),
                admin_key: Some(said("E2E_ADMIN_KEY")?),
                queues: Some(Queues::new(&management, "%2f")),
            },
        })
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What kubectl printed about something in the namespace; panics with its complaint.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let said = self.try_kubectl(arguments);
        said.unwrap_or_else(|complaint| panic!("kubectl {arguments:?}: {complaint}"))
    }

    /// What it printed, or its complaint.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let namespace = ["--namespace", &self.namespace];
        run(Command::new("kubectl").args(namespace).args(arguments))
    }

    /// Changes the ChatSystem.
    pub fn patch(&self, patch: &str) {
        self.kubectl(&["patch", "chatsystem/acme", "--type=merge", "--patch", patch]);
    }

    /// Returns once every pod is of this version and ready.
    pub async fn roll_to(&self, version: &str) {
        match self.maker {
            Maker::Chart => {
                let tag = format!("image.tag={version}");
                self.helm(&["upgrade", "acme", &chart(), "--reuse-values", "--set", &tag]);
            }
            Maker::Operator => self.patch(&format!(r#"{{"spec":{{"version":"{version}"}}}}"#)),
        }
        let of_version = |images: &Result<String, String>| {
            let Ok(images) = images else { return false };
            let mut images = images.split_whitespace().peekable();
            images.peek().is_some() && images.all(|image| image.ends_with(&format!(":{version}")))
        };
        let path = "{.items[*].spec.template.spec.containers[*].image}";
        let images = eventually(SOON, async || self.of_deployments(path), of_version);
        images.await.expect(ANSWERED);
        self.is_ready().await;
    }

    /// Returns once the last specification is carried out and every pod is ready.
    pub async fn is_ready(&self) {
        if self.maker == Maker::Operator {
            let path = "jsonpath={.metadata.generation}/{.status.observedGeneration}/\
                        {.status.conditions[?(@.type==\"Ready\")].status}";
            let asked = ["get", "chatsystem/acme", "--output", path];
            let right = |now: &Result<String, String>| {
                let Ok(now) = now else { return false };
                matches!(now.split('/').collect::<Vec<_>>()[..], [wanted, seen, "True"] if wanted == seen)
            };
            let ready = eventually(SOON, async || self.try_kubectl(&asked), right);
            ready.await.expect(ANSWERED);
        }
        // Of each Deployment: what is wanted, what is of the newest template, what is ready, what there is.
        let path = "{range .items[*]}{.spec.replicas},{.status.updatedReplicas},{.status.readyReplicas},{.status.replicas} {end}";
        let all_equal = |now: &Result<String, String>| {
            let Ok(now) = now else { return false };
            let equal = |deployment: &str| {
                let mut counts = deployment.split(',');
                let wanted = counts.next();
                counts.all(|count| Some(count) == wanted)
            };
            !now.is_empty() && now.split_whitespace().all(equal)
        };
        let counts = eventually(SOON, async || self.of_deployments(path), all_equal);
        counts.await.expect(ANSWERED);
    }

    fn of_deployments(&self, path: &str) -> Result<String, String> {
        let output = format!("jsonpath={path}");
        let selector = "--selector=app.kubernetes.io/instance=acme";
        self.try_kubectl(&["get", "deployments", selector, "--output", &output])
    }

    /// Ends everything but the servers, and makes it again of the same references.
    pub async fn is_made_again(&self) {
        match self.maker {
            Maker::Chart => {
                let values = self.helm(&["get", "values", "acme", "--output=json"]);
                let dir = tempfile::tempdir().expect("a directory can be made");
                let file = dir.path().join("values.json");
                std::fs::write(&file, values).expect("a file can be written");
                let file = file.to_str().expect("the path is text");
                self.helm(&["uninstall", "acme", "--wait"]);
                self.nothing_is_left();
                self.helm(&["install", "acme", &chart(), "--values", file]);
            }
            Maker::Operator => {
                let saved = self.kubectl(&["get", "chatsystem/acme", "--output=json"]);
                let mut saved: Value = serde_json::from_str(&saved).expect("kubectl prints JSON");
                let again = json!({
                    "apiVersion": saved["apiVersion"],
                    "kind": "ChatSystem",
                    "metadata": { "name": "acme" },
                    "spec": saved["spec"].take(),
                });
                let dir = tempfile::tempdir().expect("a directory can be made");
                let file = dir.path().join("acme.json");
                std::fs::write(&file, again.to_string()).expect("a file can be written");
                let file = file.to_str().expect("the path is text");
                self.kubectl(&[
                    "delete",
                    "chatsystem/acme",
                    "--cascade=foreground",
                    "--timeout=180s",
                ]);
                self.nothing_is_left();
                self.kubectl(&["apply", "--filename", file]);
            }
        }
        self.is_ready().await;
    }

    fn nothing_is_left(&self) {
        let selector = "--selector=app.kubernetes.io/name=chatsystem";
        let kinds = "deployments,cronjobs,configmaps,services,networkpolicies,ingresses";
        let left = self.kubectl(&["get", kinds, selector, "--output=name"]);
        assert_eq!(left, "", "children outlive their system");
    }

    fn helm(&self, arguments: &[&str]) -> String {
        let namespace = ["--namespace", &self.namespace];
        let said = run(Command::new("helm").args(namespace).args(arguments));
        said.unwrap_or_else(|complaint| panic!("helm {arguments:?}: {complaint}"))
    }

    /// Kills every pod of a component, as a node that burns does.
    pub fn kill_pods(&self, component: &str) {
        let selector = format!("app.kubernetes.io/component={component}");
        self.kubectl(&[
            "delete",
            "pod",
            "--selector",
            &selector,
            "--grace-period=0",
            "--force",
            "--wait=false",
        ]);
    }

    /// Explains every number that was given and not stored, as if the grace period were over. For a system at rest.
    pub async fn explain_numbers(&self) {
        for pass in 0..2 {
            let job = format!("acme-explains-{pass}");
            let name = format!("job/{job}");
            self.try_kubectl(&["delete", &name, "--ignore-not-found"])
                .ok();
            self.kubectl(&["create", "job", &job, "--from=cronjob/acme-reconcile"]);
            self.kubectl(&["wait", &name, "--for=condition=Complete", "--timeout=180s"]);
            self.sql(&format!(
                "UPDATE gap_watermarks SET seen_at = seen_at - {GRACE_SECONDS}000 WHERE seen_at IS NOT NULL"
            ));
        }
    }

    /// By the database's root.
    fn sql(&self, statement: &str) -> String {
        let command = format!(
            "MYSQL_PWD=$(cat /run/secrets/root-password) mysql --user=root --execute=\"{statement}\" chat"
        );
        self.kubectl(&["exec", "servers-mysql-0", "--", "bash", "-c", &command])
    }
}

fn chart() -> String {
    format!("{}/../charts/chat-system", env!("CARGO_MANIFEST_DIR"))
}

/// Kills or starts a machine of the cluster, and runs something on one.
pub fn docker(arguments: &[&str]) -> String {
    let said = run(Command::new("docker").args(arguments));
    said.unwrap_or_else(|complaint| panic!("docker {arguments:?}: {complaint}"))
}

fn run(command: &mut Command) -> Result<String, String> {
    // While somebody waits here, the others go on.
    let ran = tokio::task::block_in_place(|| command.output());
    let ran = ran.expect("the program is there");
    match ran.status.success() {
        true => Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&ran.stderr).trim().to_owned()),
    }
}
