//! One process of a cluster, which can be ended in several ways and started again.

use super::until_ready;
use crate::process::{Process, built};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

pub(super) const HOW_TO_BUILD: &str =
    "-p api -p worker --features api/cluster,worker/cluster,api/otlp,worker/otlp";
/// On a busy machine, with all servers there.
const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Api,
    Chats,
    Messages,
    Indexing,
    /// Folds, purges and explains every second.
    Upkeep,
}

impl Role {
    pub const WORKERS: [Self; 3] = [Self::Chats, Self::Messages, Self::Indexing];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Chats => "chats",
            Self::Messages => "messages",
            Self::Indexing => "indexing",
            Self::Upkeep => "reconcile",
        }
    }

    fn command(self) -> Command {
        if self == Self::Api {
            return Command::new(built("chat-api", HOW_TO_BUILD));
        }
        let mut worker = Command::new(built("chat-worker", HOW_TO_BUILD));
        match self {
            Self::Upkeep => worker.args(["reconcile", "--every", "1"]),
            _ => worker.args(["run", "--role", self.name()]),
        };
        worker
    }
}

pub(super) struct Member {
    pub(super) role: Role,
    settings: Vec<(String, String)>,
    log: PathBuf,
    /// How much of the log is of earlier runs.
    logged: usize,
    process: Option<Process>,
    /// While it runs, and it has one: `http://127.0.0.1:8080`.
    pub(super) api: Option<String>,
    pub(super) admin: Option<String>,
}

impl Member {
    pub(super) fn new(role: Role, settings: Vec<(String, String)>, log: PathBuf) -> Self {
        Self {
            role,
            settings,
            log,
            logged: 0,
            process: None,
            api: None,
            admin: None,
        }
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(setting, _)| setting != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn runs(&self) -> bool {
        self.process.is_some()
    }

    pub(super) fn process(&self) -> &Process {
        self.process.as_ref().expect("the process runs")
    }

    /// Starts it, and does not wait for anything.
    pub(super) fn launch(&mut self) {
        let before = std::fs::read_to_string(&self.log).unwrap_or_default();
        self.logged = before.len();
        let mut command = self.role.command();
        command.env_clear().envs(self.settings.iter().cloned());
        let (process, mut stdout) = Process::spawn(command, &self.log);
        // Ends with the process; a full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        self.process = Some(process);
    }

    /// Returns once it says where it answers and that it is ready.
    pub(super) async fn ready(&mut self) {
        if self.role == Role::Upkeep {
            return;
        }
        let deadline = Instant::now() + READY_WITHIN;
        let said = loop {
            if let Some(said) = self.announcement() {
                break said;
            }
            let process = self.process.as_mut().expect("it was launched");
            let status = process.status();
            let log = || process.log();
            assert_eq!(
                status,
                None,
                "{} did not start\n{}",
                self.role.name(),
                log()
            );
            assert!(
                Instant::now() < deadline,
                "{} is silent\n{}",
                self.role.name(),
                log()
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        };
        let address = |field: &str| said[field].as_str().map(|host| format!("http://{host}"));
        (self.api, self.admin) = (address("api"), address("admin"));
        let admin = self.admin.as_ref().expect("it says where operators ask");
        until_ready(admin, READY_WITHIN).await;
    }

    /// The line in which it says where it answers.
    fn announcement(&self) -> Option<Value> {
        let log = self.process().log();
        let lines = log.get(self.logged..)?.lines();
        let mut events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.find(|event| event["message"] == "listening" || event["message"] == "consuming")
    }

    pub(super) fn kill(&mut self) {
        self.ended().kill();
    }

    pub(super) async fn stop(&mut self, within: Duration) {
        self.ended().stop(within).await;
    }

    /// The process, of which nothing is expected any more.
    fn ended(&mut self) -> Process {
        (self.api, self.admin) = (None, None);
        self.process.take().expect("the process runs")
    }
}
