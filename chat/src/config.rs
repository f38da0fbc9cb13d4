//! Settings: from flags and the environment to typed values, and what is wrong with them.
//!
//! `VARIABLES` is the one table of names, defaults and help. `Settings::from_lookup` reads neither
//! flags nor environment nor files itself: the caller says where values come from. Every problem is
//! collected and reported at once; the value of a secret appears nowhere.

mod environment;
mod parse;
mod show;
mod source;
mod variables;

pub use environment::Environment;
pub use show::{markdown, show};
pub use source::{Lookup, Problem, ReadFile, Wrong};
pub use variables::{
    ADMIN_KEY, ADMIN_LISTEN, AUTH_MODE, CORS_ORIGINS, DATA_DIR, Default, FOLD_INTERVAL_MS, Group,
    LISTEN, LOG, LOG_FORMAT, MAX_CONNECTIONS, NUMBER_BLOCK, PUBLIC_RATES, RATE_LIMIT,
    TRUSTED_PROXIES, VARIABLES, Variable,
};

use crate::ops::limits::Rates;
use secrecy::SecretString;
use source::Source;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    pub data_dir: PathBuf,
    /// Numbers reserved at once.
    pub number_block: u32,
    pub fold_interval: Duration,
    pub auth: Auth,
    /// How many entries at the end of `X-Forwarded-For` were added by proxies we trust.
    pub trusted_proxies: u8,
    /// In lower case, as a browser sends them.
    pub cors_origins: Vec<String>,
    pub rates: Rates,
    pub max_connections: u32,
    /// A filter that `tracing_subscriber::EnvFilter` accepts.
    pub log: String,
    pub log_format: LogFormat,
}

/// Who gets in.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Everybody; `listen` is a loopback address then.
    None,
    Keys {
        admin_key: SecretString,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Human,
    Json,
}

const LOG_FORMATS: [(&str, LogFormat); 2] =
    [("human", LogFormat::Human), ("json", LogFormat::Json)];

impl Settings {
    /// A variable that is set to nothing counts as not set.
    pub fn from_lookup(lookup: Lookup<'_>, read_file: ReadFile<'_>) -> Result<Self, Wrong> {
        let mut from = Source::new(lookup, read_file);
        let listen = from.value(LISTEN, parse::address);
        let settings = Self {
            listen,
            admin_listen: from.value(ADMIN_LISTEN, parse::address),
            data_dir: from.value(DATA_DIR, |text| Ok(PathBuf::from(text))),
            number_block: from.value(NUMBER_BLOCK, |text| parse::within(text, &(1..=100_000))),
            fold_interval: from.value(FOLD_INTERVAL_MS, |text| {
                parse::within(text, &(10..=3_600_000)).map(Duration::from_millis)
            }),
            auth: auth(&mut from, listen),
            trusted_proxies: from.value(TRUSTED_PROXIES, |text| parse::within(text, &(0..=10))),
            cors_origins: from
                .optional(CORS_ORIGINS, parse::origins)
                .unwrap_or_default(),
            rates: rates(&mut from, listen),
            max_connections: from
                .value(MAX_CONNECTIONS, |text| parse::within(text, &(1..=100_000))),
            log: from.value(LOG, parse::log_filter),
            log_format: from.value(LOG_FORMAT, |text| parse::word(text, &LOG_FORMATS)),
        };
        if settings.admin_listen == listen && listen.port() != 0 {
            from.refuse(
                ADMIN_LISTEN,
                format!("{listen} is what {LISTEN} takes already"),
            );
        }
        from.finish(settings)
    }
}

/// Without keys only programs on this machine may come in.
fn auth(from: &mut Source<'_>, listen: SocketAddr) -> Auth {
    let keys = from.value(AUTH_MODE, |text| {
        parse::word(text, &[("none", false), ("keys", true)])
    });
    match (keys, from.secret(ADMIN_KEY, parse::admin_key)) {
        (true, Ok(Some(admin_key))) => return Auth::Keys { admin_key },
        (true, Ok(None)) => from.refuse(
            ADMIN_KEY,
            format!("is not set, and {AUTH_MODE}=keys needs it (or {ADMIN_KEY}_FILE)"),
        ),
        (false, _) if !is_local(listen) => from.refuse(
            AUTH_MODE,
            format!(
                "none would let everybody who reaches {listen} read and change everything: \
                 set {AUTH_MODE}=keys and {ADMIN_KEY}, or listen on 127.0.0.1"
            ),
        ),
        _ => {}
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
