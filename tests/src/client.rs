//! A small JSON client. It holds every answer against the contract, so that each test that asks anything
//! also tests the OpenAPI document.

use crate::contract::Contract;
use crate::place::Place;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, redirect};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Longer than the server's own limit, so that its 504 arrives.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks one place with one key. Cheap to clone: connections and the contract are shared.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    place: Place,
    /// How many requests went to any API of the place.
    asked: Arc<AtomicUsize>,
    key: Option<String>,
    contract: Arc<Contract>,
}

impl Client {
    /// With the administrator's key, where there is one. Reads the contract from `/openapi.json`.
    pub async fn new(place: &Place) -> Self {
        // reqwest wants to know who would do TLS, though nothing here speaks it. Somebody before us did.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .timeout(PATIENCE)
            .tcp_nodelay(true)
            .redirect(redirect::Policy::none())
            .build()
            .expect("plain HTTP needs nothing of the machine");
        let document = document_of(&http, place).await;
        Self {
            http,
            place: place.clone(),
            asked: Arc::default(),
            key: place.admin_key.clone(),
            contract: Arc::new(Contract::new(&document)),
        }
    }

    /// The same contract at another address: what was restarted may have moved.
    pub fn at(&self, place: &Place) -> Self {
        Self {
            place: place.clone(),
            ..self.clone()
        }
    }

    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self {
            key: key.map(str::to_owned),
            ..self.clone()
        }
    }

    /// The OpenAPI document as it is served now.
    pub async fn document(&self) -> Value {
        document_of(&self.http, &self.place).await
    }

    /// Status and text of a path of the second port of each process, which the contract does not describe.
    pub async fn operators(&self, path: &str) -> Vec<(u16, String)> {
        let mut answers = Vec::new();
        for admin in &self.place.admins {
            let sent = self.http.get(format!("{admin}{path}")).send().await;
            let response = sent.expect("the second port answers");
            let status = response.status().as_u16();
            let text = response.text().await;
            answers.push((status, text.expect("operators are answered with text")));
        }
        answers
    }

    /// How many messages each queue between the processes holds; none where no queue lies between them.
    /// None while the broker does not know.
    pub async fn depths(&self) -> Option<BTreeMap<String, u64>> {
        match &self.place.queues {
            Some(queues) => queues.depths(&self.http).await,
            None => Some(BTreeMap::new()),
        }
    }

    /// How often something was delivered once more. None while the broker does not know.
    pub async fn redelivered(&self) -> Option<u64> {
        match &self.place.queues {
            Some(queues) => queues.redelivered(&self.http).await,
            None => Some(0),
        }
    }

    /// Whether whatever was accepted is stored before the answer goes out.
    pub fn stores_on_accept(&self) -> bool {
        self.place.queues.is_none()
    }

    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// `path` starts with a slash and is sent as it is.
    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let api = &self.place.apis[asked % self.place.apis.len()];
        let mut request = self.http.request(method.clone(), format!("{api}{path}"));
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        Call {
            contract: &self.contract,
            method,
            path: path.to_owned(),
            request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path).json(&body).send().await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path).json(&body).send().await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path).json(&body).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path).send().await
    }

    /// Everything in a list, page by page along its `Link`s.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let page = self.get(&path).await.expect(200);
            let data = page.body["data"].as_array().expect("a list has data");
            all.extend(data.iter().cloned());
            next = page.next_link();
        }
        all
    }
}

async fn document_of(http: &reqwest::Client, place: &Place) -> Value {
    let asked = http
        .get(format!("http://{}/openapi.json", place.address()))
        .send()
        .await;
    let document = asked.expect("the system answers").json().await;
    document.expect("the document is JSON")
}

/// One request.
pub struct Call<'a> {
    contract: &'a Contract,
    method: Method,
    path: String,
    request: reqwest::RequestBuilder,
}

impl Call<'_> {
    pub fn json(self, body: &Value) -> Self {
        self.raw("application/json", body.to_string())
    }

    pub fn raw(mut self, media: &str, body: impl Into<Vec<u8>>) -> Self {
        self.request = self.request.header(CONTENT_TYPE, media).body(body.into());
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn idempotency_key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// `Prefer: wait=N`.
    pub fn wait(self, seconds: u8) -> Self {
        self.header("Prefer", &format!("wait={seconds}"))
    }

    /// Panics where no answer comes, and on one that is not as the contract says.
    pub async fn send(self) -> Answer {
        let asked = format!("{} {}", self.method, self.path);
        match self.try_send().await {
            Ok(answer) => answer,
            Err(error) => panic!("{asked}: {error:?}"),
        }
    }

    /// For systems that may be down.
    pub async fn try_send(self) -> reqwest::Result<Answer> {
        let Self {
            contract,
            method,
            path,
            request,
        } = self;
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let answer = Answer {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        };
        let faults = contract.faults(&method, &path, &answer);
        assert!(
            faults.is_empty(),
            "{method} {path}: {faults:?} in {answer:?}"
        );
        Ok(answer)
    }
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null where there is no JSON.
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// Panics on another status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Panics unless these are problem details of the type that ends in `slug`.
    #[track_caller]
    pub fn problem(self, status: u16, slug: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.problem_slug(), Some(slug), "{answer:?}");
        answer
    }

    /// Panics unless exactly these fields are blamed.
    #[track_caller]
    pub fn blames(self, fields: &[&str]) -> Self {
        let answer = self.problem(400, "invalid-request");
        let errors = answer.body["errors"].as_array();
        let blamed: Vec<&str> = errors
            .expect("problem details have errors")
            .iter()
            .filter_map(|error| error["field"].as_str())
            .collect();
        assert_eq!(blamed, fields, "{answer:?}");
        answer
    }

    /// Which problem it is; none for an answer that is none.
    pub fn problem_slug(&self) -> Option<&str> {
        let of_type = self.body["type"].as_str()?;
        of_type.strip_prefix("urn:chatsystem:problem:")
    }

    /// Empty where there is no such header.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap_or("(not text)"))
    }

    #[track_caller]
    pub fn location(&self) -> String {
        assert_ne!(self.header("location"), "", "{self:?}");
        self.header("location").to_owned()
    }

    pub fn replayed(&self) -> bool {
        self.header("idempotent-replayed") == "true"
    }

    /// Path and query of the next page.
    pub fn next_link(&self) -> Option<String> {
        let target = self.header("link").strip_prefix('<')?;
        target.strip_suffix(">; rel=\"next\"").map(str::to_owned)
    }

    #[track_caller]
    pub fn number(&self) -> u64 {
        self.body["number"]
            .as_u64()
            .expect("the answer has a number")
    }

    #[track_caller]
    pub fn id(&self) -> &str {
        self.body["id"].as_str().expect("the answer has an id")
    }
}
