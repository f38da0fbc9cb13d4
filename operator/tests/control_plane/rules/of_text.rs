//! Rules on what people may write: settings, labels, annotations, schedules.

use super::{Rule, made};
use serde_json::{Value, json};

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    for of in [
        "podTemplate",
        "api",
        "workers.chats",
        "workers.messages",
        "workers.indexing",
    ] {
        let list = format!("spec.{of}.env");
        let env = |name: &str, value: &str| {
            let first = json!({ "name": "CHAT_LOG_FORMAT", "value": "json" });
            object(&list, json!([first, { "name": name, "value": value }]))
        };
        rules.push(made(
            format!("{list}[1].name"),
            "name is of a setting that the operator makes itself",
            env("CHAT_REDIS_URL_FILE", "/tmp/url"),
            env("CHAT_REDIS_URL_FILES", "/tmp/url"),
        ));
        rules.push(made(
            format!("{list}[1].value"),
            "value holds a password that everybody who reads this resource sees",
            env("CHAT_OTLP_ENDPOINT", "a=1,https://me:secret@collector:4318"),
            env("CHAT_OTLP_ENDPOINT", "https://me@collector:4318/@:"),
        ));
    }
    for field in [
        "spec.podTemplate.labels",
        "spec.podTemplate.annotations",
        "spec.serviceAccount.annotations",
    ] {
        rules.push(made(
            field,
            "keys that start with app.kubernetes.io/ or chatsystem.io/ are the operator's own",
            object(
                field,
                json!({ "team": "a", "app.kubernetes.io/part-of": "mine" }),
            ),
            object(field, json!({ "team": "a", "example.com/part-of": "mine" })),
        ));
    }
    for field in ["spec.reconciliation.schedule", "spec.audit.schedule"] {
        rules.push(made(
            field,
            "schedule is not one that a CronJob takes",
            object(field, json!("99 99 * * *")),
            object(field, json!("59 23 * * *")),
        ));
    }
    rules
}

/// With nothing but this field.
fn object(field: &str, value: Value) -> Value {
    let names = field.rsplit('.');
    names.fold(value, |inner, name| json!({ name: inner }))
}
