//! The OpenAPI document: what the handlers' attributes say, completed by what is the same everywhere -
//! path parameters, credentials, headers and problem details - so that no handler repeats it.
//!
//! Answer schemas are closed (`additionalProperties: false`), so a checker can be strict; a test holds
//! every answer of the test suite against this document.

use crate::error::ProblemDocument;
use crate::extract::{CHAT, IDEMPOTENCY_KEY, KEY, MESSAGE, TOKEN};
use crate::kind::Kind;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "ChatSystem",
        description = "Applications have chats, chats have messages; each is numbered from 1 within its parent. \
            Creates, edits and deletes are accepted durably and stored a moment later.\n\n\
            Every path also answers without `/api/v1`, and `/apps` means `/applications`. \
            Every error is `application/problem+json` (RFC 9457). \
            Where the server runs without keys (on loopback only), no credentials are needed.",
    ),
    components(schemas(ProblemDocument)),
    tags(
        (name = "applications", description = "Tenants. None sees anything of another."),
        (name = "keys", description = "What lets a program into one application."),
        (name = "chats", description = "Chats of an application."),
        (name = "messages", description = "Messages of a chat."),
        (name = "search", description = "Finding messages by their words."),
        (name = "administration", description = "Across applications, with the admin key."),
    ),
)]
pub(crate) struct Base;

/// Completes what the handlers say.
pub(crate) fn finish(described: &OpenApi) -> Value {
    let mut document = serde_json::to_value(described).expect("an OpenAPI document is JSON");
    complete_components(&mut document["components"]);
    for (path, methods) in object(&mut document["paths"]) {
        for (method, operation) in object(methods) {
            complete_operation(path, method, operation);
        }
    }
    document
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().expect("utoipa writes an object here")
}

fn complete_components(components: &mut Value) {
    let schemas = object(&mut components["schemas"]);
    flatten(schemas);
    schemas["Problem"]["properties"]["type"]["enum"] = Kind::ALL.map(Kind::urn).to_vec().into();
    for edit in ["ChatEditBody", "MessageEditBody"] {
        schemas[edit]["minProperties"] = 1.into();
    }
    components["securitySchemes"] = json!({
        "application_key": {
            "type": "http", "scheme": "bearer",
            "description": "`cs_<key_id>_<secret>` of one application.",
        },
        "admin_key": { "type": "http", "scheme": "bearer", "description": "The key of the administrator." },
    });
    components["headers"] = headers();
}

/// utoipa describes a flattened field as `allOf`, which no closed schema survives: makes it one object.
fn flatten(schemas: &mut Map<String, Value>) {
    let before = schemas.clone();
    for schema in schemas.values_mut() {
        let Some(Value::Array(parts)) = schema.get("allOf").cloned() else {
            continue;
        };
        let mut whole = json!({ "type": "object", "properties": {}, "required": [], "additionalProperties": false });
        if let Some(description) = schema.get("description") {
            whole["description"] = description.clone();
        }
        for part in parts {
            let name = part["$ref"]
                .as_str()
                .and_then(|place| place.rsplit('/').next());
            let part = name.map_or(&part, |name| &before[name]);
            if let Some(properties) = part["properties"].as_object() {
                object(&mut whole["properties"]).extend(properties.clone());
            }
            if let (Some(required), Some(more)) = (
                whole["required"].as_array_mut(),
                part["required"].as_array(),
            ) {
                required.extend(more.iter().cloned());
            }
        }
        *schema = whole;
    }
}

fn complete_operation(path: &str, method: &str, operation: &mut Value) {
    let id = operation["operationId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if method == "put" {
        // The same handler as PATCH; ids are unique in a document.
        operation["operationId"] = format!("{id}_by_put").into();
    }
    let body = operation.pointer_mut("/requestBody/content/application~1json/schema");
    if let Some(body) = body.filter(|body| body["oneOf"].is_array()) {
        // utoipa's way to say "or no body at all" would allow a JSON null.
        *body = body["oneOf"][0].take();
    }
    let parameters = operation["parameters"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let parameters = parameters.into_iter().map(sharpened);
    operation["parameters"] = path_parameters(path).chain(parameters).collect();
    let open_to_tenants = path.contains('{') || (method == "post" && path.ends_with("/messages"));
    operation["security"] = if open_to_tenants {
        json!([{ "application_key": [] }, { "admin_key": [] }, {}])
    } else {
        json!([{ "admin_key": [] }, {}])
    };

    let kinds = kinds_of(path, method, operation);
    let responses = object(&mut operation["responses"]);
    for (status, response) in responses.iter_mut() {
        response["headers"] = success_headers(&id, status);
    }
    for kind in kinds {
        let status = kind.status().as_str().to_owned();
        let response = responses
            .entry(status)
            .or_insert_with(|| problem_response(kind));
        let description = response["description"].as_str().unwrap_or_default();
        let comma = if description.is_empty() { "" } else { ", " };
        response["description"] = format!("{description}{comma}`{}`", kind.slug()).into();
    }
}

fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    let names = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let (description, schema) = match name {
            TOKEN => ("The application.", json!({ "type": "string" })),
            CHAT | MESSAGE => {
                let word = if name == CHAT { "The chat." } else { "The message." };
                (word, json!({ "type": "integer", "format": "int64", "minimum": 1, "maximum": 9_007_199_254_740_991_u64 }))
            }
            KEY => ("The part of a key after `cs_`.", json!({ "type": "string" })),
            other => unreachable!("no template has {other}"),
        };
        json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema })
    })
}

/// Says of a parameter what the handlers' attributes cannot.
fn sharpened(mut parameter: Value) -> Value {
    let schema = match parameter["name"].as_str() {
        Some(IDEMPOTENCY_KEY) => json!({ "type": "string", "pattern": "^[ -~]{1,255}$" }),
        Some("sort") => json!({ "type": "string", "enum": ["relevance", "number"] }),
        Some("since" | "until") => json!({ "type": "string", "format": "date-time" }),
        _ => return parameter,
    };
    parameter["schema"] = schema;
    parameter
}

/// The problems an operation can answer with.
fn kinds_of(path: &str, method: &str, operation: &Value) -> Vec<Kind> {
    let mut kinds = vec![
        Kind::InvalidRequest,
        Kind::Unauthenticated,
        Kind::Forbidden,
        Kind::RateLimited,
    ];
    let mut also = |when: bool, more: &[Kind]| {
        if when {
            kinds.extend_from_slice(more);
        }
    };
    let takes_key = operation["parameters"]
        .as_array()
        .is_some_and(|parameters| {
            parameters
                .iter()
                .any(|parameter| parameter["name"] == IDEMPOTENCY_KEY)
        });
    let within_chat = path.contains(CHAT) || path.ends_with("/messages");
    let writes = method != "get";
    also(
        operation.get("requestBody").is_some(),
        &[
            Kind::MalformedBody,
            Kind::BodyTooLarge,
            Kind::UnsupportedMediaType,
        ],
    );
    also(
        path.contains('{') || method == "post",
        &[Kind::NotFound, Kind::Gone],
    );
    also(within_chat && !writes, &[Kind::NeverStored]);
    also(takes_key, &[Kind::InFlight, Kind::IdempotencyMismatch]);
    also(within_chat, &[Kind::NotYetStored]);
    also(writes, &[Kind::Unroutable, Kind::OutcomeUnknown]);
    kinds.extend([Kind::Busy, Kind::Unavailable, Kind::Timeout, Kind::Internal]);
    kinds
}

fn problem_response(kind: Kind) -> Value {
    let mut headers = common_headers();
    let mut also =
        |name: &str| object(&mut headers).insert(name.into(), reference("headers", name));
    match kind.status().as_u16() {
        401 => also("WWW-Authenticate"),
        409 | 429 | 503 => also("Retry-After"),
        _ => None,
    };
    json!({
        "description": "",
        "headers": headers,
        "content": { "application/problem+json": { "schema": reference("schemas", "Problem") } },
    })
}

fn success_headers(operation: &str, status: &str) -> Value {
    let names: &[&str] = match (operation.split('_').next().unwrap_or_default(), status) {
        ("create" | "rotate" | "edit", _) => &["Location", "Idempotent-Replayed"],
        ("delete", _) if operation != "delete_application" => &["Location"],
        ("list" | "search", _) => &["Link"],
        ("show", "202") => &["Retry-After", "Preference-Applied"],
        ("show", _) if operation == "show_message" => &["Preference-Applied"],
        _ => &[],
    };
    let mut headers = common_headers();
    for name in names {
        object(&mut headers).insert((*name).into(), reference("headers", name));
    }
    headers
}

fn common_headers() -> Value {
    let names = [
        "X-Request-Id",
        "traceparent",
        "RateLimit",
        "RateLimit-Policy",
    ];
    names
        .into_iter()
        .map(|name| (name.to_owned(), reference("headers", name)))
        .collect()
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn headers() -> Value {
    let described = [
        (
            "X-Request-Id",
            "Taken from the request if it was 1 to 128 visible ASCII characters, else made.",
        ),
        (
            "traceparent",
            "W3C Trace Context: the request's trace, or a new one, with a span of the server.",
        ),
        (
            "RateLimit",
            "What is left of each limit, where limits are on.",
        ),
        ("RateLimit-Policy", "The limits, where limits are on."),
        ("Location", "Where the object is."),
        (
            "Idempotent-Replayed",
            "`true` when this is the first answer to the same Idempotency-Key again.",
        ),
        ("Link", "The next page, `rel=\"next\"`, if there is one."),
        ("Retry-After", "Seconds to wait."),
        ("Preference-Applied", "The `Prefer` that was heeded."),
        ("WWW-Authenticate", "What kind of credential is needed."),
    ];
    let header =
        |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    described
        .into_iter()
        .map(|(name, description)| (name.to_owned(), header(description)))
        .collect()
}
