//! What RabbitMQ's management API says about the queues.
//!
//! Its figures of quorum queues are up to 8 s old (measured: 2.8 to 7.3 s), and after a restart they are
//! absent for a while: absent means unknown, never 0.

use super::topology::QUEUES;
use crate::adapters::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::model::{Millis, Problem};
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);
/// How old a figure may be, with a margin.
const LAG_MS: i64 = 10_000;

/// What waits in one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    pub queue: String,
    /// Waiting; `None` when RabbitMQ does not know.
    pub ready: Option<u64>,
    /// Delivered and not settled; `None` when RabbitMQ does not know.
    pub unacked: Option<u64>,
}

#[derive(Clone)]
pub(super) struct Management {
    client: reqwest::Client,
    queues: reqwest::Url,
    place: Arc<str>,
}

#[derive(Deserialize)]
struct QueueFigures {
    name: String,
    messages_ready: Option<u64>,
    messages_unacknowledged: Option<u64>,
}

impl Management {
    pub(super) fn new(endpoint: &Endpoint, vhost: &str) -> Result<Self> {
        let place = endpoint.place();
        let invalid = |problem: String, fix: &str| {
            let fix = fix.to_owned();
            Error::invalid("CHAT_RABBITMQ_MANAGEMENT_URL", Problem { problem, fix })
        };
        let mut queues: reqwest::Url = endpoint.url.expose_secret().parse().map_err(|why| {
            let fix = "write https://USER:PASSWORD@HOST:PORT";
            invalid(format!("{place} is no address: {why}"), fix)
        })?;
        match queues.scheme() {
            "https" => {}
            "http" if endpoint.trust.plaintext => {}
            "http" => {
                let fix = "use https://, or allow plaintext with CHAT_TLS_INSECURE";
                return Err(invalid(format!("{place} is without TLS"), fix));
            }
            other => {
                let fix = "write https://USER:PASSWORD@HOST:PORT";
                return Err(invalid(format!("{place} is {other}"), fix));
            }
        }
        let no_base = || invalid(format!("{place} is no address"), "write https://HOST:PORT");
        queues
            .path_segments_mut()
            .map_err(|()| no_base())?
            .pop_if_empty()
            .extend(["api", "queues", vhost]);
        let columns = "name,messages_ready,messages_unacknowledged";
        queues.query_pairs_mut().append_pair("columns", columns);
        let client = client(endpoint).map_err(|error| {
            let fix = "check the file with the certificates of the authority";
            invalid(format!("whom to trust at {place}: {error}"), fix)
        })?;
        Ok(Self {
            client,
            queues,
            place: place.into(),
        })
    }

    /// What waits in each queue of this virtual host.
    pub(super) async fn depths(&self) -> Result<Vec<Depth>> {
        let unavailable = |error: reqwest::Error| {
            let place = &self.place;
            // The address in it holds the password.
            let error = error.without_url();
            Error::unavailable("queue", format!("management API at {place}: {error}"))
        };
        let answer = self.client.get(self.queues.clone()).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let figures: Vec<QueueFigures> = answer
            .map_err(unavailable)?
            .json()
            .await
            .map_err(unavailable)?;
        let depths = figures.into_iter().map(|figures| Depth {
            queue: figures.name,
            ready: figures.messages_ready,
            unacked: figures.messages_unacknowledged,
        });
        Ok(depths.collect())
    }
}

fn client(endpoint: &Endpoint) -> reqwest::Result<reqwest::Client> {
    // Without a provider reqwest panics; one that is installed already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().timeout(TIMEOUT);
    match &endpoint.trust.ca_pem {
        None => builder.build(),
        Some(pem) => builder
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(pem)?)
            .build(),
    }
}

/// The latest moment at which nothing waited and nothing was unsettled in any queue, as far as figures
/// that came at `now` tell; `None` when something was there, or is not known.
pub(super) fn at_rest(depths: &[Depth], now: Millis) -> Option<Millis> {
    let is_empty = |queue: &str| {
        depths
            .iter()
            .any(|depth| depth.queue == queue && depth.ready == Some(0) && depth.unacked == Some(0))
    };
    QUEUES.into_iter().all(is_empty).then(|| now.plus(-LAG_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Vec<Depth> {
        let depth = |queue: &str| Depth {
            queue: queue.to_owned(),
            ready: Some(0),
            unacked: Some(0),
        };
        QUEUES.into_iter().map(depth).collect()
    }

    #[test]
    fn figures_prove_rest_only_for_a_while_ago() {
        let now = Millis::new(100_000);
        assert_eq!(at_rest(&empty(), now), Some(Millis::new(90_000)));
    }

    #[test]
    fn what_waits_is_unsettled_unknown_or_missing_is_not_rest() {
        let now = Millis::new(100_000);
        for queue in 0..QUEUES.len() {
            for (ready, unacked) in [
                (Some(1), Some(0)),
                (Some(0), Some(1)),
                (None, Some(0)),
                (Some(0), None),
            ] {
                let mut depths = empty();
                depths[queue].ready = ready;
                depths[queue].unacked = unacked;
                assert_eq!(at_rest(&depths, now), None);
            }
            let mut depths = empty();
            depths.remove(queue);
            assert_eq!(at_rest(&depths, now), None);
        }
    }
}
