//! A program of this project as a process of its own: found, started, stopped, paused or killed.
//!
//! Programs are looked for beside the test or program that wants them (`target/<profile>`); `make test` builds them first.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a stop may take.
pub const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// Killed when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Standard error goes to the end of `log`; standard output is for the caller.
    pub fn spawn(mut command: Command, log: &Path) -> (Self, ChildStdout) {
        let to_log = File::options().create(true).append(true).open(log);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(to_log.expect("a log can be written beside the data"))
            .spawn()
            .expect("the program can be started");
        let stdout = child.stdout.take().expect("standard output is piped");
        let log = log.to_owned();
        (Self { child, log }, stdout)
    }

    /// Of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`; returns once the process is gone.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Asks it to stop: SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// SIGSTOP: it holds whatever it has, connections too, and says nothing.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// SIGCONT, after `pause`.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.is_ok_and(|status| status.success()), "{kill}");
    }

    /// None while it runs.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// How it ended and how long that took; panics, and kills it, when it is not in time.
    pub async fn ended(&mut self, within: Duration) -> (ExitStatus, Duration) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.status() {
                return (status, start.elapsed());
            }
            assert!(
                start.elapsed() < within,
                "it did not end within {within:?}\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks it to stop and checks that it does so cleanly and in time.
    pub async fn stop(&mut self, within: Duration) {
        self.terminate();
        let (status, _) = self.ended(within).await;
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// What it has written to standard error, in all runs with this log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended in most tests: then there is nothing to do.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A built program; `package` is what to build when it is missing.
pub fn built(program: &str, package: &str) -> PathBuf {
    let this = std::env::current_exe().expect("a process knows its program");
    // target/<profile>/deps/<test>, target/<profile>/<program>
    let mut places = this.ancestors().skip(1).take(2);
    let found = places.find_map(|dir| Some(dir.join(program)).filter(|path| path.exists()));
    found.unwrap_or_else(|| {
        panic!(
            "there is no {program} beside {}: run `make test`, or first `cargo build {package}`",
            this.display()
        )
    })
}
