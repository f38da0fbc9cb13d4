//! The way to the collector: one POST after the other, bounded in time, and never a word too many about one
//! that is away.
//!
//! The exporter runs on a thread of its own without a runtime, so each POST runs as a task of the program's.

use crate::adapters::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::model::Problem;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::{Certificate, Client, Url, redirect};
use secrecy::ExposeSecret;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Where collectors take traces (OTLP/HTTP).
const PATH: &str = "v1/traces";
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);
/// For a whole POST.
const PATIENCE: Duration = Duration::from_secs(3);
/// An answer is read so that its connection can be used again; one that is longer is left.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// Between two lines about a collector that takes nothing.
const SILENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Collector {
    post: Arc<Post>,
    runtime: Handle,
    complained: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Post {
    http: Client,
    /// With credentials, which `reqwest` turns into a header.
    url: Url,
    place: String,
}

impl Collector {
    /// Must be called in a runtime.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self> {
        let invalid = |problem: String, fix: &str| {
            Error::invalid("the collector of traces", Problem::new(problem, fix))
        };
        let base = Url::parse(endpoint.url.expose_secret()).map_err(|_| {
            invalid(
                "its address is not a URL".to_owned(),
                "write https://host:4318",
            )
        })?;
        let place = endpoint.place();
        let roots = match &endpoint.trust.ca_pem {
            None => None,
            Some(pem) => match Certificate::from_pem_bundle(pem) {
                Ok(roots) if !roots.is_empty() => Some(roots),
                _ => {
                    return Err(invalid(
                        "the certificates of its authority are none".to_owned(),
                        "give at least one, PEM",
                    ));
                }
            },
        };
        let http = client(&base, roots).map_err(|error| {
            invalid(
                format!("{place} cannot be spoken to: {}", causes(&error)),
                "check the certificates of its authority and of this machine",
            )
        })?;
        let post = Post {
            http,
            url: target(base),
            place,
        };
        Ok(Self {
            post: Arc::new(post),
            runtime: Handle::current(),
            complained: Mutex::new(None),
        })
    }

    /// Where everything is posted, without credentials.
    pub(super) fn target(&self) -> String {
        format!("{}{}", self.post.place, self.post.url.path())
    }

    /// At most once in a while: an hour without a collector is not an hour of lines.
    fn complain(&self, why: &str) {
        let mut complained = self
            .complained
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if complained.is_some_and(|when| when.elapsed() < SILENCE) {
            return;
        }
        *complained = Some(Instant::now());
        tracing::warn!(
            "{} takes no traces, they are dropped: {why}; check that a collector runs there and takes OTLP over HTTP",
            self.post.place
        );
    }
}

/// It trusts these authorities, or those of the system.
fn client(base: &Url, roots: Option<Vec<Certificate>>) -> reqwest::Result<Client> {
    // reqwest takes the process's provider and has none of its own. Somebody else may have chosen one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .connect_timeout(CONNECT_PATIENCE)
        .timeout(PATIENCE)
        .redirect(redirect::Policy::none())
        .no_proxy();
    match (base.scheme(), roots) {
        // Nobody's certificate is asked for.
        ("http", _) => builder.tls_certs_only([]).build(),
        (_, None) => builder.build(),
        (_, Some(roots)) => builder.tls_certs_only(roots).build(),
    }
}

/// `v1/traces` below whatever path the address has.
fn target(mut base: Url) -> Url {
    let path = format!("{}/{PATH}", base.path().trim_end_matches('/'));
    base.set_path(&path);
    base
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.runtime.spawn(self.post.clone().send(request));
        let answer = match sent.await {
            Ok(answer) => answer.map_err(|error| causes(&error.without_url())),
            Err(_) => Err("the program ends".to_owned()),
        };
        match &answer {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => self.complain(&format!("it answers {}", answer.status())),
            Err(why) => self.complain(why),
        }
        answer.map_err(Into::into)
    }
}

impl Post {
    /// What is answered counts only by its status and headers.
    async fn send(self: Arc<Self>, request: Request<Bytes>) -> reqwest::Result<Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let post = self.http.post(self.url.clone()).headers(parts.headers);
        let mut answer = post.body(body).send().await?;
        let mut read = 0;
        while let Some(chunk) = answer.chunk().await? {
            read += chunk.len();
            if read > MAX_ANSWER_BYTES {
                break;
            }
        }
        let mut told = Response::new(Bytes::new());
        *told.status_mut() = answer.status();
        *told.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(told)
    }
}

/// The error and what is behind it: reqwest's own text names only the step that failed.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
