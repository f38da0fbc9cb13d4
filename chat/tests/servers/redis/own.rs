//! A Redis of a test's own, which it may kill, stop, wipe and start again on the same port.

use super::endpoint;
use chat::adapters::redis::RedisServer;
use chat::conformance::servers;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct OwnRedis {
    dir: TempDir,
    port: u16,
    arguments: &'static [&'static str],
    process: Option<Child>,
}

impl OwnRedis {
    /// `None`, said aloud, where tests have no servers.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(arguments: &'static [&'static str]) -> Option<Self> {
        servers::address(servers::REDIS)?;
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("its address").port();
        drop(free);
        let mut redis = Self {
            dir: tempfile::tempdir().expect("a directory"),
            port,
            arguments,
            process: None,
        };
        redis.start_again().await;
        Some(redis)
    }

    /// With the data of the last snapshot.
    pub(crate) async fn start_again(&mut self) {
        let serve = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/services/serve");
        let process = Command::new(serve)
            .arg("redis")
            .arg(self.dir.path())
            .arg(self.port.to_string())
            .arg("--")
            .args(self.arguments)
            .env("END_WITH_PARENT", "1")
            .stdout(Stdio::null())
            .spawn()
            .expect("the server is started");
        self.process = Some(process);
        let deadline = Instant::now() + PATIENCE;
        while self.command(&["PING"]).is_err() {
            assert!(
                Instant::now() < deadline,
                "redis does not answer within {PATIENCE:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("it is killed");
        process.wait().expect("it ends");
    }

    /// What would be found at the next start is gone.
    pub(crate) fn delete_data(&self) {
        std::fs::remove_dir_all(self.dir.path().join("data")).expect("data are deleted");
    }

    /// It exists, accepts connections and does nothing, until `go_on`.
    pub(crate) fn stop(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill runs").success());
    }

    pub(crate) fn command(&self, words: &[&str]) -> redis::RedisResult<redis::Value> {
        let mut connection = redis::Client::open(self.url())?.get_connection()?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).query(&mut connection)
    }

    pub(crate) fn open(&self) -> RedisServer {
        RedisServer::open(&endpoint(&self.url()), "test").expect("an address")
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
