//! Holds answers against the OpenAPI document that the system itself serves, as strictly as the document
//! allows: a status, a header or a field that it does not describe is a fault, and so is an error that is
//! not problem details (RFC 9457).
//!
//! Knows nothing of how requests are sent; `client` asks it about each answer.

use crate::client::Answer;
use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

const BASE: &str = "/api/v1";
const PROBLEM: &str = "application/problem+json";
/// Headers of HTTP itself, which no operation needs to describe.
const PLAIN_HEADERS: [&str; 8] = [
    "allow",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "vary",
    "x-content-type-options",
];

/// What may be answered to what.
pub struct Contract {
    routes: Vec<Route>,
    problem: Arc<Validator>,
}

struct Route {
    template: String,
    operations: HashMap<Method, HashMap<u16, Described>>,
}

/// An answer as the document describes it.
struct Described {
    headers: HashSet<String>,
    /// By media type. Empty: the answer has no body.
    bodies: HashMap<String, Arc<Validator>>,
}

impl Contract {
    /// Panics on a document that cannot be understood.
    pub fn new(document: &Value) -> Self {
        let mut schemas = Schemas {
            components: &document["components"],
            made: HashMap::new(),
        };
        let problem = schemas.validator(&json!({ "$ref": "#/components/schemas/Problem" }));
        let routes = object(&document["paths"])
            .iter()
            .map(|(template, operations)| Route {
                template: template.clone(),
                operations: object(operations)
                    .iter()
                    .map(|(method, operation)| (method_of(method), schemas.answers(operation)))
                    .collect(),
            })
            .collect();
        Self { routes, problem }
    }

    /// Every method of every path, under the base of the document.
    pub fn operations(&self) -> Vec<(Method, &str)> {
        let mut operations: Vec<(Method, &str)> = self
            .routes
            .iter()
            .flat_map(|route| {
                let methods = route.operations.keys().cloned();
                methods.map(|method| (method, route.template.as_str()))
            })
            .collect();
        operations.sort_by_key(|(method, template)| (template.to_owned(), method.to_string()));
        operations
    }

    /// Everything in which the answer is not as described; nothing for a good one.
    pub fn faults(&self, method: &Method, path: &str, answer: &Answer) -> Vec<String> {
        let mut faults = Vec::new();
        for name in ["x-request-id", "traceparent", "x-content-type-options"] {
            if answer.header(name).is_empty() {
                faults.push(format!("there is no {name}"));
            }
        }
        if answer.status >= 400 {
            self.problem_faults(answer, &mut faults);
        }
        let operations = self.route_of(path).map(|route| &route.operations);
        match operations.map(|operations| operations.get(method)) {
            Some(Some(answers)) => described_faults(answers, answer, &mut faults),
            Some(None) if answer.status == 405 && !answer.header("allow").is_empty() => {}
            Some(None) => faults.push("the method is not described, and not refused".to_owned()),
            None if answer.status == 404 => {}
            None => faults.push("the path is not described, and not refused".to_owned()),
        }
        faults
    }

    fn problem_faults(&self, answer: &Answer, faults: &mut Vec<String>) {
        if answer.header("content-type") != PROBLEM {
            faults.push(format!("it is {}", answer.header("content-type")));
        }
        faults.extend(errors(&self.problem, &answer.body));
        if answer.body["status"] != answer.status {
            faults.push("its status is another one in the body".to_owned());
        }
        if answer.body["instance"] != answer.header("x-request-id") {
            faults.push("its instance is not the request id".to_owned());
        }
        if answer.body["detail"] == "" {
            faults.push("it has no detail".to_owned());
        }
        let retries = matches!(answer.status, 409 | 429 | 503);
        if retries && answer.header("retry-after").is_empty() {
            faults.push("it does not say when to try again".to_owned());
        }
    }

    /// The route of a path, whichever base and name of an application it uses. A literal part is a
    /// better match than a parameter.
    fn route_of(&self, path: &str) -> Option<&Route> {
        let path = path.split('?').next().unwrap_or_default();
        let rest = path.strip_prefix(BASE).unwrap_or(path);
        let renamed = rest
            .strip_prefix("/apps")
            .filter(|after| after.is_empty() || after.starts_with('/'))
            .map(|after| format!("/applications{after}"));
        let path = format!("{BASE}{}", renamed.as_deref().unwrap_or(rest));
        let parts: Vec<&str> = path.split('/').collect();
        self.routes
            .iter()
            .filter(|route| fits(&route.template, &parts))
            .min_by_key(|route| route.template.matches('{').count())
    }
}

fn fits(template: &str, parts: &[&str]) -> bool {
    let pieces: Vec<&str> = template.split('/').collect();
    let fit = |(piece, part): (&&str, &&str)| {
        piece == part || (piece.starts_with('{') && !part.is_empty())
    };
    pieces.len() == parts.len() && pieces.iter().zip(parts).all(fit)
}

fn described_faults(answers: &HashMap<u16, Described>, answer: &Answer, faults: &mut Vec<String>) {
    let Some(described) = answers.get(&answer.status) else {
        faults.push(format!("the status {} is not described", answer.status));
        return;
    };
    for name in answer.headers.keys() {
        let name = name.as_str();
        if !described.headers.contains(name) && !PLAIN_HEADERS.contains(&name) {
            faults.push(format!("the header {name} is not described"));
        }
    }
    if matches!(answer.status, 201) && answer.header("location").is_empty() {
        faults.push("it does not say where the object is".to_owned());
    }
    if described.bodies.is_empty() {
        if !answer.text.is_empty() {
            faults.push("no body is described, and there is one".to_owned());
        }
        return;
    }
    match described.bodies.get(answer.header("content-type")) {
        Some(schema) => faults.extend(errors(schema, &answer.body)),
        None => faults.push(format!(
            "{:?} is not a described media type",
            answer.header("content-type")
        )),
    }
}

fn errors(schema: &Validator, body: &Value) -> Vec<String> {
    if schema.is_valid(body) {
        return Vec::new();
    }
    let errors = schema.iter_errors(body);
    errors
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect()
}

/// Compiles each schema once: most answers share theirs with many others.
struct Schemas<'a> {
    components: &'a Value,
    made: HashMap<String, Arc<Validator>>,
}

impl Schemas<'_> {
    fn answers(&mut self, operation: &Value) -> HashMap<u16, Described> {
        object(&operation["responses"])
            .iter()
            .map(|(status, response)| {
                let status = status.parse().expect("a described status is a number");
                (status, self.described(response))
            })
            .collect()
    }

    fn described(&mut self, response: &Value) -> Described {
        let empty = Map::new();
        let headers = response["headers"].as_object().unwrap_or(&empty);
        let bodies = response["content"].as_object().unwrap_or(&empty);
        Described {
            headers: headers.keys().map(|name| name.to_lowercase()).collect(),
            bodies: bodies
                .iter()
                .map(|(media, content)| (media.clone(), self.validator(&content["schema"])))
                .collect(),
        }
    }

    fn validator(&mut self, schema: &Value) -> Arc<Validator> {
        let components = self.components;
        let compile = || {
            let mut whole = schema.clone();
            whole["components"] = components.clone();
            let made = jsonschema::options()
                .should_validate_formats(true)
                .build(&whole);
            Arc::new(made.expect("the document's schemas are JSON Schema 2020-12"))
        };
        let made = self.made.entry(schema.to_string()).or_insert_with(compile);
        Arc::clone(made)
    }
}

fn object(value: &Value) -> &Map<String, Value> {
    value
        .as_object()
        .expect("an OpenAPI document has an object here")
}

fn method_of(name: &str) -> Method {
    Method::from_bytes(name.to_uppercase().as_bytes()).expect("OpenAPI names methods")
}
