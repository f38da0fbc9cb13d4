//! `chat-standalone` as a process of its own, on free ports.

use crate::place::Place;
use crate::process::{Process, STOP_DEADLINE, built};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::task::spawn_blocking;

pub const ADMIN_KEY: &str = "the-key-of-the-administrator";

/// Killed when dropped.
pub struct Program {
    process: Process,
    pub place: Place,
}

impl Program {
    /// On loopback, open to everybody. Returns once it answers.
    pub async fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, &[]).await
    }

    /// Every request needs a key.
    pub async fn start_with_keys(data_dir: &Path) -> Self {
        let keys = [("CHAT_AUTH_MODE", "keys"), ("CHAT_ADMIN_KEY", ADMIN_KEY)];
        let mut program = Self::start_with(data_dir, &keys).await;
        program.place.admin_key = Some(ADMIN_KEY.to_owned());
        program
    }

    pub async fn start_with(data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        let command = command(data_dir, settings);
        let log = data_dir.with_extension("log");
        let started = spawn_blocking(move || spawn(command, log)).await;
        started.expect("the start does not panic")
    }

    /// `kill -9`; returns once the process is gone.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to stop: SIGTERM.
    pub fn terminate(&self) {
        self.process.terminate();
    }

    /// How it ended and how long that took; panics, and kills it, when it is not in time.
    pub async fn ended(&mut self) -> (ExitStatus, Duration) {
        self.process.ended(STOP_DEADLINE).await
    }

    /// Asks it to stop and checks that it does so cleanly and in time.
    pub async fn stop(mut self) {
        self.process.stop(STOP_DEADLINE).await;
    }

    /// What it has written to standard error since the first start on this directory.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// A call of the program that sees no settings but these.
pub fn command(data_dir: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(built("chat-standalone", "-p standalone"));
    command
        .env_clear()
        .env("CHAT_LISTEN", "127.0.0.1:0")
        .env("CHAT_ADMIN_LISTEN", "127.0.0.1:0")
        .env("CHAT_DATA_DIR", data_dir)
        // A line for each request would be most of what a test under load writes to the disk.
        .env("CHAT_LOG", "info,tantivy=warn,chat::access=off")
        .envs(settings.iter().copied())
        .stdin(Stdio::null());
    command
}

fn spawn(command: Command, log: PathBuf) -> Program {
    let (process, stdout) = Process::spawn(command, &log);
    let mut banner = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("the banner is text");
        let is_last = line.starts_with("Ctrl-C");
        banner.push(line);
        if is_last {
            break;
        }
    }
    let address = |title: &str| {
        let url = banner.iter().find_map(|line| {
            line.trim()
                .strip_prefix(title)?
                .trim()
                .strip_prefix("http://")
        });
        let host = url.and_then(|url| url.split('/').next());
        host.map(|host| format!("http://{host}"))
    };
    let (Some(api), Some(admin)) = (address("API"), address("Health")) else {
        panic!("it did not start: {banner:?}\n{}", process.log());
    };
    let place = Place {
        apis: vec![api],
        admins: vec![admin],
        admin_key: None,
        queues: None,
    };
    Program { process, place }
}
