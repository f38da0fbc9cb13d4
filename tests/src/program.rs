//! `chat-standalone` as a process of its own: found, started on free ports, stopped or killed.
//!
//! The program is looked for beside the test (`target/<profile>`); `make test` builds it first.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;

/// What a stop may take.
pub const STOP_DEADLINE: Duration = Duration::from_secs(10);
pub const ADMIN_KEY: &str = "the-key-of-the-administrator";

/// Where a system answers, whoever started it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Without a path: `http://127.0.0.1:8080`.
    pub api: String,
    /// Health and metrics.
    pub admin: String,
    /// None: it runs without keys.
    pub admin_key: Option<String>,
}

/// Killed when dropped.
pub struct Program {
    child: Child,
    log: PathBuf,
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
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Asks it to stop: SIGTERM.
    pub fn terminate(&self) {
        let kill = format!("kill -s TERM {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.is_ok_and(|status| status.success()), "{kill}");
    }

    /// How it ended and how long that took; panics, and kills it, when it is not in time.
    pub async fn ended(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return (status, start.elapsed());
            }
            assert!(
                start.elapsed() < STOP_DEADLINE,
                "it did not end in time\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks it to stop and checks that it does so cleanly and in time.
    pub async fn stop(mut self) {
        self.terminate();
        let (status, _) = self.ended().await;
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// What it has written to standard error since the first start on this directory.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Already ended in most tests: then there is nothing to do.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A call of the program that sees no settings but these.
pub fn command(data_dir: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(path());
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

fn path() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its program");
    // target/<profile>/deps/<test>
    let built = test.ancestors().nth(2).expect("a test lies in target");
    let program = built.join("chat-standalone");
    assert!(
        program.exists(),
        "there is no {}: run `make test`, or first `cargo build -p standalone`",
        program.display()
    );
    program
}

fn spawn(mut command: Command, log: PathBuf) -> Program {
    let to_log = File::options().create(true).append(true).open(&log);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(to_log.expect("a log can be written beside the data"))
        .spawn()
        .expect("the program can be started");
    let stdout = child.stdout.take().expect("standard output is piped");
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
        child.wait().ok();
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        panic!("it did not start: {banner:?}\n{log}");
    };
    let place = Place {
        api,
        admin,
        admin_key: None,
    };
    Program { child, log, place }
}
