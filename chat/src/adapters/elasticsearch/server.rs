//! Asks Elasticsearch over HTTP: one request, one answer, bounded in time and in bytes.
//!
//! The official client was tried and left: what it needs to be told about trust, connecting and the size of
//! an answer cannot be told to it, and all it adds to `reqwest` here is the names of paths.

use crate::adapters::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::model::Problem;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Certificate, Client, Method, Url, redirect};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// For searching: a person waits.
pub(super) const SEARCH_PATIENCE: Duration = Duration::from_millis(800);
/// For everything else.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// Shorter than the time after which servers and balancers usually close idle connections.
const IDLE: Duration = Duration::from_secs(30);
/// Well above the largest answer to anything that is asked here.
const MAX_ANSWER_BYTES: usize = 16 << 20;

pub(super) struct Server {
    http: Client,
    /// With credentials, which `reqwest` turns into a header.
    base: Url,
    place: String,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    body: Vec<u8>,
}

impl Server {
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self> {
        let place = endpoint.place();
        let invalid = |problem: String, fix: &str| {
            Err(Error::invalid("Elasticsearch", Problem::new(problem, fix)))
        };
        let Ok(base) = Url::parse(endpoint.url.expose_secret()) else {
            return invalid(
                "its address is not a URL".to_owned(),
                "write https://user:password@host:9200",
            );
        };
        match base.scheme() {
            "https" => {}
            "http" if endpoint.trust.plaintext => {}
            "http" => {
                return invalid(
                    format!("{place} would be spoken to without TLS"),
                    "use https, or allow plaintext with CHAT_TLS_INSECURE",
                );
            }
            _ => return invalid(format!("{place} is neither http nor https"), "use https"),
        }
        // reqwest takes the process's provider and has none of its own. Somebody else may have chosen one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .connect_timeout(CONNECT_PATIENCE)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .redirect(redirect::Policy::none())
            .no_proxy();
        let builder = match (base.scheme(), &endpoint.trust.ca_pem) {
            // Nobody's certificate is asked for.
            ("http", _) => builder.tls_certs_only([]),
            (_, None) => builder,
            (_, Some(pem)) => match Certificate::from_pem_bundle(pem) {
                Ok(roots) if !roots.is_empty() => builder.tls_certs_only(roots),
                _ => {
                    return invalid(
                        "the certificates of its authority are none".to_owned(),
                        "give at least one, PEM",
                    );
                }
            },
        };
        match builder.build() {
            Ok(http) => Ok(Self { http, base, place }),
            Err(error) => invalid(
                format!("{place} cannot be spoken to: {}", causes(&error)),
                "check the certificates of its authority and of this machine",
            ),
        }
    }

    /// `path` with its parameters, without a slash in front. `Busy` when the answer takes longer than
    /// `patience`, `Unavailable` when there is none. Any status is an answer.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Body,
        patience: Duration,
    ) -> Result<Answer> {
        let url = self.base.join(path).map_err(Error::internal)?;
        let request = self.http.request(method, url).timeout(patience);
        let request = match body {
            Body::None => request,
            Body::Json(value) => request
                .header(CONTENT_TYPE, "application/json")
                .body(value.to_string()),
            Body::Lines(lines) => request
                .header(CONTENT_TYPE, "application/x-ndjson")
                .body(lines),
        };
        self.answer(request)
            .await
            .map_err(|error| self.unanswered(&error, patience))?
            .ok_or_else(|| {
                self.unavailable(&format!(
                    "it answers with more than {MAX_ANSWER_BYTES} bytes"
                ))
            })
    }

    /// `None` for an answer that is too long.
    async fn answer(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Option<Answer>> {
        let mut response = request.send().await?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(Answer { status, body }))
    }

    fn unanswered(&self, error: &reqwest::Error, patience: Duration) -> Error {
        if error.is_timeout() && !error.is_connect() {
            let place = &self.place;
            return Error::Busy(format!(
                "{place} did not answer within {} ms",
                patience.as_millis()
            ));
        }
        self.unavailable(&format!(
            "{}; check that it runs, its address and its certificate",
            causes(error)
        ))
    }

    pub(super) fn unavailable(&self, why: &str) -> Error {
        Error::unavailable("index", format!("{}: {why}", self.place))
    }

    /// What an answer means that is not the one wanted. `for_what` continues "it refuses".
    pub(super) fn refused(&self, answer: &Answer, for_what: &str) -> Error {
        let Answer { status, body: _ } = answer;
        let kind = answer.error_kind();
        match status {
            408 | 429 | 504 => Error::Busy(format!("{} answers {status} {kind}", self.place)),
            401 | 403 => self.unavailable(&format!(
                "it refuses {for_what} with {status} {kind}; check the user, the password and its rights"
            )),
            404 => self.unavailable(&format!(
                "it refuses {for_what} with 404 {kind}; a worker makes the index when it starts, \
                 check that one runs with the same prefix"
            )),
            _ => self.unavailable(&format!("it refuses {for_what} with {status} {kind}")),
        }
    }
}

pub(super) enum Body {
    None,
    Json(Value),
    /// JSON, one value a line.
    Lines(Vec<u8>),
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Error::unavailable("index", format!("an answer makes no sense: {error}"))
        })
    }

    /// The type of the error, such as `index_not_found_exception`. Its reason is left out: it may quote what
    /// was sent.
    pub(super) fn error_kind(&self) -> String {
        let error: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let kind = error
            .pointer("/error/root_cause/0/type")
            .or_else(|| error.pointer("/error/type"));
        kind.and_then(Value::as_str).unwrap_or("").to_owned()
    }
}

/// An error and what caused it. Addresses are left out: they may hold a password.
fn causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_connect() {
        "it cannot be reached"
    } else if error.is_body() || error.is_decode() {
        "its answer broke off"
    } else {
        "it does not answer"
    }
    .to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
