//! Text that people write: names, content, metadata, idempotency keys, and their limits.
//!
//! Text is kept as it was sent: no trimming, no normalising. A refusal says what is wrong and how to
//! mend it, in words fit for an API answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Why a value was refused, and what to send instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub problem: String,
    pub fix: String,
}

impl Problem {
    pub fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            fix: fix.into(),
        }
    }
}

fn refuse_nul(text: &str) -> Result<(), Problem> {
    match text.find('\0') {
        Some(at) => Err(Problem::new(
            format!("contains a NUL character at byte {at}"),
            "remove U+0000",
        )),
        None => Ok(()),
    }
}

fn bounded_line(text: String) -> Result<String, Problem> {
    refuse_nul(&text)?;
    let characters = text.chars().count();
    if text.trim().is_empty() {
        return Err(Problem::new(
            "is blank",
            "send 1 to 200 characters, not only white space",
        ));
    }
    if characters > Name::MAX_CHARACTERS {
        return Err(Problem::new(
            format!("has {characters} characters"),
            "send at most 200 characters",
        ));
    }
    Ok(text)
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn parse(text: impl Into<String>) -> Result<Self, Problem> {
                let parse: fn(String) -> Result<String, Problem> = $parse;
                parse(text.into()).map(Self)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                Self::parse(text).map_err(|refusal| refusal.problem)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }
    };
}

text_type!(
    /// The name of an application or a chat: 1 to 200 characters, not blank.
    Name,
    bounded_line
);
text_type!(
    /// Who wrote a message: 1 to 200 characters, not blank.
    Author,
    bounded_line
);
text_type!(
    /// What a message says: 1 to 10,000 characters, at most 40,000 bytes of UTF-8.
    Content,
    |text| {
        refuse_nul(&text)?;
        if text.is_empty() {
            return Err(Problem::new("is empty", "send 1 to 10000 characters"));
        }
        let characters = text.chars().count();
        if characters > Content::MAX_CHARACTERS {
            return Err(Problem::new(format!("has {characters} characters"), "send at most 10000 characters"));
        }
        if text.len() > Content::MAX_BYTES {
            return Err(Problem::new(format!("has {} bytes", text.len()), "send at most 40000 bytes of UTF-8"));
        }
        Ok(text)
    }
);
text_type!(
    /// A JSON object of at most 8 KiB, at most five levels deep, as compact JSON text.
    Metadata,
    |text| {
        let object: Map<String, Value> = serde_json::from_str(&text)
            .map_err(|_| Problem::new("is not a JSON object", "send an object, like {\"topic\":\"billing\"}"))?;
        Metadata::from_object(&object).map(|metadata| metadata.0)
    }
);
text_type!(
    /// What a client calls one create, so that repeating it adds nothing: 1 to 255 printable ASCII characters.
    IdempotencyKey,
    |text| {
        let printable = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
        if (1..=255).contains(&text.len()) && printable {
            Ok(text)
        } else {
            Err(Problem::new("is not 1 to 255 printable ASCII characters", "send for example a UUID"))
        }
    }
);

impl Name {
    pub const MAX_CHARACTERS: usize = 200;
}

impl Content {
    pub const MAX_CHARACTERS: usize = 10_000;
    pub const MAX_BYTES: usize = 40_000;
}

impl Metadata {
    pub const MAX_BYTES: usize = 8 * 1024;
    pub const MAX_DEPTH: usize = 5;

    pub fn from_object(object: &Map<String, Value>) -> Result<Self, Problem> {
        let text = serde_json::to_string(object)
            .expect("a JSON map has string keys and no failing values");
        if text.len() > Self::MAX_BYTES {
            return Err(Problem::new(
                format!("has {} bytes", text.len()),
                "send at most 8192 bytes of compact JSON",
            ));
        }
        let depth = 1 + object.values().map(depth_of).max().unwrap_or(0);
        if depth > Self::MAX_DEPTH {
            return Err(Problem::new(
                format!("is {depth} levels deep"),
                "nest at most 5 levels",
            ));
        }
        if object
            .iter()
            .any(|(key, value)| key.contains('\0') || holds_nul(value))
        {
            return Err(Problem::new("contains a NUL character", "remove U+0000"));
        }
        Ok(Self(text))
    }

    pub fn to_object(&self) -> Map<String, Value> {
        serde_json::from_str(&self.0).expect("metadata was parsed as an object before it was kept")
    }
}

fn depth_of(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(key, value)| key.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_limited_in_characters_and_in_bytes() {
        assert!(Content::parse("x".repeat(10_000)).is_ok());
        assert!(Content::parse("x".repeat(10_001)).is_err());
        assert!(Content::parse("\u{1F600}".repeat(10_000)).is_ok());
        assert!(Content::parse("").is_err());
        assert!(Content::parse("a\0b").is_err());
        assert_eq!(Content::parse(" \t ").unwrap().as_str(), " \t ");
    }

    #[test]
    fn a_name_is_not_blank_and_at_most_200_characters() {
        assert!(Name::parse("é".repeat(200)).is_ok());
        assert!(Name::parse("é".repeat(201)).is_err());
        assert!(Name::parse(" \u{2003}\n").is_err());
    }

    #[test]
    fn metadata_is_an_object_of_bounded_size_and_depth() {
        assert!(Metadata::parse(r#"{"a":{"b":{"c":{"d":{}}}}}"#).is_ok());
        assert!(Metadata::parse(r#"{"a":{"b":{"c":{"d":{"e":{}}}}}}"#).is_err());
        assert!(Metadata::parse("[]").is_err());
        assert!(Metadata::parse(r#"{"a":"\u0000"}"#).is_err());
        assert!(Metadata::parse(format!(r#"{{"a":"{}"}}"#, "x".repeat(8192))).is_err());
        assert_eq!(
            Metadata::parse(r#"{ "z": 1, "a": 2 }"#).unwrap().as_str(),
            r#"{"z":1,"a":2}"#
        );
    }

    #[test]
    fn an_idempotency_key_is_printable_ascii() {
        assert!(IdempotencyKey::parse("a".repeat(255)).is_ok());
        for bad in [String::new(), "a".repeat(256), "é".into(), "a\nb".into()] {
            assert!(IdempotencyKey::parse(bad).is_err());
        }
    }
}
