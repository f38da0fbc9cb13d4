//! Query strings: decoded, taken name by name, with everything wrong collected until `finish`.
//!
//! Decoding is strict where the usual libraries are lossy: bytes that are not UTF-8 are an error, not a
//! replacement character.

use crate::error::{FieldError, Problem};
use crate::router::Api;
use axum::extract::FromRequestParts;
use chat::model::{Number, Problem as Refusal};
use http::request::Parts;
use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(crate) struct Query {
    pairs: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl FromRequestParts<Arc<Api>> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

/// For routes that have no query: an unknown parameter is refused, not ignored.
pub(crate) struct NoQuery;

impl FromRequestParts<Arc<Api>> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        match parts.uri.query() {
            None | Some("") => Ok(Self),
            Some(query) => Query::parse(query).finish().map(|()| Self),
        }
    }
}

impl Query {
    pub(crate) fn parse(raw: &str) -> Self {
        let mut query = Self {
            pairs: Vec::new(),
            errors: Vec::new(),
        };
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (decode(name), decode(value)) {
                (Some(name), Some(value)) => query.pairs.push((name, value)),
                (name, _) => {
                    let name = name.unwrap_or_else(|| name_for_humans(pair));
                    query.refuse(
                        &name,
                        Refusal::new(
                            "is not UTF-8 after percent-decoding",
                            "encode text as UTF-8",
                        ),
                    );
                }
            }
        }
        query
    }

    /// What was sent, decoded, in order.
    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(known, _)| known == name)
    }

    /// `alias` is another word for `name`.
    pub(crate) fn alias(&mut self, alias: &str, name: &str) {
        for pair in self.pairs.iter_mut().filter(|pair| pair.0 == alias) {
            name.clone_into(&mut pair.0);
        }
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.pairs.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.pairs.remove(at);
        if self.has(name) {
            self.pairs.retain(|(known, _)| known != name);
            self.refuse(
                name,
                Refusal::new("is given more than once", "send it once"),
            );
        }
        Some(value)
    }

    /// Empty when it is absent or was refused; `finish` says so.
    pub(crate) fn required(&mut self, name: &str, fix: &str) -> String {
        let value = self.take(name);
        if value.is_none() && !self.errors.iter().any(|error| error.field == name) {
            self.refuse(name, Refusal::new("is missing", fix));
        }
        value.unwrap_or_default()
    }

    pub(crate) fn take_parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<T> {
        let value = self.take(name)?;
        parse(&value)
            .map_err(|refusal| self.refuse(name, refusal))
            .ok()
    }

    /// A whole number in `range`; `None` when absent or refused.
    pub(crate) fn number(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        self.take_parsed(name, |text| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = if digits { text.parse().ok() } else { None };
            let (least, most) = (range.start(), range.end());
            number
                .filter(|number| range.contains(number))
                .ok_or_else(|| {
                    Refusal::new(
                        "is out of range",
                        format!("send a whole number from {least} to {most}"),
                    )
                })
        })
    }

    /// `limit` of a list.
    pub(crate) fn limit(&mut self) -> u32 {
        let limit = self
            .number("limit", 1..=u64::from(MAX_LIMIT))
            .unwrap_or(DEFAULT_LIMIT.into());
        u32::try_from(limit).unwrap_or(MAX_LIMIT)
    }

    /// `after` of a list within a path: a number, or 0 for the start.
    pub(crate) fn after(&mut self) -> Option<u64> {
        self.number("after", 0..=Number::MAX.get())
    }

    pub(crate) fn refuse(&mut self, name: &str, refusal: Refusal) {
        self.errors.push(FieldError::new(name, refusal));
    }

    /// Everything there was must have been taken and must have been right.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let Self { pairs, mut errors } = self;
        let unknown = pairs.iter().map(|(name, _)| {
            FieldError::new(
                name_for_humans(name),
                Refusal::new("is not a parameter of this route", "remove it"),
            )
        });
        errors.extend(unknown.take(20));
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(errors))
        }
    }
}

pub(crate) const DEFAULT_LIMIT: u32 = 50;
pub(crate) const MAX_LIMIT: u32 = 200;

fn name_for_humans(name: &str) -> String {
    name.chars().take(100).collect()
}

/// `application/x-www-form-urlencoded`, as browsers write query strings. `None`: not UTF-8.
fn decode(text: &str) -> Option<String> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, beyond @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                bytes.push(hex_value(*high) << 4 | hex_value(*low));
                rest = beyond;
            }
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Percent-encodes a value for a query string of ours (`Link`).
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_as_browsers_encode_it() {
        let mut query = Query::parse("query=a+b%20%F0%9F%98%80%2B&limit=7&empty=&bare");
        assert_eq!(query.take("query").as_deref(), Some("a b \u{1F600}+"));
        assert_eq!(query.limit(), 7);
        assert_eq!(query.take("empty").as_deref(), Some(""));
        assert_eq!(query.take("bare").as_deref(), Some(""));
        assert!(query.finish().is_ok());
    }

    #[test]
    fn stray_percent_signs_stand_for_themselves() {
        assert_eq!(decode("100%").as_deref(), Some("100%"));
        assert_eq!(decode("%zz%4").as_deref(), Some("%zz%4"));
    }

    #[test]
    fn wrong_repeated_and_unknown_parameters_are_all_named() {
        let mut query = Query::parse("limit=0&after=1&after=2&colour=red&q=%FF");
        query.limit();
        query.after();
        let shown = format!("{:?}", query.finish().unwrap_err());
        for field in ["limit", "after", "colour", "q"] {
            assert!(shown.contains(&format!("field: \"{field}\"")), "{shown}");
        }
    }

    #[test]
    fn what_is_encoded_decodes_again() {
        let text = "a b/\u{e9}+%\"";
        assert_eq!(decode(&encode(text)).as_deref(), Some(text));
    }
}
