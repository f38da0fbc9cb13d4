//! A JSON object, read field by field; what is wrong is collected, each with a fix.
//!
//! Not serde's derive, because it stops at the first thing that is wrong. The parsers at the end turn
//! JSON values into words of the domain and accept nothing else.

use crate::error::{FieldError, Problem};
use chat::model::{Author, Content, Metadata, Millis, Name, Number, Problem as Refusal};
use serde_json::{Map, Value};

/// Stands for the body as a whole where a field is to be named.
pub(crate) const WHOLE_BODY: &str = "(body)";

/// The fields of a JSON object, taken one by one; what is wrong is collected until `finish`.
pub(crate) struct Fields {
    values: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    pub(crate) fn of(values: Map<String, Value>) -> Self {
        Self {
            values,
            errors: Vec::new(),
        }
    }

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

pub(crate) fn kind_of(value: &Value) -> &'static str {
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
    use serde_json::json;

    fn fields(value: Value) -> Fields {
        match value {
            Value::Object(values) => Fields::of(values),
            other => panic!("{other} is no object"),
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let mut fields = fields(json!({"name":"","metadata":7,"colour":"red"}));
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
        let mut fields = fields(json!({"name":null}));
        assert_eq!(fields.change("name", name), Some(None));
        assert_eq!(fields.change("metadata", metadata), None);
    }

    #[test]
    fn an_alias_stands_for_its_field_but_not_beside_it() {
        let mut one = fields(json!({"body":"a"}));
        one.alias("body", "content");
        assert_eq!(one.required("content", content), Content::parse("a").ok());
        let mut both = fields(json!({"body":"a","content":"b"}));
        both.alias("body", "content");
        both.required("content", content);
        assert!(both.finish().is_err());
    }
}
