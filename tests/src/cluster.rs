//! A cluster as processes of its own on shared servers: `chat-api`, workers of each role, and upkeep.
//!
//! It has a namespace of its own, gone with it. Logs are kept, and their place is printed, when a test fails.

mod member;
mod namespace;
mod own;
mod servers;

use crate::collector;
use crate::eventually::eventually;
use crate::place::Place;
use crate::process::{Process, built};
use crate::program::ADMIN_KEY;
use crate::queues::Queues;
use member::Member;
pub use member::Role;
use namespace::Namespace;
pub use own::{OwnServers, Server};
pub use servers::Database;
pub(crate) use servers::http;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How many processes there are of each kind, besides one for upkeep.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub apis: usize,
    /// Of each role.
    pub workers: usize,
}

/// A worker finishes what was delivered to it.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// For everything that is still on its way to be stored and explained. What RabbitMQ tells of its queues was seen to be
/// older than a minute on a machine that had much else to do.
const EXPLAINED_WITHIN: Duration = Duration::from_secs(300);

/// Killed when dropped.
pub struct Cluster {
    settings: Vec<(String, String)>,
    admin_key: Option<String>,
    members: Vec<Member>,
    // Dropped after the processes that use them.
    namespace: Namespace,
    logs: Option<TempDir>,
}

impl Cluster {
    /// Open to everybody. Returns once every process is ready; None, said aloud, without servers.
    pub async fn start(database: Database, size: Size) -> Option<Self> {
        Self::start_with(database, size, &[]).await
    }

    /// Every request needs a key.
    pub async fn start_with_keys(database: Database, size: Size) -> Option<Self> {
        let keys = [("CHAT_AUTH_MODE", "keys"), ("CHAT_ADMIN_KEY", ADMIN_KEY)];
        let mut cluster = Self::start_with(database, size, &keys).await?;
        cluster.admin_key = Some(ADMIN_KEY.to_owned());
        Some(cluster)
    }

    /// Every request needs a key. APIs and all others export traces to these collectors, as their callers say.
    pub async fn start_traced(
        database: Database,
        size: Size,
        of_apis: &str,
        of_others: &str,
    ) -> Option<Self> {
        let of_all = [
            ("CHAT_OTLP_ENDPOINT", of_others),
            ("OTEL_EXPORTER_OTLP_HEADERS", collector::KEY),
            (
                "CHAT_TLS_INSECURE",
                "mysql,rabbitmq,redis,elasticsearch,otlp",
            ),
        ];
        let of_apis = [
            ("CHAT_OTLP_ENDPOINT", of_apis),
            ("CHAT_OTLP_SAMPLE", "0"),
            ("CHAT_AUTH_MODE", "keys"),
            ("CHAT_ADMIN_KEY", ADMIN_KEY),
        ];
        let mut cluster = Self::start_as(database, size, &of_all, &of_apis).await?;
        cluster.admin_key = Some(ADMIN_KEY.to_owned());
        Some(cluster)
    }

    /// `of_apis` are more settings of `chat-api`.
    pub async fn start_with(
        database: Database,
        size: Size,
        of_apis: &[(&str, &str)],
    ) -> Option<Self> {
        Self::start_as(database, size, &[], of_apis).await
    }

    async fn start_as(
        database: Database,
        size: Size,
        more_of_all: &[(&str, &str)],
        of_apis: &[(&str, &str)],
    ) -> Option<Self> {
        let namespace = Namespace::new(database).await?;
        Some(Self::start_in(namespace, size, more_of_all, of_apis).await)
    }

    /// On servers that the test may kill.
    pub async fn start_on(servers: &OwnServers, size: Size, of_apis: &[(&str, &str)]) -> Self {
        let namespace = Namespace::on(servers.addresses()).await;
        Self::start_in(namespace, size, &[], of_apis).await
    }

    async fn start_in(
        namespace: Namespace,
        size: Size,
        more_of_all: &[(&str, &str)],
        of_apis: &[(&str, &str)],
    ) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let of_all = namespace.settings();
        let of_all = of_all.iter().map(|(name, value)| (*name, value.as_str()));
        let of_all: Vec<_> = of_all
            .chain([
                ("CHAT_ADMIN_LISTEN", "127.0.0.1:0"),
                // A line for each request would be most of what a test under load writes to the disk.
                (
                    "CHAT_LOG",
                    "info,chat::access=off,chat::adapters::rabbitmq::lane=debug",
                ),
                ("CHAT_LOG_FORMAT", "json"),
            ])
            .chain(more_of_all.iter().copied())
            .collect();
        let logs = tempfile::Builder::new().prefix("chatsystem-e2e.").tempdir();
        let mut cluster = Self {
            settings: of_all.iter().map(owned).collect(),
            admin_key: None,
            members: Vec::new(),
            namespace,
            logs: Some(logs.expect("a directory for logs can be made")),
        };
        cluster.run(&["migrate"]).await;
        cluster.run(&["topology"]).await;
        let listen = [("CHAT_LISTEN", "127.0.0.1:0")];
        let of_apis: Vec<_> = listen.iter().chain(of_apis).map(owned).collect();
        for (role, count) in [
            (Role::Api, size.apis),
            (Role::Chats, size.workers),
            (Role::Messages, size.workers),
            (Role::Indexing, size.workers),
            (Role::Upkeep, 1),
        ] {
            for place in 1..=count {
                let mut settings = cluster.settings.clone();
                if role == Role::Api {
                    settings.extend(of_apis.iter().cloned());
                }
                let log = cluster
                    .log_dir()
                    .join(format!("{}-{place}.log", role.name()));
                cluster.members.push(Member::new(role, settings, log));
            }
        }
        for member in &mut cluster.members {
            member.launch();
        }
        for member in &mut cluster.members {
            member.ready().await;
        }
        cluster
    }

    /// A setting that all its processes have, such as `CHAT_MYSQL_URL`.
    pub fn setting(&self, name: &str) -> &str {
        let mut settings = self.settings.iter();
        let found = settings.find(|(setting, _)| setting == name);
        found.map(|(_, value)| value.as_str()).expect("it is set")
    }

    /// Changes a setting of one process, from its next start on.
    pub fn set(&mut self, member: usize, name: &str, value: &str) {
        self.members[member].set(name, value);
    }

    /// Where it answers: every API that runs, and whatever else can be asked.
    pub fn place(&self) -> Place {
        let running = || self.members.iter().filter(|member| member.runs());
        Place {
            apis: running().filter_map(|member| member.api.clone()).collect(),
            admins: running()
                .filter_map(|member| member.admin.clone())
                .collect(),
            admin_key: self.admin_key.clone(),
            queues: Some(Queues::new(
                self.namespace.management(),
                self.namespace.vhost(),
            )),
        }
    }

    /// All processes of these roles, by a number that stays the same.
    pub fn members(&self, roles: &[Role]) -> Vec<usize> {
        let members = self.members.iter().enumerate();
        let of_roles = members.filter(|(_, member)| roles.contains(&member.role));
        of_roles.map(|(number, _)| number).collect()
    }

    /// What the processes of this role that run have logged.
    pub fn log(&self, role: Role) -> String {
        let of_role = self.members.iter().filter(|member| member.role == role);
        let running = of_role.filter(|member| member.runs());
        running.map(|member| member.process().log()).collect()
    }

    /// What every program is told about the servers, and the name of the virtual host, with which keys and
    /// indices start too.
    pub fn settings(&self) -> (&[(String, String)], &str) {
        (&self.settings, self.namespace.vhost())
    }

    /// Of a process that runs.
    pub fn process_id(&self, member: usize) -> u32 {
        self.members[member].process().id()
    }

    /// `kill -9`; returns once the process is gone.
    pub fn kill(&mut self, member: usize) {
        self.members[member].kill();
    }

    /// After `kill` or `stop_one`; returns once it is ready.
    pub async fn start_again(&mut self, member: usize) {
        self.members[member].launch();
        self.members[member].ready().await;
    }

    /// Where the others answer.
    pub fn place_without(&self, member: usize) -> Place {
        let mut place = self.place();
        let Member { api, admin, .. } = &self.members[member];
        place.apis.retain(|one| Some(one) != api.as_ref());
        place.admins.retain(|one| Some(one) != admin.as_ref());
        place
    }

    /// SIGTERM; it must end in time and without complaint.
    pub async fn stop_one(&mut self, member: usize) {
        self.members[member].stop(STOP_DEADLINE).await;
    }

    /// SIGTERM, and no wait for what comes of it.
    pub fn ask_to_stop(&self, member: usize) {
        self.members[member].process().terminate();
    }

    /// SIGSTOP: it keeps its connections and deliveries, and does nothing.
    pub fn pause(&self, member: usize) {
        self.members[member].process().pause();
    }

    /// After `pause`.
    pub fn resume(&self, member: usize) {
        self.members[member].process().resume();
    }

    /// Explains every number that was given and not stored, as if the grace period were over. For a system
    /// at rest.
    pub async fn explain_numbers(&self) {
        let deadline = Instant::now() + EXPLAINED_WITHIN;
        loop {
            // Each pass explains up to where the last one saw the numbers, and looks again.
            self.run(&["reconcile"]).await;
            let waiting = self.namespace.end_grace().await;
            if waiting == 0 {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{waiting} scopes still wait for their explanation"
            );
        }
    }

    /// A copy of the database as it is now.
    pub async fn copy_database(&self) {
        self.namespace.copy_database().await;
    }

    /// Puts the copy in the database's place. Nothing may run.
    pub async fn restore_database(&self) {
        self.namespace.restore_database().await;
    }

    /// Deletes everything that Redis holds for this cluster.
    pub async fn wipe_redis(&self) {
        self.namespace.wipe_redis().await;
    }

    /// What the workers were handed, by the ids that the broker has for it.
    pub fn received(&self) -> Vec<String> {
        let logs = self.members.iter().map(|member| member.process().log());
        let logs: String = logs.collect();
        let lines = logs
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines
            .filter(|line| line["message"] == "received")
            .map(|line| line["message_id"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// A task of `chat-worker` that ends by itself; what it printed. Panics unless it succeeds.
    pub async fn run(&self, arguments: &[&str]) -> String {
        let (code, said, log) = self.exit_code_of(arguments, &[]).await;
        assert_eq!(code, Some(0), "{arguments:?}: {said}\n{log}");
        said
    }

    /// Such a task with other settings; its exit code, what it printed, and what it and those before it logged.
    pub async fn exit_code_of(
        &self,
        arguments: &[&str],
        other: &[(&str, &str)],
    ) -> (Option<i32>, String, String) {
        let mut command = Command::new(built("chat-worker", member::HOW_TO_BUILD));
        command
            .env_clear()
            .envs(self.settings.iter().cloned())
            .envs(other.iter().copied())
            .args(arguments);
        let log = self.log_dir().join(format!("{}.log", arguments[0]));
        let (mut process, stdout) = Process::spawn(command, &log);
        let said = tokio::task::spawn_blocking(move || std::io::read_to_string(stdout));
        let said = said
            .await
            .expect("reading does not panic")
            .unwrap_or_default();
        let (status, _) = process.ended(STOP_DEADLINE).await;
        (status.code(), said, process.log())
    }

    /// Changes the database behind everybody's back.
    pub async fn change_database(&self, sql: &str) {
        self.namespace.change_database(sql).await;
    }

    /// Publishes bytes that no program sends, to a queue by its name.
    pub async fn publish(&self, queue: &str, body: &str) {
        self.namespace.publish(queue, body).await;
    }

    /// Ends everything with SIGTERM: who accepts first, who stores last.
    pub async fn stop(mut self) {
        for member in &mut self.members {
            member.stop(STOP_DEADLINE).await;
        }
    }

    fn log_dir(&self) -> &std::path::Path {
        self.logs
            .as_ref()
            .expect("logs are there until the end")
            .path()
    }
}

impl Drop for Cluster {
    #[expect(
        clippy::print_stderr,
        reason = "whoever looks into a failure needs the logs"
    )]
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(logs) = self.logs.take()
        {
            eprintln!("the logs of the cluster are in {}", logs.keep().display());
        }
    }
}

/// Panics unless a process says within this time that it is ready.
pub(crate) async fn until_ready(admin: &str, within: Duration) {
    let http = http().expect("plain HTTP needs nothing of the machine");
    let ask = async || {
        let asked = http.get(format!("{admin}/readyz?verbose")).send().await;
        match asked {
            Ok(answer) => (
                answer.status().as_u16(),
                answer.text().await.unwrap_or_default(),
            ),
            Err(error) => (0, error.to_string()),
        }
    };
    eventually(within, ask, |(status, _)| *status == 200).await;
}
