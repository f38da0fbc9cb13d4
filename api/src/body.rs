//! Request bodies: bytes off the wire, bounded in size and time, then a JSON object.
//!
//! The wrappers of the earlier systems end here; `fields` reads what is inside.

use crate::error::Problem;
use crate::fields::{Fields, WHOLE_BODY, kind_of};
use crate::kind::Kind;
use crate::router::Api;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
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
            Value::Object(values) => Ok(Fields::of(values)),
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
            return Ok(Fields::of(Map::new()));
        }
        self.fields(wrappers)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::name;
    use chat::model::Name;

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
