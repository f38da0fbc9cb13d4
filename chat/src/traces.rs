//! Traces: what a request caused, from its arrival to the batches of the workers, as spans of OpenTelemetry.
//!
//! There are three kinds, made by hand where work passes from one program to another: a request, a publish,
//! a batch. Whether there is a trace is decided once, for the request; what follows from a request that is
//! not traced is not traced either. What a span says comes from small sets and numbers: never a token, a key
//! or a text somebody wrote, and no path, which holds a token. Log lines stay out of it.
//!
//! Without the feature `otlp`, and until `start`, nothing is traced and a span costs nothing.

#[cfg(feature = "otlp")]
mod collector;
#[cfg(feature = "otlp")]
mod exporting;
#[cfg(feature = "otlp")]
mod recorded;
#[cfg(feature = "otlp")]
use recorded as spans;
#[cfg(not(feature = "otlp"))]
mod absent;
#[cfg(not(feature = "otlp"))]
use absent as spans;

pub use spans::{flush, start};

use crate::error::Error;
use crate::event::{Origin, Queue};
use crate::model::AppId;
use spans::Recorded;

/// Whether this program can trace.
pub const BUILT_IN: bool = cfg!(feature = "otlp");

/// A piece of work, traced or not. It ends when it is dropped.
#[must_use = "it ends when it is dropped"]
pub struct Span(Option<Recorded>);

/// A request that has just arrived. `caller` is its valid `traceparent`, which decides whether it is traced;
/// without one chance does. `route` is a template.
pub fn request(method: &str, route: &str, caller: Option<&str>) -> Span {
    Span(spans::of_request(method, route, caller))
}

/// A command on its way into a queue. Whoever takes it out continues from this span, so its `traceparent`
/// has to travel with the command.
pub fn publish(queue: Queue, origin: &Origin) -> Span {
    let cause = sampled(origin);
    Span(cause.and_then(|cause| spans::of_publish(queue, cause)))
}

/// A batch that a worker carries out. It is linked to each of its messages that is traced. It belongs to
/// their trace if they are all of one; otherwise it has a trace of its own.
pub fn batch<'a>(queue: Queue, messages: usize, origins: impl Iterator<Item = &'a Origin>) -> Span {
    let mut causes = origins.filter_map(sampled).peekable();
    match causes.peek() {
        None => Span(None),
        Some(_) => Span(spans::of_batch(queue, messages, causes)),
    }
}

/// The trace that a command is part of, if that is traced: the lowest bit of its flags says so.
fn sampled(origin: &Origin) -> Option<&str> {
    let traceparent = origin.traceparent.as_deref()?;
    let flags = traceparent.split('-').nth(3)?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    (flags & 1 == 1).then_some(traceparent)
}

impl Span {
    /// W3C Trace Context for whatever this work causes elsewhere; `None` when it is not traced.
    pub fn traceparent(&self) -> Option<String> {
        self.0.as_ref().map(Recorded::traceparent)
    }

    /// By which the trace is found, 32 hexadecimal digits; `None` when there is none.
    pub fn trace_id(&self) -> Option<String> {
        self.0.as_ref().map(Recorded::trace_id)
    }

    /// What was answered to a request, and for which application.
    pub fn answered(mut self, status: u16, app: Option<AppId>) {
        if let Some(span) = &mut self.0 {
            span.answered(status, app);
        }
    }

    /// How a publish or a batch ended.
    pub fn ended(mut self, error: Option<&Error>) {
        if let (Some(span), Some(error)) = (&mut self.0, error) {
            span.failed(error.kind());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_sampled_is_a_cause() {
        let of = |traceparent: Option<&str>| {
            sampled(&Origin {
                request_id: None,
                traceparent: traceparent.map(str::to_owned),
            })
            .is_some()
        };
        let with = |flags: &str| format!("00-{}-{}-{flags}", "ab".repeat(16), "cd".repeat(8));
        assert!(of(Some(&with("01"))) && of(Some(&with("03"))));
        assert!(!of(Some(&with("00"))) && !of(Some(&with("02"))));
        assert!(!of(None) && !of(Some("01")) && !of(Some(&with("x1"))));
    }
}
