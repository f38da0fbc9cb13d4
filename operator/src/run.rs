//! `chat-operator run`: settings, the Lease, a controller for each watched namespace, and an orderly end.

use crate::controller::{self, Operator};
use crate::election::Election;
use crate::metrics;
use crate::serve::{Readiness, serve};
use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command};
use kube::client::ClientBuilder;
use kube::{Client, Config};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower::timeout::TimeoutLayer;

/// The API server gives up on a request after a minute, but one that dies in the middle of it may never say so: whoever
/// waits for its answer would wait for ever.
pub const ANSWER: Duration = Duration::from_secs(60);
/// What is under way at the end may take so long.
const LEAVING: Duration = Duration::from_secs(5);

const LEASE: &str = "chat-operator";
const LISTEN: &str = "0.0.0.0:8081";

pub fn command() -> Command {
    Command::new("run")
        .about("Look after the ChatSystems of a cluster until SIGTERM")
        .long_about(
            "Look after the ChatSystems of a cluster until SIGTERM.\n\n\
             The API server is found as kubectl finds it: by KUBECONFIG, or by the account of the pod.",
        )
        .args([
            setting("watch-namespaces", "CHAT_OPERATOR_WATCH_NAMESPACES", "NAMES")
                .help("The namespaces to look after, separated by commas. Empty: all of them")
                .default_value(""),
            setting("namespace", "CHAT_OPERATOR_NAMESPACE", "NAME")
                .help("Where the operator runs: there is its Lease, and from there systems let it in. Absent: the namespace of its account"),
            setting("identity", "CHAT_OPERATOR_IDENTITY", "NAME")
                .help("Its name among several, such as that of its pod. Absent: a random one"),
            setting("lease", "CHAT_OPERATOR_LEASE", "NAME")
                .help("The Lease by which one of several is chosen")
                .default_value(LEASE),
            setting("listen", "CHAT_OPERATOR_LISTEN", "ADDRESS")
                .help("Where /livez, /readyz and /metrics are served")
                .default_value(LISTEN),
            setting("log", "CHAT_LOG", "FILTER")
                .help("What is logged: error, warn, info, debug, trace, also for parts: info,kube=debug")
                .default_value("info"),
            setting("log-format", "CHAT_LOG_FORMAT", "FORMAT")
                .help("Lines for programs or for people")
                .value_parser(["json", "human"])
                .default_value("json"),
        ])
}

fn setting(flag: &'static str, variable: &'static str, value: &'static str) -> Arg {
    Arg::new(flag).long(flag).env(variable).value_name(value)
}

/// Returns at the end; an error is one that a new process may not have.
pub fn run(asked: &ArgMatches) -> Result<()> {
    let text = |name: &str| asked.get_one::<String>(name).cloned().unwrap_or_default();
    let format = match text("log-format").as_str() {
        "human" => chat::config::LogFormat::Human,
        _ => chat::config::LogFormat::Json,
    };
    chat::telemetry::init(&text("log"), format).map_err(anyhow::Error::from_boxed)?;
    // Without a provider TLS panics; one that is installed already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::block_on_one_thread(operate(asked))
}

async fn operate(asked: &ArgMatches) -> Result<()> {
    let text = |name: &str| {
        asked
            .get_one::<String>(name)
            .filter(|text| !text.is_empty())
    };
    let stop = chat::shutdown::on_signal()?;
    let address = text("listen").map_or(LISTEN, String::as_str);
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; --listen names another address"))?;
    let readiness = Readiness::default();
    tokio::spawn(serve(listener, readiness.clone()));
    let client = client().await?;
    let operator = Operator {
        namespace: text("namespace")
            .map_or_else(|| client.default_namespace().to_owned(), Clone::clone),
        identity: text("identity").map_or_else(random, Clone::clone),
    };
    let lease = text("lease").map_or(LEASE, String::as_str);
    let election = Election::new(
        client.clone(),
        &operator.namespace,
        lease,
        &operator.identity,
    );
    // Waiting for another one is what it is there for.
    readiness.told_by(|| None);
    tracing::info!(identity = operator.identity, lease, "waiting for the Lease");
    if stop.run_until_cancelled(election.win()).await.is_none() {
        return Ok(());
    }
    tracing::info!("this operator acts now");
    metrics::leads(true);
    let namespaces = namespaces(text("watch-namespaces"));
    let outcome = tokio::select! {
        outcome = look_after(&client, &operator, &namespaces, &readiness, &stop) => outcome,
        lost = election.keep() => Err(lost.into()),
    };
    metrics::leads(false);
    election.give_back().await;
    outcome
}

async fn client() -> Result<Client> {
    let config = Config::infer()
        .await
        .context("cannot tell where the API server is")?;
    let builder = ClientBuilder::try_from(config).context("cannot talk to the API server")?;
    Ok(builder.with_layer(&TimeoutLayer::new(ANSWER)).build())
}

/// Until `stop`, and until what was under way then has ended.
async fn look_after(
    client: &Client,
    operator: &Operator,
    namespaces: &[Option<String>],
    readiness: &Readiness,
    stop: &CancellationToken,
) -> Result<()> {
    let running = namespaces
        .iter()
        .map(|namespace| controller::start(client, operator, namespace.as_deref(), stop))
        .collect::<reqwest::Result<Vec<_>>>()?;
    let watchers: Vec<_> = running.iter().map(controller::Running::watch).collect();
    readiness.told_by(move || watchers.iter().find_map(controller::Watch::waits_for));
    stop.cancelled().await;
    let ended = futures::future::join_all(running.into_iter().map(controller::Running::ended));
    if tokio::time::timeout(LEAVING, ended).await.is_err() {
        tracing::warn!("stopping in the middle of something; the next one goes on");
    }
    Ok(())
}

/// `None`: all of them.
fn namespaces(names: Option<&String>) -> Vec<Option<String>> {
    let names = names.map_or("", String::as_str).split(',');
    let mut named: Vec<_> = names
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| Some(name.to_owned()))
        .collect();
    named.sort();
    named.dedup();
    match named.is_empty() {
        true => vec![None],
        false => named,
    }
}

fn random() -> String {
    format!(
        "chat-operator-{:08x}",
        u32::from_be_bytes(chat::clock::random_bytes())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_no_fault_in_the_flags() {
        command().debug_assert();
    }

    #[test]
    fn no_namespace_means_all_and_each_counts_once() {
        let named = |text: &str| namespaces(Some(&text.to_owned()));
        assert_eq!(namespaces(None), [None]);
        assert_eq!(named(" , "), [None]);
        let expected = [Some("a".to_owned()), Some("b".to_owned())];
        assert_eq!(named("b, a,b"), expected);
    }
}
