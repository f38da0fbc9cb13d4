//! One connection to one server, made when it is needed and replaced when it is lost.
//!
//! The driver's own `ConnectionManager` is not used: it keeps the error of an attempt that failed on the
//! server's side (still loading, too many clients, a wrong password) for ever, and queues callers behind
//! its backoff.

use super::PART;
use crate::adapters::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::model::Problem;
use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError,
    RedisResult, ScriptInvocation, ServerErrorKind, TlsCertificates,
};
use secrecy::ExposeSecret;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How long connecting may take, and how long an answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long those who can do without Redis do so after it failed, in milliseconds.
const REST_MS: u64 = 1_000;
/// Commands that may wait to be written before callers wait instead.
const PIPELINE: usize = 4_096;

pub(super) struct Connection {
    client: Client,
    config: AsyncConnectionConfig,
    place: String,
    current: Mutex<Option<Current>>,
    /// Whoever holds it connects; the others wait, and share a failure that came while they did.
    connecting: tokio::sync::Mutex<Option<(Instant, RedisError)>>,
    made: AtomicU64,
    started: Instant,
    /// When Redis may be asked again by those who can do without, in milliseconds since `started`; 0
    /// while all is well.
    ask_at_ms: AtomicU64,
}

#[derive(Clone)]
struct Current {
    connection: MultiplexedConnection,
    number: u64,
}

impl Connection {
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self> {
        Ok(Self {
            client: client(endpoint)?,
            config: AsyncConnectionConfig::new()
                .set_connection_timeout(Some(PATIENCE))
                .set_response_timeout(Some(PATIENCE))
                .set_pipeline_buffer_size(PIPELINE),
            place: endpoint.place(),
            current: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            made: AtomicU64::new(0),
            started: Instant::now(),
            ask_at_ms: AtomicU64::new(0),
        })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Whether to ask although one can do without. While Redis is away one caller a second finds out
    /// for all.
    pub(super) fn worth_asking(&self) -> bool {
        let ask_at = self.ask_at_ms.load(Ordering::Relaxed);
        let now = self.now_ms();
        ask_at == 0
            || (ask_at <= now
                && self
                    .ask_at_ms
                    .compare_exchange(ask_at, now + REST_MS, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok())
    }

    /// A command that changes nothing.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let attempt = async || {
            let Current {
                mut connection,
                number,
            } = self.connection().await?;
            let outcome = command.query_async(&mut connection).await;
            outcome.map_err(|error| self.lost(number, error))
        };
        let outcome = match attempt().await {
            Err(error) if error.is_connection_dropped() => attempt().await,
            outcome => outcome,
        };
        self.told(outcome)
    }

    pub(super) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T> {
        let outcome = self.attempt(script).await;
        self.told(outcome)
    }

    pub(super) async fn run_again_when_cut<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T> {
        let outcome = match self.attempt(script).await {
            Err(error) if error.is_connection_dropped() => self.attempt(script).await,
            outcome => outcome,
        };
        self.told(outcome)
    }

    async fn attempt<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> RedisResult<T> {
        let Current {
            mut connection,
            number,
        } = self.connection().await?;
        let outcome = script.invoke_async(&mut connection).await;
        outcome.map_err(|error| self.lost(number, error))
    }

    async fn connection(&self) -> RedisResult<Current> {
        if let Some(current) = self.current() {
            return Ok(current);
        }
        let asked = Instant::now();
        let mut failure = self.connecting.lock().await;
        if let Some(current) = self.current() {
            return Ok(current);
        }
        if let Some((at, error)) = &*failure
            && *at > asked
        {
            return Err(error.clone());
        }
        let made = self
            .client
            .get_multiplexed_async_connection_with_config(&self.config);
        match made.await {
            Ok(connection) => {
                let number = self.made.fetch_add(1, Ordering::Relaxed);
                let current = Current { connection, number };
                *self.lock() = Some(current.clone());
                Ok(current)
            }
            Err(error) => {
                *failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn current(&self) -> Option<Current> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Current>> {
        self.current
            .lock()
            .expect("nothing panics while holding this lock")
    }

    /// Gives a connection up after an error that says that it, or the server behind it, is no good.
    fn lost(&self, number: u64, error: RedisError) -> RedisError {
        let mut current = self.lock();
        if is_away(&error)
            && current
                .as_ref()
                .is_some_and(|current| current.number == number)
        {
            *current = None;
        }
        error
    }

    fn told<T>(&self, outcome: RedisResult<T>) -> Result<T> {
        let ask_at = match &outcome {
            Err(error) if is_away(error) => self.now_ms() + REST_MS,
            _ => 0,
        };
        self.ask_at_ms.store(ask_at, Ordering::Relaxed);
        outcome.map_err(|error| {
            let message = format!("{}: {error}; {}", self.place, what_to_check(&error));
            Error::unavailable(PART, message)
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn client(endpoint: &Endpoint) -> Result<Client> {
    let wrong = |problem: String, fix: &str| {
        Error::invalid(
            "CHAT_REDIS_URL",
            Problem::new(format!("{}: {problem}", endpoint.place()), fix),
        )
    };
    const FORM: &str = "write rediss://user:password@host:port";
    let url = endpoint.url.expose_secret();
    // The driver would take a fragment as leave to trust any certificate.
    let tls = match url.split_once("://") {
        Some(("rediss", rest)) if !rest.contains('#') => true,
        Some(("redis", rest)) if !rest.contains('#') => false,
        _ => return Err(wrong("this is no address of a Redis".to_owned(), FORM)),
    };
    if !tls && !endpoint.trust.plaintext {
        return Err(wrong(
            "redis:// sends passwords and data unencrypted".to_owned(),
            "use rediss://, or allow it with CHAT_TLS_INSECURE",
        ));
    }
    let usable = |info: RedisResult<Client>| info.map_err(|error| wrong(error.to_string(), FORM));
    let settings = TcpSettings::default()
        .set_nodelay(true)
        // Otherwise packets nobody acknowledges are repeated for a quarter of an hour.
        .set_user_timeout(PATIENCE * 5);
    let info = url
        .into_connection_info()
        .map_err(|error| wrong(error.to_string(), FORM))?
        .set_tcp_settings(settings);
    match &endpoint.trust.ca_pem {
        Some(ca_pem) if tls => usable(Client::build_with_tls(
            info,
            TlsCertificates {
                client_tls: None,
                root_cert: Some(ca_pem.clone()),
            },
        )),
        _ => usable(Client::open(info)),
    }
}

/// Whether the connection, or the server behind it, is no good. Otherwise it answered, and said no.
fn is_away(error: &RedisError) -> bool {
    error.is_io_error()
        || matches!(
            error.kind(),
            ErrorKind::Parse
                | ErrorKind::AuthenticationFailed
                | ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::BusyLoading)
        )
}

fn what_to_check(error: &RedisError) -> &'static str {
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            "check user and password in CHAT_REDIS_URL"
        }
        (_, Some("OOM")) => "it is full: raise its maxmemory",
        (_, Some("MISCONF")) => "it cannot write to its disk: check the disk's space",
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => "check what its ACL allows this user",
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => {
            "it is a replica: CHAT_REDIS_URL must name the primary"
        }
        (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => "it is starting: wait for it",
        _ => {
            "check that the server runs, that CHAT_REDIS_URL names it, and its certificate if it has one"
        }
    }
}
