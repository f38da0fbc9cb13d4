//! A collector of traces inside the test: takes OTLP over HTTP, protobuf, from who has its key, and keeps
//! everything.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span as Exported;
use prost::Message;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What it wants to see with every request, as OpenTelemetry's variable for headers says it.
pub const KEY: &str = "x-collector-key=let-me-in";

/// Ends when dropped.
pub struct Collector {
    /// `http://127.0.0.1:4318`.
    pub address: String,
    taken: Arc<Taken>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Taken {
    spans: Mutex<Vec<Span>>,
    bytes: Mutex<Vec<u8>>,
}

/// Ids are hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which program it is of.
    pub service: String,
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty where there is none.
    pub parent: String,
    /// Spans of which traces it is linked to.
    pub links: Vec<(String, String)>,
    pub attributes: BTreeMap<String, String>,
}

impl Collector {
    /// On a free port of the loopback interface.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback has a free port");
        let address = listener.local_addr().expect("it has an address");
        let taken = Arc::<Taken>::default();
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(taken.clone());
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Self {
            address: format!("http://{address}"),
            taken,
            serving,
        }
    }

    /// Of every program so far.
    pub fn spans(&self) -> Vec<Span> {
        let spans = self.taken.spans.lock();
        spans.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this was sent anywhere in a span.
    pub fn was_told(&self, text: &str) -> bool {
        let bytes = self.taken.bytes.lock();
        let bytes = bytes.unwrap_or_else(PoisonError::into_inner);
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(taken): State<Arc<Taken>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let has = |name: &str, wanted: &str| headers.get(name).is_some_and(|value| value == wanted);
    let (key, value) = KEY.split_once('=').unwrap_or_default();
    if !has(key, value) {
        return StatusCode::UNAUTHORIZED;
    }
    if !has("content-type", "application/x-protobuf") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let Ok(request) = ExportTraceServiceRequest::decode(body.clone()) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut spans = taken.spans.lock().unwrap_or_else(PoisonError::into_inner);
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.unwrap_or_default();
        let service = texts(resource.attributes).remove("service.name");
        let service = service.unwrap_or_default();
        let of_scopes = of_resource.scope_spans.into_iter();
        let exported = of_scopes.flat_map(|scope| scope.spans);
        spans.extend(exported.map(|span| read(&service, span)));
    }
    let mut bytes = taken.bytes.lock().unwrap_or_else(PoisonError::into_inner);
    bytes.extend_from_slice(&body);
    StatusCode::OK
}

fn read(service: &str, span: Exported) -> Span {
    let links = span.links.iter();
    Span {
        service: service.to_owned(),
        name: span.name,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        links: links
            .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
            .collect(),
        attributes: texts(span.attributes),
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |attribute: KeyValue| {
        let text = match attribute.value.and_then(|value| value.value)? {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        Some((attribute.key, text))
    };
    attributes.into_iter().filter_map(text).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}
