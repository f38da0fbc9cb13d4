//! Spans as OpenTelemetry records them. Names and attributes follow its semantic conventions for HTTP servers
//! and for messaging (batches: <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>).
//! `url.path` is left out: it holds the token.

pub use super::exporting::{flush, start};

use super::exporting::tracer;
use crate::event::Queue;
use crate::metrics::known_method;
use crate::model::AppId;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, Span};
use std::collections::HashMap;

/// What a span is about.
#[derive(Clone, Copy, Debug)]
enum Work<'a> {
    Request {
        /// `None`: a word that only the client knows.
        method: Option<&'static str>,
        route: &'a str,
    },
    Publish {
        queue: Queue,
    },
    Batch {
        queue: Queue,
        messages: usize,
    },
}

/// A span that will be exported.
pub(super) struct Recorded(Span);

impl Recorded {
    pub(super) fn traceparent(&self) -> String {
        let context = self.0.span_context();
        let (trace, span) = (context.trace_id(), context.span_id());
        format!("00-{trace}-{span}-{:02x}", context.trace_flags())
    }

    pub(super) fn trace_id(&self) -> String {
        self.0.span_context().trace_id().to_string()
    }

    pub(super) fn answered(&mut self, status: u16, app: Option<AppId>) {
        let code = KeyValue::new("http.response.status_code", i64::from(status));
        self.0.set_attribute(code);
        if let Some(app) = app {
            self.0
                .set_attribute(KeyValue::new("chat.application", app.get()));
        }
        if status >= 500 {
            self.fail(status.to_string());
        }
    }

    pub(super) fn failed(&mut self, how: &'static str) {
        self.fail(how);
    }

    fn fail(&mut self, how: impl Into<opentelemetry::Value>) {
        self.0.set_attribute(KeyValue::new("error.type", how));
        // The type says it: a description would be a text of somebody else.
        self.0.set_status(Status::error(""));
    }
}

pub(super) fn of_request(method: &str, route: &str, caller: Option<&str>) -> Option<Recorded> {
    let tracer = tracer()?;
    let method = known_method(method);
    let work = Work::Request { method, route };
    begin(tracer, work, caller.and_then(cause), Vec::new())
}

pub(super) fn of_publish(queue: Queue, parent: &str) -> Option<Recorded> {
    let tracer = tracer()?;
    begin(
        tracer,
        Work::Publish { queue },
        Some(cause(parent)?),
        Vec::new(),
    )
}

pub(super) fn of_batch<'a>(
    queue: Queue,
    messages: usize,
    causes: impl Iterator<Item = &'a str>,
) -> Option<Recorded> {
    let tracer = tracer()?;
    let work = Work::Batch { queue, messages };
    serve(tracer, work, causes.filter_map(cause).collect())
}

fn serve(tracer: &SdkTracer, work: Work<'_>, causes: Vec<SpanContext>) -> Option<Recorded> {
    begin(tracer, work, shared(&causes).cloned(), causes)
}

/// Where a batch belongs whose messages are all of one trace.
fn shared(causes: &[SpanContext]) -> Option<&SpanContext> {
    let (first, others) = causes.split_first()?;
    let same = |other: &SpanContext| other.trace_id() == first.trace_id();
    others.iter().all(same).then_some(first)
}

/// Another program's span; `None` when the text is no trace context.
fn cause(traceparent: &str) -> Option<SpanContext> {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| span.clone())
}

/// Names and attributes are made only for what is traced: most requests are not.
fn begin(
    tracer: &SdkTracer,
    work: Work<'_>,
    parent: Option<SpanContext>,
    links: Vec<SpanContext>,
) -> Option<Recorded> {
    let context = match parent {
        Some(parent) => Context::new().with_remote_span_context(parent),
        None => Context::new(),
    };
    let builder = SpanBuilder::from_name("")
        .with_kind(kind(work))
        .with_links(links.into_iter().map(Link::with_context).collect());
    let mut span = tracer.build_with_context(builder, &context);
    span.is_recording().then(|| {
        span.update_name(name(work));
        span.set_attributes(attributes(work));
        Recorded(span)
    })
}

fn kind(work: Work<'_>) -> SpanKind {
    match work {
        Work::Request { .. } => SpanKind::Server,
        Work::Publish { .. } => SpanKind::Producer,
        Work::Batch { .. } => SpanKind::Consumer,
    }
}

fn name(work: Work<'_>) -> String {
    match work {
        Work::Request { method, route } => format!("{} {route}", method.unwrap_or("HTTP")),
        Work::Publish { queue } => format!("publish {}", queue.name()),
        Work::Batch { queue, .. } => format!("process {}", queue.name()),
    }
}

fn attributes(work: Work<'_>) -> Vec<KeyValue> {
    let messaging = |operation, kind, queue: Queue| {
        vec![
            KeyValue::new("messaging.system", "rabbitmq"),
            KeyValue::new("messaging.operation.name", operation),
            KeyValue::new("messaging.operation.type", kind),
            KeyValue::new("messaging.destination.name", queue.name()),
        ]
    };
    match work {
        Work::Request { method, route } => vec![
            KeyValue::new("http.request.method", method.unwrap_or("_OTHER")),
            KeyValue::new("http.route", route.to_owned()),
        ],
        Work::Publish { queue } => messaging("publish", "send", queue),
        Work::Batch { queue, messages } => {
            let mut all = messaging("process", "process", queue);
            let messages = i64::try_from(messages).unwrap_or(i64::MAX);
            all.push(KeyValue::new("messaging.batch.message_count", messages));
            all
        }
    }
}

#[cfg(test)]
mod tests;
