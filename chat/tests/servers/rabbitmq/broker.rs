//! A RabbitMQ of a test's own, which it may kill, stop and start again on the same ports.

use super::host::{Host, PATIENCE};
use chat::conformance::servers;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/services");

pub(crate) struct Broker {
    dir: TempDir,
    ports: [u16; 3],
    process: Option<Child>,
}

impl Broker {
    /// `None`, said aloud, where tests have no servers.
    pub(crate) async fn start() -> Option<Self> {
        servers::address(servers::RABBITMQ)?;
        let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let port = |listener: &TcpListener| listener.local_addr().expect("its address").port();
        let mut broker = Self {
            ports: [
                port(&listeners[0]),
                port(&listeners[1]),
                port(&listeners[2]),
            ],
            dir: tempfile::tempdir().expect("a directory"),
            process: None,
        };
        drop(listeners);
        broker.start_again().await;
        Some(broker)
    }

    /// With everything it had.
    pub(crate) async fn start_again(&mut self) {
        let process = Command::new(format!("{SERVICES}/serve"))
            .arg("rabbitmq")
            .arg(self.dir.path())
            .args(self.ports.map(|port| port.to_string()))
            .env("END_WITH_PARENT", "1")
            .stdout(Stdio::null())
            .spawn()
            .expect("the server is started");
        self.process = Some(process);
        let answers = format!("{}/api/overview", self.host().management);
        let deadline = Instant::now() + PATIENCE;
        while !matches!(reqwest::get(&answers).await, Ok(answer) if answer.status().is_success()) {
            assert!(Instant::now() < deadline, "RabbitMQ does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A virtual host to be, of this server.
    pub(crate) fn host(&self) -> Host {
        let [amqp, management, _] = self.ports;
        Host::new(
            &format!("amqp://chatsystem:development@127.0.0.1:{amqp}"),
            &format!("http://chatsystem:development@127.0.0.1:{management}"),
        )
    }

    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("it is killed");
        process.wait().expect("it ends");
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

    /// Runs `rabbitmqctl`.
    pub(crate) fn control(&self, arguments: &[&str]) {
        let done = Command::new(format!("{SERVICES}/client"))
            .arg("rabbitmq")
            .arg(self.dir.path())
            .arg("rabbitmqctl")
            .args(arguments)
            .stdout(Stdio::null())
            .status();
        assert!(done.expect("rabbitmqctl runs").success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
