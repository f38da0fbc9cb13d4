//! The API server for whoever asks it often or listens to it, by `kubectl proxy`.

use crate::process::Process;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

/// What is asked for: `("apps/v1", "deployments")`, or one of them, `("apps/v1", "deployments/acme-api")`.
pub type Resource<'a> = (&'a str, &'a str);

/// Asked in one namespace. The proxy ends with it.
pub struct ApiServer {
    http: reqwest::Client,
    base: String,
    namespace: String,
    _proxy: Process,
}

impl ApiServer {
    /// Standard error of the proxy goes to the log.
    pub fn in_namespace(namespace: &str, log: &Path) -> Self {
        let mut command = Command::new("kubectl");
        command.args(["proxy", "--port=0"]);
        let (proxy, said) = Process::spawn(command, log);
        let mut line = String::new();
        let read = BufReader::new(said).read_line(&mut line);
        read.expect("kubectl says where it listens");
        let address = line.trim().rsplit(' ').next().unwrap_or_default();
        // See `Client`, which is there before this. A watch has no end in time.
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        Self {
            http: http
                .build()
                .expect("plain HTTP needs nothing of the machine"),
            base: format!("http://{address}"),
            namespace: namespace.to_owned(),
            _proxy: proxy,
        }
    }

    fn call(&self, method: Method, (version, rest): Resource<'_>) -> reqwest::RequestBuilder {
        let prefix = match version.contains('/') {
            true => "apis",
            false => "api",
        };
        let (base, namespace) = (&self.base, &self.namespace);
        let url = format!("{base}/{prefix}/{version}/namespaces/{namespace}/{rest}");
        self.http.request(method, url)
    }

    /// An object, or a list of them.
    pub async fn get(&self, resource: Resource<'_>) -> Result<Value, String> {
        answer(self.call(Method::GET, resource)).await
    }

    /// The object as it is then, or why the API server refuses.
    pub async fn merge(&self, resource: Resource<'_>, patch: &Value) -> Result<Value, String> {
        let call = self.call(Method::PATCH, resource);
        let call = call.header(CONTENT_TYPE, "application/merge-patch+json");
        answer(call.body(patch.to_string())).await
    }

    /// The same, of one part of it, as a JSON pointer names it, which becomes this.
    pub async fn replace(
        &self,
        resource: Resource<'_>,
        part: &str,
        value: &Value,
    ) -> Result<Value, String> {
        let call = self.call(Method::PATCH, resource);
        let call = call.header(CONTENT_TYPE, "application/json-patch+json");
        let patch = json!([{ "op": "replace", "path": part, "value": value }]);
        answer(call.body(patch.to_string())).await
    }

    /// What becomes of the objects of a list after it was read.
    pub async fn watch(&self, resource: Resource<'_>, list: &Value) -> Result<Events, String> {
        let version = list["metadata"]["resourceVersion"].as_str();
        let call = self.call(Method::GET, resource).query(&[
            ("watch", "true"),
            ("resourceVersion", version.unwrap_or_default()),
        ]);
        let response = call.send().await.map_err(|error| error.to_string())?;
        Ok(Events {
            response,
            read: Vec::new(),
        })
    }
}

async fn answer(call: reqwest::RequestBuilder) -> Result<Value, String> {
    let response = call.send().await.map_err(|error| error.to_string())?;
    let accepted = response.status().is_success();
    let body: Value = response.json().await.map_err(|error| error.to_string())?;
    match accepted {
        true => Ok(body),
        false => Err(body["message"].as_str().unwrap_or_default().to_owned()),
    }
}

/// Of a watch.
pub struct Events {
    response: Response,
    read: Vec<u8>,
}

impl Events {
    /// None: the watch has ended, which every one does after a while.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return serde_json::from_slice(&line).ok();
            }
            let more = self.response.chunk().await.ok()??;
            self.read.extend_from_slice(&more);
        }
    }
}
