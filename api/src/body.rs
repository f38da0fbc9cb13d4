//! Request bodies: bytes off the wire, then a JSON object, then field by field.
//!
//! Not serde's derive, because it stops at the first thing that is wrong, and a client deserves to hear
//! all of them, each with a fix. Wrappers and aliases of the earlier systems end here.

use crate::error::{FieldError, Kind, Problem};
use crate::router::Api;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use chat::model::{Author, Content, Metadata, Millis, Name, Number, Problem as Refusal};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const MAX_BYTES: usize = 256 * 1024;
/// How much of a body that is too large is read and thrown away, so that a client that still sends
/// sees the answer instead of a reset connection.
const MAX_DRAINED_BYTES: usize = 4 * 1024 * 1024;
const DEADLINE: Duration = Duration::from_secs(10);

/// A body that says it is JSON, or is empty. Not yet parsed.
pub(crate) struct JsonBody(Bytes);

impl FromRequest<Arc<Api>> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<Api>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        if !body.is_end_stream() {
            refuse_other_media(&parts.headers)?;
        }
        match tokio::time::timeout(DEADLINE, read(body)).await {
            Ok(bytes) => bytes.map(Self),
            Err(_) => Err(Problem::new(
                Kind::Timeout,
                "the body did not arrive within 10 seconds",
            )),
        }
    }
}

/// A browser sends other media types to any site without asking first, so this also keeps foreign web
/// pages from writing to a server on loopback.
fn refuse_other_media(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |detail: &str| Err(Problem::new(Kind::UnsupportedMediaType, detail));
    let sent = headers
        .get(header::CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or_default());
    let Some(sent) = sent else {
        return refuse(
            "send JSON with 'Content-Type: application/json'; there was no Content-Type",
        );
    };
    let mut parts = sent.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let is_json = media.eq_ignore_ascii_case("application/json")
        || (media.len() > 17
            && media.is_char_boundary(12)
            && media[..12].eq_ignore_ascii_case("application/")
            && media.is_char_boundary(media.len() - 5)
            && media[media.len() - 5..].eq_ignore_ascii_case("+json"));
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    if !is_json {
        return refuse("send JSON with 'Content-Type: application/json'");
    }
    if !is_utf8 {
        return refuse("send JSON in UTF-8");
    }
    match headers.get(header::CONTENT_ENCODING) {
        Some(coding) if coding != "identity" => refuse("send JSON without a Content-Encoding"),
        _ => Ok(()),
    }
}

async fn read(mut body: Body) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            Kind::BodyTooLarge,
            format!("send at most {MAX_BYTES} bytes"),
        )
    };
    if body.size_hint().lower() > MAX_BYTES as u64 {
        drain(body).await;
        return Err(too_large());
    }
    let mut whole = Whole::Nothing;
    while let Some(data) = next_data(&mut body).await? {
        whole = whole.and(data);
        if whole.len() > MAX_BYTES {
            drain(body).await;
            return Err(too_large());
        }
    }
    Ok(whole.into_bytes())
}

async fn next_data(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(Kind::MalformedBody, "the body broke off"))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

async fn drain(mut body: Body) {
    let mut drained = 0;
    while let Ok(Some(data)) = next_data(&mut body).await {
        drained += data.len();
        if drained > MAX_DRAINED_BYTES {
            return;
        }
    }
}

/// Most bodies come in one piece, which is then not copied.
enum Whole {
    Nothing,
    One(Bytes),
    Several(BytesMut),
}

impl Whole {
    fn and(self, data: Bytes) -> Self {
        match self {
            Self::Nothing => Self::One(data),
            Self::One(first) => {
                let mut joined = BytesMut::from(first);
                joined.extend_from_slice(&data);
                Self::Several(joined)
            }
            Self::Several(mut joined) => {
                joined.extend_from_slice(&data);
                Self::Several(joined)
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::One(data) => data.len(),
            Self::Several(joined) => joined.len(),
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::One(data) => data,
            Self::Several(joined) => joined.freeze(),
        }
    }
}

impl JsonBody {
    /// The fields of the object, or of the object inside when the only key is one of `wrappers`.
    pub(crate) fn fields(&self, wrappers: &[&str]) -> Result<Fields, Problem> {
        let malformed = |detail: String| Problem::new(Kind::MalformedBody, detail);
        if self.0.is_empty() {
            return Err(malformed("the body is empty; send a JSON object".into()));
        }
        let text = std::str::from_utf8(&self.0).map_err(|error| {
            malformed(format!(
                "the body is not UTF-8 at byte {}",
                error.valid_up_to()
            ))
        })?;
        let value = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        match unwrapped(value, wrappers) {
            Value::Object(values) => Ok(Fields {
                values,
                errors: Vec::new(),
            }),
            other => Err(Problem::invalid_field(
                WHOLE_BODY,
                format!("is {}", kind_of(&other)),
                "send a JSON object, like {\"name\":\"value\"}",
            )),
        }
    }

    /// As `fields`; an empty body is an object without any.
    pub(crate) fn fields_if_any(&self, wrappers: &[&str]) -> Result<Fields, Problem> {
        if self.0.is_empty() {
            return Ok(Fields {
                values: Map::new(),
                errors: Vec::new(),
            });
        }
        self.fields(wrappers)
    }
}

const WHOLE_BODY: &str = "(body)";

fn unwrapped(value: Value, wrappers: &[&str]) -> Value {
    match value {
        Value::Object(mut outer) if outer.len() == 1 => {
            let wrapper = wrappers
                .iter()
                .find(|name| matches!(outer.get(**name), Some(Value::Object(_))));
            match wrapper.and_then(|name| outer.remove(*name)) {
                Some(inner) => inner,
                None => Value::Object(outer),
            }
        }
        other => other,
    }
}

/// The fields of a JSON object, taken one by one; what is wrong is collected until `finish`.
pub(crate) struct Fields {
    values: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// `alias` is another word for `name`.
    pub(crate) fn alias(&mut self, alias: &str, name: &str) {
        if !self.values.contains_key(alias) {
            return;
        }
        if self.values.contains_key(name) {
            self.refuse(
                alias,
                Refusal::new(
                    format!("means the same as '{name}'"),
                    format!("send only '{name}'"),
                ),
            );
        }
        let value = self.values.remove(alias).unwrap_or_default();
        self.values.entry(name).or_insert(value);
    }

    /// `None` was refused; `finish` says so.
    pub(crate) fn required<T>(&mut self, name: &str, parse: Parser<T>) -> Option<T> {
        match self.values.remove(name) {
            Some(Value::Null) => {
                self.refuse(name, Refusal::new("is null", "send a value"));
                None
            }
            Some(value) => self.parsed(name, value, parse),
            None => {
                self.refuse(name, Refusal::new("is missing", "add it"));
                None
            }
        }
    }

    /// `None` for absent, null, or refused.
    pub(crate) fn optional<T>(&mut self, name: &str, parse: Parser<T>) -> Option<T> {
        self.change(name, parse).flatten()
    }

    /// `None` for absent or refused; `Some(None)` for null.
    pub(crate) fn change<T>(&mut self, name: &str, parse: Parser<T>) -> Option<Option<T>> {
        match self.values.remove(name)? {
            Value::Null => Some(None),
            value => self.parsed(name, value, parse).map(Some),
        }
    }

    /// As `change`, for a field that cannot be empty.
    pub(crate) fn replacement<T>(&mut self, name: &str, parse: Parser<T>) -> Option<T> {
        if self.values.contains_key(name) {
            self.required(name, parse)
        } else {
            None
        }
    }

    /// Everything there was must have been taken and must have been right.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let Self { values, mut errors } = self;
        let unknown = values.keys().map(|name| {
            let shown: String = name.chars().take(100).collect();
            FieldError::new(shown, Refusal::new("is not known here", "remove it"))
        });
        errors.extend(unknown.take(20));
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(errors))
        }
    }

    /// As `finish`, for what was `required`.
    pub(crate) fn finish_with<T>(self, required: Option<T>) -> Result<T, Problem> {
        self.finish()?;
        Ok(required.expect("a required value that is missing or refused is among the errors"))
    }

    /// For an edit in which no field was sent.
    pub(crate) fn refuse_no_change(&mut self, names: &str) {
        if self.values.is_empty() && self.errors.is_empty() {
            self.refuse(
                WHOLE_BODY,
                Refusal::new("changes nothing", format!("send {names}")),
            );
        }
    }

    fn parsed<T>(&mut self, name: &str, value: Value, parse: Parser<T>) -> Option<T> {
        match parse(value) {
            Ok(value) => Some(value),
            Err(refusal) => {
                self.refuse(name, refusal);
                None
            }
        }
    }

    fn refuse(&mut self, name: &str, refusal: Refusal) {
        self.errors.push(FieldError::new(name, refusal));
    }
}

/// From a JSON value that is not null.
pub(crate) type Parser<T> = fn(Value) -> Result<T, Refusal>;

pub(crate) fn text(value: Value) -> Result<String, Refusal> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(Refusal::new(
            format!("is {}", kind_of(&other)),
            "send a string",
        )),
    }
}

pub(crate) fn name(value: Value) -> Result<Name, Refusal> {
    Name::parse(text(value)?)
}

pub(crate) fn author(value: Value) -> Result<Author, Refusal> {
    Author::parse(text(value)?)
}

pub(crate) fn content(value: Value) -> Result<Content, Refusal> {
    Content::parse(text(value)?)
}

pub(crate) fn metadata(value: Value) -> Result<Metadata, Refusal> {
    match value {
        Value::Object(object) => Metadata::from_object(&object),
        other => Err(Refusal::new(
            format!("is {}", kind_of(&other)),
            "send an object, like {\"topic\":\"billing\"}",
        )),
    }
}

pub(crate) fn number(value: Value) -> Result<Number, Refusal> {
    value.as_u64().and_then(Number::new).ok_or_else(|| {
        let problem = match &value {
            Value::Number(_) => "is out of range or not whole".to_owned(),
            other => format!("is {}", kind_of(other)),
        };
        Refusal::new(problem, "send a whole number from 1 to 9007199254740991")
    })
}

pub(crate) fn time(value: Value) -> Result<Millis, Refusal> {
    time_of(&text(value)?)
}

pub(crate) fn time_of(text: &str) -> Result<Millis, Refusal> {
    let refusal = || {
        Refusal::new(
            "is not an RFC 3339 time from 1970 on",
            "send for example 2026-01-02T03:04:05.678Z",
        )
    };
    Millis::parse_rfc3339(text).ok_or_else(refusal)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &'static str) -> Fields {
        JsonBody(Bytes::from_static(text.as_bytes()))
            .fields(&["application", "app"])
            .unwrap()
    }

    #[test]
    fn flat_and_wrapped_bodies_are_the_same() {
        for text in [
            r#"{"name":"a"}"#,
            r#"{"application":{"name":"a"}}"#,
            r#"{"app":{"name":"a"}}"#,
        ] {
            let mut fields = fields(text);
            assert_eq!(fields.required("name", name), Name::parse("a").ok());
            assert!(fields.finish().is_ok());
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let mut fields = fields(r#"{"name":"","metadata":7,"colour":"red"}"#);
        assert_eq!(fields.required("name", name), None);
        assert_eq!(fields.optional("metadata", metadata), None);
        assert_eq!(fields.required("content", content), None);
        let shown = format!("{:?}", fields.finish().unwrap_err());
        for field in ["name", "metadata", "content", "colour"] {
            assert!(shown.contains(&format!("field: \"{field}\"")), "{shown}");
        }
    }

    #[test]
    fn absent_and_null_are_different_changes() {
        let mut fields = fields(r#"{"name":null}"#);
        assert_eq!(fields.change("name", name), Some(None));
        assert_eq!(fields.change("metadata", metadata), None);
    }

    #[test]
    fn an_alias_stands_for_its_field_but_not_beside_it() {
        let mut one = fields(r#"{"body":"a"}"#);
        one.alias("body", "content");
        assert_eq!(one.required("content", content), Content::parse("a").ok());
        let mut both = fields(r#"{"body":"a","content":"b"}"#);
        both.alias("body", "content");
        both.required("content", content);
        assert!(both.finish().is_err());
    }

    #[test]
    fn what_is_not_json_is_told_where() {
        for (bytes, place) in [
            (&b"{\n  \"a\": }"[..], "line 2 column 8"),
            (b"\xff", "byte 0"),
            (b"", "empty"),
        ] {
            let problem = JsonBody(Bytes::from_static(bytes))
                .fields(&[])
                .err()
                .unwrap();
            assert_eq!(problem.kind, Kind::MalformedBody);
            assert!(format!("{problem:?}").contains(place), "{problem:?}");
        }
    }

    #[test]
    fn only_json_is_understood() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            refuse_other_media(&headers)
        };
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/merge-patch+json",
        ] {
            assert!(with(good).is_ok(), "{good}");
        }
        for bad in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=latin1",
            "",
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
        assert!(refuse_other_media(&HeaderMap::new()).is_err());
    }
}
