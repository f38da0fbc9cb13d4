//! What belongs to one request: its id, its trace, who sent it, and what the way learned about it.
//!
//! Parsing is pure; random bits come in as arguments.

use chat::event::Origin;
use chat::model::AppId;
use chat::ops::limits::Verdict;
use http::{HeaderMap, HeaderName};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// One request, from its head to its answer. Shared by the envelope and the extractors.
#[derive(Debug)]
pub(crate) struct Context {
    /// Visible ASCII, 1 to 128 characters.
    pub(crate) request_id: String,
    /// W3C Trace Context with a span of our own.
    pub(crate) traceparent: String,
    pub(crate) client: IpAddr,
    notes: Mutex<Notes>,
}

/// What is only known once the request is under way.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) tenant: Option<AppId>,
    /// The tightest verdict of each policy that was asked.
    pub(crate) general: Option<Verdict>,
    pub(crate) create: Option<Verdict>,
}

impl Context {
    /// `traced` is the request's own span, where it has one.
    pub(crate) fn new(
        headers: &HeaderMap,
        client: IpAddr,
        traced: Option<String>,
        random: [u8; 24],
    ) -> Self {
        Self {
            request_id: taken_request_id(headers).unwrap_or_else(|| hex(&random[..16])),
            traceparent: traced.unwrap_or_else(|| continued(headers, random)),
            client,
            notes: Mutex::default(),
        }
    }

    /// For the access line and the limit headers.
    pub(crate) fn note(&self, write: impl FnOnce(&mut Notes)) {
        write(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn take_notes(&self) -> Notes {
        std::mem::take(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What travels with a command to the workers and into their logs.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            request_id: Some(self.request_id.clone()),
            traceparent: Some(self.traceparent.clone()),
        }
    }
}

fn taken_request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    (visible && (1..=128).contains(&text.len())).then(|| text.to_owned())
}

/// The span of the caller's that caused this request, if the header says so properly
/// (<https://www.w3.org/TR/trace-context/#traceparent-header>).
pub(crate) fn caller(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    trace_and_flags(text).is_some().then_some(text)
}

/// Continues a valid `traceparent` with a new span id, or starts a trace.
fn continued(headers: &HeaderMap, random: [u8; 24]) -> String {
    let span = hex(&random[16..]);
    match caller(headers).and_then(trace_and_flags) {
        Some((trace, flags)) => format!("00-{trace}-{span}-{flags}"),
        None => format!("00-{}-{span}-00", hex(&random[..16])),
    }
}

fn trace_and_flags(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let shaped = [(version, 2), (trace, 32), (span, 16), (flags, 2)]
        .iter()
        .all(|(part, length)| {
            part.len() == *length
                && part
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        });
    let nonzero = |part: &str| part.bytes().any(|byte| byte != b'0');
    // Version 00 has four parts; a later one may have more, and ff is forbidden.
    let ends = version != "00" || parts.next().is_none();
    (shaped && ends && version != "ff" && nonzero(trace) && nonzero(span)).then_some((trace, flags))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::net::Ipv4Addr;

    fn context(headers: &[(HeaderName, &str)]) -> Context {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Context::new(&headers.collect(), client, None, [7; 24])
    }

    #[test]
    fn a_proper_request_id_is_taken_and_another_is_replaced() {
        assert_eq!(context(&[(REQUEST_ID, "abc-1")]).request_id, "abc-1");
        for bad in ["", "a b", &"x".repeat(129)] {
            assert_eq!(context(&[(REQUEST_ID, bad)]).request_id, "07".repeat(16));
        }
    }

    #[test]
    fn a_trace_is_continued_with_a_span_of_our_own() {
        let given = format!("00-{}-{}-01", "ab".repeat(16), "cd".repeat(8));
        let expected = format!("00-{}-{}-01", "ab".repeat(16), "07".repeat(8));
        assert_eq!(context(&[(TRACEPARENT, &given)]).traceparent, expected);
    }

    #[test]
    fn a_wrong_traceparent_starts_a_new_trace() {
        let (trace, span) = ("ab".repeat(16), "cd".repeat(8));
        let fresh = context(&[]).traceparent;
        for bad in [
            String::from("00"),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("ff-{trace}-{span}-01"),
            format!("00-{trace}-{span}-01-more"),
            format!("00-{}-{span}-01", "AB".repeat(16)),
        ] {
            assert_eq!(context(&[(TRACEPARENT, &bad)]).traceparent, fresh, "{bad}");
        }
    }
}
