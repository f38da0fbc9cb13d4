//! `chat-standalone` as a process of its own, on free ports of loopback.

use crate::connection::{Connection, get};
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Names and values of variables.
pub(crate) type Settings<'a> = &'a [(&'a str, &'a str)];

/// As it is started by `make run`: no rate limits, no keys, a line in the log for each request. Named
/// here because the environment of whoever runs this is not passed on.
const DEFAULTS: Settings<'static> = &[
    ("CHAT_LISTEN", "127.0.0.1:0"),
    ("CHAT_ADMIN_LISTEN", "127.0.0.1:0"),
    ("CHAT_RATE_LIMIT", "off"),
    ("CHAT_AUTH_MODE", "none"),
    ("CHAT_LOG", "info,tantivy=warn"),
];
/// It promises to stop within ten seconds.
const STOP_DEADLINE: Duration = Duration::from_secs(12);

/// Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) api: SocketAddr,
    /// Health and metrics.
    admin: SocketAddr,
}

impl Server {
    /// Returns once it says that it is ready. Its log goes to a file beside the data.
    pub(crate) fn start(data_dir: &Path, settings: Settings<'_>) -> Result<Self> {
        let bench = std::env::current_exe()?;
        let program = bench.with_file_name("chat-standalone");
        ensure!(
            program.exists(),
            "there is no {}: run `make bench`",
            program.display()
        );
        let log = data_dir.with_extension("log");
        let mut child = Command::new(program)
            .env_clear()
            .env("CHAT_DATA_DIR", data_dir)
            .envs(DEFAULTS.iter().chain(settings).copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&log)?)
            .spawn()?;
        let banner = child.stdout.take().context("standard output is piped")?;
        match addresses(BufReader::new(banner)) {
            Some((api, admin)) => Ok(Self { child, api, admin }),
            None => {
                child.kill().ok();
                child.wait().ok();
                let said = std::fs::read_to_string(&log)?;
                anyhow::bail!("chat-standalone did not start: {said}")
            }
        }
    }

    /// Of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) async fn metrics(&self) -> Result<Metrics> {
        let mut connection = Connection::open(self.admin).await?;
        Metrics::parse(connection.exchange(&get("/metrics"), 200).await?)
    }

    /// SIGTERM; fails unless it ends cleanly and in time.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let terminate = ["-s", "TERM", &self.id().to_string()].map(str::to_owned);
        Command::new("kill").args(terminate).status()?;
        let deadline = Instant::now() + STOP_DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "chat-standalone ended with {status}");
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "chat-standalone did not stop in time"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where `stop` was called: then there is nothing to do.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Of the API and of the second port, as printed at the start.
fn addresses(banner: impl BufRead) -> Option<(SocketAddr, SocketAddr)> {
    let mut found = ["API ", "Health "].map(|title| (title, None));
    for line in banner.lines().map_while(Result::ok) {
        for (title, address) in &mut found {
            if let Some(url) = line.trim().strip_prefix(*title) {
                let host = url.trim().strip_prefix("http://")?.split('/').next()?;
                *address = Some(host.parse().ok()?);
            }
        }
        if line.starts_with("Ctrl-C") {
            break;
        }
    }
    let [(_, api), (_, admin)] = found;
    api.zip(admin)
}

/// One scrape, in the text format of Prometheus.
pub(crate) struct Metrics(String);

impl Metrics {
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        Ok(Self(String::from_utf8(text.to_vec())?))
    }

    /// As `sum`; 0 for one that is there only once something happened.
    #[cfg(feature = "stack")]
    pub(crate) fn sum_so_far(&self, name: &str) -> f64 {
        self.sum(name).unwrap_or_default()
    }

    /// Sum over all labels. Fails where there is no such metric: a renamed one must not pass as 0.
    pub(crate) fn sum(&self, name: &str) -> Result<f64> {
        let values = self.0.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            (labels.is_empty() || labels.starts_with('{')).then_some(value)
        });
        let values: Vec<f64> = values.map(str::parse).collect::<Result<_, _>>()?;
        ensure!(!values.is_empty(), "there is no metric {name}");
        Ok(values.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_the_banner() {
        let banner = "ChatSystem\n\n  API      http://127.0.0.1:5/api/v1\n  Docs     http://x/docs\n  \
                      Health   http://127.0.0.1:6/readyz?verbose\n\nCtrl-C stops it.\n";
        let expected = ["127.0.0.1:5", "127.0.0.1:6"].map(|text| text.parse().unwrap());
        assert_eq!(addresses(banner.as_bytes()), Some(expected.into()));
        assert_eq!(addresses(&b"  API      http://127.0.0.1:5/\n"[..]), None);
    }

    #[test]
    fn a_metric_is_summed_over_its_labels() {
        let metrics = Metrics("# HELP a x\na{b=\"c\"} 1\na{b=\"d\"} 2.5\naa 4\n".to_owned());
        assert_eq!(metrics.sum("a").unwrap(), 3.5);
        assert!(metrics.sum("b").is_err());
    }
}
