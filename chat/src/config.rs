//! Settings: from flags and the environment to typed values, and what is wrong with them.
//!
//! `VARIABLES` is the one table of names, defaults and help; each program reads its part of it. Reading
//! touches neither flags nor environment nor files itself: the caller says where values come from. Every
//! problem is collected and reported at once; the value of a secret appears nowhere.

mod environment;
mod parse;
mod servers;
mod show;
mod source;
mod variables;

pub use environment::Environment;
pub use servers::{Numbering, Servers};
pub use show::{markdown, show};
pub use source::{Lookup, Problem, ReadFile, Wrong};
pub use variables::{
    ADMIN_KEY, ADMIN_LISTEN, AUTH_MODE, CORS_ORIGINS, DATA_DIR, Default, ELASTICSEARCH_CA_FILE,
    ELASTICSEARCH_URL, EXPECTED_REPLICAS, FOLD_INTERVAL_MS, Group, KEY_PREFIX, LISTEN, LOG,
    LOG_FORMAT, MAX_CONNECTIONS, MYSQL_CA_FILE, MYSQL_URL, NUMBER_BLOCK, NUMBERING, OTLP_ENDPOINT,
    OTLP_SAMPLE, PUBLIC_RATES, Program, RABBITMQ_CA_FILE, RABBITMQ_MANAGEMENT_URL, RABBITMQ_URL,
    RATE_LIMIT, REDIS_CA_FILE, REDIS_URL, TLS_CA_FILE, TLS_INSECURE, TRUSTED_PROXIES, VARIABLES,
    Variable,
};

use crate::ops::limits::Rates;
use secrecy::SecretString;
use source::Source;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What one program is set to.
pub trait Settings: Sized {
    const PROGRAM: Program;

    /// A variable that is set to nothing counts as not set.
    fn from_lookup(lookup: Lookup<'_>, read_file: ReadFile<'_>) -> Result<Self, Wrong> {
        let mut from = Source::new(lookup, read_file);
        let settings = Self::read(&mut from);
        from.finish(settings)
    }

    #[doc(hidden)]
    fn read(from: &mut Source<'_>) -> Self;
    /// The value of one of its variables, secrets masked.
    fn value(&self, name: &str) -> String;
    fn process(&self) -> &Process;
}

/// Of `chat-standalone`.
#[derive(Clone, Debug)]
pub struct Standalone {
    pub process: Process,
    pub serving: Serving,
    pub data_dir: PathBuf,
    pub fold_interval: Duration,
}

/// Of `chat-api`.
#[derive(Clone, Debug)]
pub struct Api {
    pub process: Process,
    pub serving: Serving,
    pub servers: Servers,
    pub expected_replicas: u32,
    /// The part of the requests that is traced, 0 to 1, where their callers leave it to us.
    pub otlp_sample: f64,
}

/// Of `chat-worker`.
#[derive(Clone, Debug)]
pub struct Worker {
    pub process: Process,
    pub servers: Servers,
}

/// What every program has.
#[derive(Clone, Debug)]
pub struct Process {
    pub admin_listen: SocketAddr,
    /// A filter that `tracing_subscriber::EnvFilter` accepts.
    pub log: String,
    pub log_format: LogFormat,
}

/// What whoever serves the API has.
#[derive(Clone, Debug)]
pub struct Serving {
    pub listen: SocketAddr,
    pub auth: Auth,
    /// How many entries at the end of `X-Forwarded-For` were added by proxies we trust.
    pub trusted_proxies: u8,
    /// In lower case, as a browser sends them.
    pub cors_origins: Vec<String>,
    pub rates: Rates,
    pub max_connections: u32,
    /// Numbers reserved at once.
    pub number_block: u32,
}

/// Who gets in.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Everybody; `listen` is a loopback address then.
    None,
    Keys {
        /// Without one nobody administrates: applications are neither made nor listed.
        admin_key: Option<SecretString>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Human,
    Json,
}

const LOG_FORMATS: [(&str, LogFormat); 2] =
    [("human", LogFormat::Human), ("json", LogFormat::Json)];

impl Settings for Standalone {
    const PROGRAM: Program = Program::Standalone;

    fn read(from: &mut Source<'_>) -> Self {
        let serving = serving(from);
        if matches!(serving.auth, Auth::Keys { admin_key: None })
            && !from.has_problem_with(ADMIN_KEY)
        {
            from.refuse(
                ADMIN_KEY,
                format!("is not set, and {AUTH_MODE}=keys needs it (or {ADMIN_KEY}_FILE)"),
            );
        }
        Self {
            process: process(from, Some(serving.listen)),
            serving,
            data_dir: from.value(DATA_DIR, |text| Ok(PathBuf::from(text))),
            fold_interval: from.value(FOLD_INTERVAL_MS, |text| {
                parse::within(text, &(10..=3_600_000)).map(Duration::from_millis)
            }),
        }
    }

    fn value(&self, name: &str) -> String {
        match name {
            DATA_DIR => self.data_dir.display().to_string(),
            FOLD_INTERVAL_MS => self.fold_interval.as_millis().to_string(),
            _ => show::first([self.process.value(name), self.serving.value(name)]),
        }
    }

    fn process(&self) -> &Process {
        &self.process
    }
}

impl Settings for Api {
    const PROGRAM: Program = Program::Api;

    fn read(from: &mut Source<'_>) -> Self {
        let serving = serving(from);
        Self {
            process: process(from, Some(serving.listen)),
            serving,
            servers: servers::read(from),
            expected_replicas: from
                .value(EXPECTED_REPLICAS, |text| parse::within(text, &(1..=1_000))),
            otlp_sample: from.value(OTLP_SAMPLE, parse::part),
        }
    }

    fn value(&self, name: &str) -> String {
        match name {
            EXPECTED_REPLICAS => self.expected_replicas.to_string(),
            OTLP_SAMPLE => self.otlp_sample.to_string(),
            _ => show::first([
                self.process.value(name),
                self.serving.value(name),
                self.servers.value(name),
            ]),
        }
    }

    fn process(&self) -> &Process {
        &self.process
    }
}

impl Settings for Worker {
    const PROGRAM: Program = Program::Worker;

    fn read(from: &mut Source<'_>) -> Self {
        Self {
            process: process(from, None),
            servers: servers::read(from),
        }
    }

    fn value(&self, name: &str) -> String {
        show::first([self.process.value(name), self.servers.value(name)])
    }

    fn process(&self) -> &Process {
        &self.process
    }
}

fn process(from: &mut Source<'_>, taken: Option<SocketAddr>) -> Process {
    let admin_listen = from.value(ADMIN_LISTEN, parse::address);
    if taken == Some(admin_listen) && admin_listen.port() != 0 {
        from.refuse(
            ADMIN_LISTEN,
            format!("{admin_listen} is what {LISTEN} takes already"),
        );
    }
    Process {
        admin_listen,
        log: from.value(LOG, parse::log_filter),
        log_format: from.value(LOG_FORMAT, |text| parse::word(text, &LOG_FORMATS)),
    }
}

fn serving(from: &mut Source<'_>) -> Serving {
    let listen = from.value(LISTEN, parse::address);
    Serving {
        listen,
        auth: auth(from, listen),
        trusted_proxies: from.value(TRUSTED_PROXIES, |text| parse::within(text, &(0..=10))),
        cors_origins: from
            .optional(CORS_ORIGINS, parse::origins)
            .unwrap_or_default(),
        rates: rates(from, listen),
        max_connections: from.value(MAX_CONNECTIONS, |text| parse::within(text, &(1..=100_000))),
        number_block: from.value(NUMBER_BLOCK, |text| parse::within(text, &(1..=100_000))),
    }
}

/// Without keys only programs on this machine may come in.
fn auth(from: &mut Source<'_>, listen: SocketAddr) -> Auth {
    let keys = from.value(AUTH_MODE, |text| {
        parse::word(text, &[("none", false), ("keys", true)])
    });
    let admin_key = from.secret(ADMIN_KEY, parse::admin_key).ok().flatten();
    if keys {
        return Auth::Keys { admin_key };
    }
    if !is_local(listen) {
        from.refuse(
            AUTH_MODE,
            format!(
                "none would let everybody who reaches {listen} read and change everything: \
                 set {AUTH_MODE}=keys and {ADMIN_KEY}, or listen on 127.0.0.1"
            ),
        );
    }
    Auth::None
}

fn rates(from: &mut Source<'_>, listen: SocketAddr) -> Rates {
    let default = || {
        if is_local(listen) {
            "off"
        } else {
            PUBLIC_RATES
        }
    };
    let rates = from.optional(RATE_LIMIT, Rates::parse);
    rates.unwrap_or_else(|| Rates::parse(default()).expect("both defaults are rates"))
}

/// What listens here can be reached from this machine only.
fn is_local(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests;
