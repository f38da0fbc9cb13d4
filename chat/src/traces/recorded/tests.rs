//! What is recorded, and what it belongs to, without a collector.

use super::*;
use crate::traces::exporting::sampler;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use std::sync::{Arc, Mutex};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const OTHER_TRACE: &str = "1af7651916cd43dd8448eb211c80319c";

/// Ended spans, kept.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

struct Traced {
    tracer: SdkTracer,
    kept: Kept,
}

fn sampling(sample: f64) -> Traced {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(sampler(sample))
        .with_simple_exporter(kept.clone())
        .build();
    Traced {
        tracer: provider.tracer("test"),
        kept,
    }
}

impl Traced {
    fn request(&self, caller: Option<&str>) -> Option<Recorded> {
        let (method, route) = (Some("POST"), "/chats/{chat}");
        let work = Work::Request { method, route };
        begin(&self.tracer, work, caller.and_then(cause), Vec::new())
    }

    fn batch(&self, causes: &[SpanContext]) -> SpanData {
        let (queue, messages) = (Queue::Messages, 7);
        let work = Work::Batch { queue, messages };
        drop(serve(&self.tracer, work, causes.to_vec()));
        self.last()
    }

    fn last(&self) -> SpanData {
        let mut kept = self.kept.0.lock().unwrap();
        kept.pop().expect("a span has ended")
    }
}

fn span_of(trace: &str, span: u64, flags: &str) -> String {
    format!("00-{trace}-{span:016x}-{flags}")
}

fn value(span: &SpanData, name: &str) -> String {
    let found = span.attributes.iter().find(|one| one.key.as_str() == name);
    found.map_or(String::new(), |one| one.value.to_string())
}

#[test]
fn the_caller_decides_whether_a_request_is_traced_and_where_nobody_did_chance_does() {
    let (yes, no) = (span_of(TRACE, 7, "01"), span_of(TRACE, 7, "00"));
    for (sample, caller, traced) in [
        (0.0, Some(&yes), true),
        (1.0, Some(&no), false),
        (0.0, None, false),
        (1.0, None, true),
    ] {
        let request = sampling(sample).request(caller.map(String::as_str));
        assert_eq!(request.is_some(), traced, "{sample} {caller:?}");
    }
}

#[test]
fn a_request_continues_the_trace_of_its_caller_and_tells_its_own_span() {
    let traced = sampling(0.0);
    let request = traced.request(Some(&span_of(TRACE, 7, "01"))).unwrap();
    let told = request.traceparent();
    assert_eq!(request.trace_id(), TRACE);
    drop(request);
    let span = traced.last();
    assert_eq!(
        told,
        format!("00-{TRACE}-{}-01", span.span_context.span_id())
    );
    assert_eq!(span.parent_span_id.to_string(), format!("{:016x}", 7));
    assert_eq!(
        (span.name, span.span_kind),
        ("POST /chats/{chat}".into(), SpanKind::Server)
    );
}

#[test]
fn only_what_is_our_fault_is_an_error() {
    for (status, error) in [(201, ""), (404, ""), (503, "503")] {
        let traced = sampling(1.0);
        let mut request = traced.request(None).unwrap();
        request.answered(status, Some(AppId::from_stored(9)));
        drop(request);
        let span = traced.last();
        assert_eq!(
            value(&span, "http.response.status_code"),
            status.to_string()
        );
        assert_eq!(value(&span, "chat.application"), "9");
        assert_eq!(value(&span, "error.type"), error);
        assert_eq!(span.status == Status::Unset, error.is_empty());
    }
}

#[test]
fn a_batch_of_one_trace_belongs_to_it_and_a_batch_of_several_has_its_own() {
    let traced = sampling(1.0);
    let of = |trace, span| cause(&span_of(trace, span, "01")).unwrap();
    let (first, second, other) = (of(TRACE, 1), of(TRACE, 2), of(OTHER_TRACE, 3));
    let links = |span: &SpanData| -> Vec<SpanContext> {
        span.links
            .iter()
            .map(|link| link.span_context.clone())
            .collect()
    };

    let of_one = [first.clone(), second];
    let span = traced.batch(&of_one);
    assert_eq!(links(&span), of_one);
    assert_eq!(span.span_context.trace_id(), first.trace_id());
    assert_eq!(span.parent_span_id, first.span_id());
    assert_eq!(value(&span, "messaging.batch.message_count"), "7");

    let of_two = [first.clone(), other.clone()];
    let span = traced.batch(&of_two);
    assert_eq!(links(&span), of_two);
    assert!(
        ![&first, &other]
            .map(SpanContext::trace_id)
            .contains(&span.span_context.trace_id())
    );
}

#[test]
fn what_is_no_trace_context_causes_nothing() {
    for text in ["", "00-x-y-01", &span_of(&"0".repeat(32), 1, "01")] {
        assert_eq!(cause(text), None, "{text:?}");
    }
}
