//! Servers of a test's own, which it may kill, stop, wipe and start again on the same ports.

use super::servers::{self, Servers};
use chat::conformance::servers as stack;
use sqlx::{Connection, MySqlConnection};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/services");
/// For all of them at once, on a busy machine.
const ANSWERS_WITHIN: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// One of each kind, gone with its value.
pub struct OwnServers {
    pub mysql: Server,
    pub redis: Server,
    pub rabbitmq: Server,
    pub elasticsearch: Server,
    _dir: TempDir,
}

impl OwnServers {
    /// None, said aloud, where tests have no servers. They end with the thread that calls this.
    pub async fn start() -> Option<Self> {
        for name in [
            stack::MYSQL,
            stack::REDIS,
            stack::RABBITMQ,
            stack::ELASTICSEARCH,
        ] {
            stack::address(name)?;
        }
        let dir = tempfile::Builder::new().prefix("chatsystem-own.").tempdir();
        let dir = dir.expect("a directory for servers can be made");
        // All are free at once, so no two are the same.
        let free = [(); 7].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let ports = free
            .each_ref()
            .map(|port| port.local_addr().expect("its address").port());
        drop(free);
        let server = |service, ports: &[u16]| Server::launched(service, dir.path(), ports);
        let mut own = Self {
            mysql: server("mysql", &ports[0..1]),
            redis: server("redis", &ports[1..2]),
            rabbitmq: server("rabbitmq", &ports[2..5]),
            elasticsearch: server("elasticsearch", &ports[5..7]),
            _dir: dir,
        };
        for server in [
            &mut own.mysql,
            &mut own.redis,
            &mut own.rabbitmq,
            &mut own.elasticsearch,
        ] {
            server.answers().await;
        }
        Some(own)
    }

    pub(super) fn addresses(&self) -> Servers {
        Servers {
            database: self.mysql.address(),
            redis: self.redis.address(),
            rabbitmq: self.rabbitmq.address(),
            management: self.management(),
            elasticsearch: self.elasticsearch.address(),
        }
    }

    /// By hand; returns how many there were.
    pub async fn delete_indices(&self) -> usize {
        let deleted = self.addresses().remove_indices("*").await;
        deleted.expect("Elasticsearch does as it is told")
    }

    /// The management API of the broker, with an account in it.
    pub fn management(&self) -> String {
        let port = self.rabbitmq.ports[1];
        format!("http://chatsystem:development@127.0.0.1:{port}")
    }
}

/// Killed when dropped.
pub struct Server {
    service: &'static str,
    dir: PathBuf,
    ports: Vec<u16>,
    process: Option<Child>,
}

impl Server {
    fn launched(service: &'static str, parent: &Path, ports: &[u16]) -> Self {
        let mut server = Self {
            service,
            dir: parent.join(service),
            ports: ports.to_vec(),
            process: None,
        };
        server.launch();
        server
    }

    fn launch(&mut self) {
        let process = Command::new(format!("{SERVICES}/serve"))
            .arg(self.service)
            .arg(&self.dir)
            .args(self.ports.iter().map(u16::to_string))
            .env("END_WITH_PARENT", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.process = Some(process.expect("the server can be started"));
    }

    /// After `kill`, with what it has on its disk; returns once it answers.
    pub async fn start_again(&mut self) {
        self.launch();
        self.answers().await;
    }

    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("the server runs");
        process.kill().expect("a child can be killed");
        process.wait().expect("a child can be waited for");
    }

    /// SIGSTOP: it keeps its connections, and does nothing.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// After `pause`.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.process.as_ref().expect("the server runs").id();
        let kill = format!("kill -s {name} {pid}");
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.is_ok_and(|status| status.success()), "{kill}");
    }

    /// After `kill`: the next start finds nothing.
    pub fn delete_data(&self) {
        std::fs::remove_dir_all(self.dir.join("data")).expect("data can be deleted");
    }

    /// As an account that may do everything.
    pub fn address(&self) -> String {
        let port = self.ports[0];
        match self.service {
            "mysql" => format!("mysql://root:development@127.0.0.1:{port}"),
            "redis" => format!("redis://127.0.0.1:{port}"),
            "rabbitmq" => format!("amqp://chatsystem:development@127.0.0.1:{port}"),
            _ => format!("http://127.0.0.1:{port}"),
        }
    }

    async fn answers(&mut self) {
        let deadline = Instant::now() + ANSWERS_WITHIN;
        while !self.has_answered().await {
            let process = self.process.as_mut().expect("it was launched");
            let status = process.try_wait().expect("a child can be asked for");
            let log = || std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            assert_eq!(status, None, "{} did not start\n{}", self.service, log());
            assert!(
                Instant::now() < deadline,
                "{} does not answer\n{}",
                self.service,
                log()
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn has_answered(&self) -> bool {
        let address = self.address();
        match self.service {
            "mysql" => MySqlConnection::connect(&address).await.is_ok(),
            "redis" => self.ask_redis(&["PING"]).await.is_ok(),
            "rabbitmq" => {
                let management = format!("http://127.0.0.1:{}/api/overview", self.ports[1]);
                answers_with_success(&management).await
            }
            _ => answers_with_success(&format!("{address}/_cluster/health")).await,
        }
    }

    /// A command for Redis.
    pub async fn ask_redis(&self, words: &[&str]) -> redis::RedisResult<redis::Value> {
        let client = redis::Client::open(self.address())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).query_async(&mut connection).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            process.kill().ok();
            process.wait().ok();
        }
    }
}

async fn answers_with_success(url: &str) -> bool {
    let Ok(http) = servers::http() else {
        return false;
    };
    let asked = http.get(url).basic_auth("chatsystem", Some("development"));
    matches!(asked.send().await, Ok(answer) if answer.status().is_success())
}
