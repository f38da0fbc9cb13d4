//! The HTTP side: one request, repeated while that is safe and promising, and its answer.
//!
//! Safe is what reads, what says its end state, and what carries an idempotency key. Promising is a lost
//! connection, a time-out, 429, 502, 503, 504, and 409 while the same key is in flight.

mod calls;
mod retry;

use crate::error::{Error, Refusal, Result};
use crate::wire::Problem;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url, redirect};
use retry::{Retries, Setback};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep};

pub(crate) use calls::{Application, Presence};

/// Speaks to one server with one key. Cheap to share: connections are kept and reused.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    authorization: Option<HeaderValue>,
    patience: Duration,
}

/// One request, still without a server.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) idempotency_key: Option<String>,
    /// Hold the answer until the object is stored, this many seconds at most.
    pub(crate) wait_seconds: Option<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer<T> {
    pub(crate) body: T,
    /// True when the server says that it gave this answer before, and we did not cause that by asking twice.
    pub(crate) replayed: bool,
}

impl Client {
    /// `patience`: how long one request is repeated while the server is away or busy.
    pub(crate) fn new(url: &str, key: Option<&str>, patience: Duration) -> Result<Self> {
        let base = base(url)?;
        let authorization = key.map(bearer).transpose()?;
        let builder = reqwest::Client::builder()
            .user_agent(concat!("chatctl/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            // Longer than the server's own limit, so that its 504 arrives.
            .timeout(Duration::from_secs(20))
            .tcp_nodelay(true)
            .redirect(redirect::Policy::none());
        let builder = if is_loopback(&base) {
            builder.no_proxy()
        } else {
            builder
        };
        // A machine without certificates can still speak plain HTTP.
        let builder = if base.scheme() == "http" {
            builder.tls_certs_only([])
        } else {
            builder
        };
        let http = builder
            .build()
            .map_err(|error| Error::Usage(format!("cannot speak HTTP here: {}", causes(&error))))?;
        Ok(Self {
            http,
            base,
            authorization,
            patience,
        })
    }

    /// Sends until there is an answer worth having.
    async fn call<T: DeserializeOwned>(
        &self,
        request: &Request,
    ) -> Result<(StatusCode, Answer<T>)> {
        let mut retries = Retries::new(self.patience);
        let start = Instant::now();
        loop {
            let (setback, retry_after, error) = match self.exchange(request).await {
                Ok((status, headers, body)) if status.is_success() => {
                    let replayed = headers.contains_key("idempotent-replayed") && !retries.any();
                    let body = self.decode(status, &body)?;
                    return Ok((status, Answer { body, replayed }));
                }
                Ok((status, headers, body)) => {
                    let error = self.refusal(status, &body);
                    let Some(setback) = setback(status, &error) else {
                        return Err(error);
                    };
                    (setback, retry_after(&headers), error)
                }
                Err(error) => (Setback::Lost, None, self.unreachable(&error)),
            };
            let pause = retries.pause(start.elapsed(), setback, retry_after);
            match pause {
                Some(pause) if request.may_be_repeated() => sleep(pause).await,
                _ => return Err(error),
            }
        }
    }

    async fn exchange(
        &self,
        request: &Request,
    ) -> reqwest::Result<(StatusCode, HeaderMap, Vec<u8>)> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("http URLs have a path")
            .extend(&request.path);
        let mut builder = self.http.request(request.method.clone(), url);
        if !request.query.is_empty() {
            builder = builder.query(&request.query);
        }
        if let Some(authorization) = &self.authorization {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        if let Some(key) = &request.idempotency_key {
            builder = builder.header("idempotency-key", key);
        }
        if let Some(seconds) = request.wait_seconds {
            builder = builder.header("prefer", format!("wait={seconds}"));
        }
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        let response = builder.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok((status, headers, response.bytes().await?.to_vec()))
    }

    fn decode<T: DeserializeOwned>(&self, status: StatusCode, body: &[u8]) -> Result<T> {
        let body = if body.is_empty() { b"null" } else { body };
        serde_json::from_slice(body).map_err(|error| self.misunderstood(status, &error))
    }

    fn typed<T: DeserializeOwned>(&self, status: StatusCode, body: Value) -> Result<T> {
        serde_json::from_value(body).map_err(|error| self.misunderstood(status, &error))
    }

    fn misunderstood(&self, status: StatusCode, error: &serde_json::Error) -> Error {
        let what = format!("status {status}, and in its answer: {error}");
        Error::Foreign {
            url: self.base.to_string(),
            what,
        }
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> Error {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => Error::Refused(Refusal(Box::new(problem))),
            Err(_) => Error::Foreign {
                url: self.base.to_string(),
                what: format!("status {status}"),
            },
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        Error::Unreachable {
            url: self.base.to_string(),
            cause: causes(error),
        }
    }
}

impl Request {
    fn may_be_repeated(&self) -> bool {
        let says_its_end_state = [Method::GET, Method::PUT, Method::DELETE].contains(&self.method);
        says_its_end_state || self.idempotency_key.is_some()
    }
}

fn setback(status: StatusCode, error: &Error) -> Option<Setback> {
    match (status.as_u16(), error) {
        (429, _) => Some(Setback::Limited),
        (502..=504, _) => Some(Setback::Busy),
        (409, Error::Refused(refusal)) if refusal.is("in-flight") => Some(Setback::Busy),
        _ => None,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

/// The address under which all routes are: `/api/v1` below what was given, unless it is there already.
fn base(url: &str) -> Result<Url> {
    let wrong = |why: &str| {
        Error::Usage(format!(
            "--url {url:?}: {why}; give for example http://127.0.0.1:8080"
        ))
    };
    let mut base = Url::parse(url.trim()).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
        return Err(wrong("not an http or https URL"));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(wrong("credentials do not belong into the URL"));
    }
    base.set_query(None);
    base.set_fragment(None);
    let path = base.path().trim_end_matches('/').to_owned();
    base.set_path(&path);
    if !path.ends_with("/api/v1") {
        base.path_segments_mut()
            .expect("http URLs have a path")
            .pop_if_empty()
            .extend(["api", "v1"]);
    }
    Ok(base)
}

fn bearer(key: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| {
        Error::Usage("the key holds characters that no key has; copy it again".into())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The innermost cause says most; those around it are the library's.
fn causes(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "timed out".into();
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_routes_are_below_api_v1_of_whatever_was_given() {
        for (given, used) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v1"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/api/v1"),
            (
                "https://chat.example/team/",
                "https://chat.example/team/api/v1",
            ),
            (
                "https://chat.example/api/v1/",
                "https://chat.example/api/v1",
            ),
        ] {
            assert_eq!(base(given).unwrap().as_str(), used);
        }
        for wrong in ["127.0.0.1:8080", "localhost", "ftp://x", "", "http://a:b@c"] {
            assert!(matches!(base(wrong), Err(Error::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn only_what_cannot_be_done_twice_is_repeated() {
        let request = |method, key: Option<&str>| Request {
            method,
            idempotency_key: key.map(str::to_owned),
            ..Request::default()
        };
        assert!(request(Method::GET, None).may_be_repeated());
        assert!(request(Method::POST, Some("k")).may_be_repeated());
        assert!(!request(Method::POST, None).may_be_repeated());
        assert!(!request(Method::PATCH, None).may_be_repeated());
    }

    #[test]
    fn proxies_are_not_asked_for_this_machine() {
        for url in [
            "http://localhost:1",
            "http://127.0.0.1",
            "http://[::1]:8080",
        ] {
            assert!(is_loopback(&Url::parse(url).unwrap()));
        }
        assert!(!is_loopback(&Url::parse("http://chat.example").unwrap()));
    }
}
