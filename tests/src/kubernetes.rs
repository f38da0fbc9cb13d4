//! A system on the Kubernetes of `make cluster-up`, handled by kubectl and helm as people handle it.

mod api_server;
mod children;
mod rollout;

pub use api_server::{ApiServer, Events, Resource};
pub use children::Children;
pub use rollout::DEPLOYMENTS;

use crate::eventually::eventually;
use crate::place::Place;
use crate::queues::Queues;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

/// For whatever Kubernetes does by itself on a busy machine. It leaves pods on a dead node for five minutes, if nobody has
/// told it otherwise.
pub const SOON: Duration = Duration::from_secs(420);
/// What a number's explanation waits for at most.
const GRACE_SECONDS: u32 = 3_600;
/// One finishes what an earlier one saw, the next sees the rest, the next explains that; and one sees that nothing is left.
const MOST_PASSES: u32 = 6;

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

    pub fn namespace(&self) -> &str {
        &self.namespace
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
    #[track_caller]
    pub fn patch(&self, patch: &str) {
        let patched = self.try_patch(patch);
        patched.unwrap_or_else(|complaint| panic!("{patch}: {complaint}"));
    }

    /// Its complaint, if the API server refuses.
    pub fn try_patch(&self, patch: &str) -> Result<String, String> {
        self.try_kubectl(&["patch", "chatsystem/acme", "--type=merge", "--patch", patch])
    }

    /// Creates it, or makes it as this says.
    pub fn apply(&self, object: &Value) {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let file = dir.path().join("object.json");
        std::fs::write(&file, object.to_string()).expect("a file can be written");
        self.kubectl(&[
            "apply",
            "--filename",
            file.to_str().expect("the path is text"),
        ]);
    }

    /// The message of a condition, once it has this reason.
    pub async fn until(&self, condition: &str, reason: &str) -> String {
        let path = format!(
            "jsonpath={{range .status.conditions[?(@.type==\"{condition}\")]}}{{.reason}}: {{.message}}{{end}}"
        );
        let asked = ["get", "chatsystem/acme", "--output", &path];
        let start = format!("{reason}: ");
        let right = |said: &Result<String, String>| {
            said.as_ref()
                .is_ok_and(|said| said.starts_with(start.trim_end()))
        };
        let said = eventually(SOON, async || self.try_kubectl(&asked), right).await;
        said.expect(ANSWERED)
    }

    /// A Secret, to be applied again.
    pub fn secret(&self, name: &str) -> Value {
        let secret = self.kubectl(&["get", "secret", name, "--output=json"]);
        let secret: Value = serde_json::from_str(&secret).expect("kubectl prints JSON");
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "labels": secret["metadata"]["labels"],
                "annotations": secret["metadata"]["annotations"],
            },
            "type": secret["type"],
            "data": secret["data"],
        })
    }

    pub fn secret_value(&self, name: &str, key: &str) -> String {
        let template = format!("--output=go-template={{{{.data.{key} | base64decode}}}}");
        self.kubectl(&["get", "secret", name, &template])
    }

    pub fn set_secret(&self, name: &str, values: &[(&str, &str)]) {
        let values: BTreeMap<_, _> = values.iter().copied().collect();
        let patch = json!({ "stringData": values }).to_string();
        self.kubectl(&["patch", "secret", name, "--patch", &patch]);
    }

    /// Returns once kubectl has no complaint.
    pub async fn has(&self, asked: &[&str]) {
        let found = eventually(SOON, async || self.try_kubectl(asked), Result::is_ok);
        found.await.expect(ANSWERED);
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
                self.kubectl(&[
                    "delete",
                    "chatsystem/acme",
                    "--cascade=foreground",
                    "--timeout=180s",
                ]);
                self.nothing_is_left();
                self.apply(&again);
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
        for _ in 0..MOST_PASSES {
            self.runs_job("acme-explains", "acme-reconcile");
            // Each pass explains up to where the last one saw the numbers, and looks again.
            let waiting = self.sql(&format!(
                "UPDATE gap_watermarks SET seen_at = seen_at - {GRACE_SECONDS}000 WHERE seen_at IS NOT NULL; SELECT ROW_COUNT()"
            ));
            if waiting.lines().last() == Some("0") {
                return;
            }
        }
        panic!("after {MOST_PASSES} passes numbers still wait for their explanation");
    }

    /// Panics when an audit of the system, at rest, does not find it whole.
    pub fn audits(&self) {
        self.runs_job("acme-audits", "acme-audit");
    }

    fn runs_job(&self, job: &str, of: &str) {
        let (name, from) = (format!("job/{job}"), format!("--from=cronjob/{of}"));
        self.try_kubectl(&["delete", &name, "--ignore-not-found"])
            .ok();
        self.kubectl(&["create", "job", job, &from]);
        self.kubectl(&["wait", &name, "--for=condition=Complete", "--timeout=180s"]);
    }

    /// By the database's root.
    pub fn sql(&self, statement: &str) -> String {
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
