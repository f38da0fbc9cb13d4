//! Running the program: what it is told, and what it says.

use e2e::place::Place;
use e2e::program::Program;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A server on fresh data, and a directory for files.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) files: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let files = tempfile::tempdir().unwrap();
        let program = Program::start(&files.path().join("data")).await;
        Self { program, files }
    }

    /// A new one on the same data; after a kill.
    pub(crate) async fn restart(&mut self, settings: &[(&str, &str)]) {
        self.program = Program::start_with(&self.files.path().join("data"), settings).await;
    }

    /// An application of its own.
    pub(crate) fn application(&self, name: &str) -> Chatctl {
        let made = Chatctl::of(&self.program.place).json(&["app", "create", name]);
        let token = made["token"].as_str().unwrap().to_owned();
        Chatctl {
            token: Some(token),
            ..Chatctl::of(&self.program.place)
        }
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }
}

/// The program with its settings.
#[derive(Clone)]
pub(crate) struct Chatctl {
    pub(crate) url: String,
    pub(crate) token: Option<String>,
    pub(crate) key: Option<String>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Chatctl {
    pub(crate) fn of(place: &Place) -> Self {
        Self {
            url: place.apis[0].clone(),
            token: None,
            key: None,
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chatctl"));
        command
            .env_clear()
            .env("CHATCTL_URL", &self.url)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(token) = &self.token {
            command.env("CHATCTL_TOKEN", token);
        }
        if let Some(key) = &self.key {
            command.env("CHATCTL_KEY", key);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        ended(self.command(arguments).spawn().unwrap())
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        ended(child)
    }

    /// What a run that must go well prints.
    #[track_caller]
    pub(crate) fn out(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        ran.out
    }

    /// The same with `--json`, one document per line.
    #[track_caller]
    pub(crate) fn json_lines(&self, arguments: &[&str]) -> Vec<Value> {
        let out = self.out(&[arguments, &["--json"]].concat());
        out.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let mut lines = self.json_lines(arguments);
        assert_eq!(lines.len(), 1, "{arguments:?}");
        lines.remove(0)
    }

    /// What all messages of a chat say, by number.
    #[track_caller]
    pub(crate) fn contents(&self, chat: u64) -> Vec<String> {
        let messages = self.json_lines(&["list", "--all", "--chat", &chat.to_string()]);
        messages
            .iter()
            .map(|message| message["content"].as_str().unwrap().to_owned())
            .collect()
    }
}

pub(crate) fn ended(child: Child) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        code: status.code(),
        out: text(stdout),
        err: text(stderr),
    }
}
