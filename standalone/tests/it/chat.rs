//! A `chat-standalone` that a test has started, and what one does with it.

use crate::http::{Answer, get, post};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) const KEY: &str = "the-key-of-the-administrator";

/// A program call that sees no settings but these; both ports are free ones.
pub(crate) fn chat(data_dir: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-standalone"));
    command
        .env_clear()
        .env("CHAT_LISTEN", "127.0.0.1:0")
        .env("CHAT_ADMIN_LISTEN", "127.0.0.1:0")
        .env("CHAT_DATA_DIR", data_dir)
        .envs(settings.iter().copied())
        .stdin(Stdio::null());
    command
}

/// Runs to its end.
pub(crate) fn output(mut command: Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// Killed when dropped.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
    key: Option<&'static str>,
    pub(crate) banner: String,
    pub(crate) api: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Running {
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::spawn(chat(data_dir, &[]), data_dir, None)
    }

    pub(crate) fn with_keys(data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = chat(data_dir, settings);
        command
            .env("CHAT_AUTH_MODE", "keys")
            .env("CHAT_ADMIN_KEY", KEY);
        Self::spawn(command, data_dir, Some(KEY))
    }

    /// Returns once the banner is out.
    fn spawn(mut command: Command, data_dir: &Path, key: Option<&'static str>) -> Self {
        let log = data_dir.with_extension("log");
        let to_log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(to_log)
            .spawn()
            .unwrap();
        let mut banner = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            banner += &(line.unwrap() + "\n");
            if banner.ends_with("Ctrl-C stops it.\n") {
                break;
            }
        }
        let address = |title: &str| {
            let line = banner
                .lines()
                .find_map(|line| line.trim().strip_prefix(title));
            let url = line
                .unwrap_or_else(|| panic!("no {title} in:\n{banner}"))
                .trim();
            url.trim_start_matches("http://")
                .split('/')
                .next()
                .unwrap()
                .parse()
                .unwrap()
        };
        let (api, admin) = (address("API"), address("Health"));
        Self {
            child,
            log,
            key,
            banner,
            api,
            admin,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        get(self.api, path, self.key).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        let answer = post(self.api, path, self.key, body).unwrap();
        assert!(
            (200..300).contains(&answer.status),
            "{path}: {}",
            answer.body
        );
        answer
    }

    /// A new application with one chat; returns the path of the chat's messages.
    pub(crate) fn new_chat(&self) -> String {
        let token = self
            .post("/applications", r#"{"name":"a"}"#)
            .field("token")
            .to_owned();
        assert_eq!(
            self.post(&format!("/applications/{token}/chats"), "{}")
                .field("number"),
            "1"
        );
        format!("/applications/{token}/chats/1/messages")
    }

    /// Writes a message and returns its number.
    pub(crate) fn say(&self, messages: &str, content: &str) -> u64 {
        self.try_say(messages, content)
            .expect("the message is accepted")
    }

    /// `None` where the server does not answer any more, or refuses.
    pub(crate) fn try_say(&self, messages: &str, content: &str) -> Option<u64> {
        let body = format!(r#"{{"content":"{content}"}}"#);
        let answer = post(self.api, messages, self.key, &body).ok()?;
        (answer.status == 201).then(|| answer.field("number").parse().unwrap())
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the end; how it ended and how long that took.
    pub(crate) fn ended(mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        (self.child.wait().unwrap(), start.elapsed())
    }

    /// Asks it to stop and checks that it did so cleanly and in time.
    pub(crate) fn stop(self) {
        self.signal("TERM");
        let log = self.log.clone();
        let (status, took) = self.ended();
        assert!(
            status.success(),
            "{status}\n{}",
            std::fs::read_to_string(log).unwrap()
        );
        assert!(took < Duration::from_secs(10), "took {took:?}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended in most tests: then there is nothing to do.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
