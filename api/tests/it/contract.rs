//! Holds an answer against the OpenAPI document, as strictly as the document allows.

use crate::system::Answer;
use http::Method;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(api::document);
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<jsonschema::Validator>>>> =
    LazyLock::new(Mutex::default);

/// Headers of HTTP itself, which no operation needs to describe.
const PLAIN_HEADERS: [&str; 6] = [
    "allow",
    "cache-control",
    "content-length",
    "content-type",
    "vary",
    "x-content-type-options",
];

pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    for name in ["x-request-id", "traceparent"] {
        assert!(
            answer.headers.contains_key(name),
            "{method} {path}: no {name}"
        );
    }
    assert_eq!(
        answer.header("x-content-type-options"),
        "nosniff",
        "{method} {path}"
    );
    if answer.status >= 400 {
        check_problem(method, path, answer);
    }
    let Some(operations) = operations_at(path) else {
        return check_unknown_path(path, answer);
    };
    let method_name = method.as_str().to_ascii_lowercase();
    match operations.get(&method_name) {
        Some(operation) => check_operation(&format!("{method} {path}"), operation, answer),
        None if method == Method::HEAD => assert_eq!(answer.text, "", "HEAD has no body"),
        None if method == Method::OPTIONS => {
            assert!(matches!(answer.status, 200 | 204), "{answer:?}")
        }
        None => {
            assert_eq!(
                answer.status, 405,
                "{method} {path} is not described: {answer:?}"
            );
            assert_ne!(
                answer.header("allow"),
                "",
                "{method} {path}: 405 without Allow"
            );
        }
    }
}

/// The described operations of the template this path belongs to, whichever base and name it uses.
fn operations_at(path: &str) -> Option<&'static Value> {
    let path = path.split('?').next().unwrap();
    let rest = path.strip_prefix("/api/v1").unwrap_or(path);
    let rest = match rest.strip_prefix("/apps") {
        Some(after) if after.is_empty() || after.starts_with('/') => {
            format!("/applications{after}")
        }
        _ => rest.to_owned(),
    };
    let parts: Vec<&str> = rest.split('/').collect();
    let templates = DOCUMENT["paths"].as_object().unwrap().iter();
    // A literal part is a better match than a parameter.
    let matching = templates.filter_map(|(template, operations)| {
        let pieces: Vec<&str> = template
            .strip_prefix("/api/v1")
            .unwrap()
            .split('/')
            .collect();
        let fits = pieces.len() == parts.len()
            && pieces
                .iter()
                .zip(&parts)
                .all(|(piece, part)| piece == part || (piece.starts_with('{') && !part.is_empty()));
        fits.then(|| {
            (
                pieces.iter().filter(|piece| piece.starts_with('{')).count(),
                operations,
            )
        })
    });
    matching
        .min_by_key(|(parameters, _)| *parameters)
        .map(|(_, operations)| operations)
}

fn check_unknown_path(path: &str, answer: &Answer) {
    if !path.starts_with("/docs") && path != "/openapi.json" {
        assert!(
            answer.status >= 400,
            "{path} is served and not described: {answer:?}"
        );
    }
}

fn check_problem(method: &Method, path: &str, answer: &Answer) {
    assert_eq!(
        answer.header("content-type"),
        "application/problem+json",
        "{method} {path}: {answer:?}"
    );
    if method == Method::HEAD {
        return;
    }
    validate(
        &json!({ "$ref": "#/components/schemas/Problem" }),
        &answer.body,
    );
    assert_eq!(answer.body["status"], answer.status, "{method} {path}");
    assert_eq!(
        answer.body["instance"],
        answer.header("x-request-id"),
        "{method} {path}"
    );
    assert_ne!(answer.body["detail"], "", "{method} {path}");
}

fn check_operation(asked: &str, operation: &Value, answer: &Answer) {
    let response = &operation["responses"][answer.status.to_string()];
    assert!(
        response.is_object(),
        "{asked}: status is not described: {answer:?}"
    );
    for name in answer.headers.keys().map(http::HeaderName::as_str) {
        let described = response["headers"].as_object().is_some_and(|headers| {
            headers
                .keys()
                .any(|header| header.eq_ignore_ascii_case(name))
        });
        let of_cors = name.starts_with("access-control-");
        assert!(
            described || of_cors || PLAIN_HEADERS.contains(&name),
            "{asked}: {name} is not described: {answer:?}"
        );
    }
    let Some(content) = response["content"].as_object() else {
        assert_eq!(answer.text, "", "{asked}: a body that is not described");
        return;
    };
    let media = answer.header("content-type");
    let schema = content
        .get(media)
        .unwrap_or_else(|| panic!("{asked}: {media} is not described: {answer:?}"));
    validate(&schema["schema"], &answer.body);
    if answer.status == 201 {
        assert!(
            answer.headers.contains_key("location"),
            "{asked}: {answer:?}"
        );
    }
    if matches!(answer.status, 409 | 429 | 503) {
        assert!(
            answer.headers.contains_key("retry-after"),
            "{asked}: {answer:?}"
        );
    }
}

fn validate(schema: &Value, body: &Value) {
    let validator = {
        let mut validators = VALIDATORS.lock().unwrap();
        let made = || {
            let mut whole = schema.clone();
            whole["components"] = DOCUMENT["components"].clone();
            Arc::new(
                jsonschema::options()
                    .should_validate_formats(true)
                    .build(&whole)
                    .unwrap(),
            )
        };
        Arc::clone(validators.entry(schema.to_string()).or_insert_with(made))
    };
    let errors: Vec<String> = validator
        .iter_errors(body)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{schema}: {errors:?} in {body}");
}
