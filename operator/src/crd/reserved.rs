//! What is the operator's own among what people may add to pods: settings, labels, annotations. The API server refuses it
//! by the rules here; `validate` does so for files.

use chat::config as c;
use schemars::Schema;
use serde_json::json;

/// Settings that the operator makes, and the field each comes from. Nobody else may set these.
pub const SET_BY: [(&str, &str); 20] = [
    (c::LISTEN, "the Service"),
    (c::ADMIN_LISTEN, "the probes"),
    (c::MYSQL_URL, "spec.mysql.urlSecretRef"),
    (c::MYSQL_CA_FILE, "spec.mysql.tls.caSecretRef"),
    (c::REDIS_URL, "spec.redis.urlSecretRef"),
    (c::REDIS_CA_FILE, "spec.redis.tls.caSecretRef"),
    (c::RABBITMQ_URL, "spec.rabbitmq.urlSecretRef"),
    (
        c::RABBITMQ_MANAGEMENT_URL,
        "spec.rabbitmq.managementURLSecretRef",
    ),
    (c::RABBITMQ_CA_FILE, "spec.rabbitmq.tls.caSecretRef"),
    (c::ELASTICSEARCH_URL, "spec.elasticsearch.urlSecretRef"),
    (
        c::ELASTICSEARCH_CA_FILE,
        "spec.elasticsearch.tls.caSecretRef",
    ),
    (c::TLS_INSECURE, "the tls.mode of each server"),
    (c::KEY_PREFIX, "spec.dataPrefix"),
    (c::NUMBERING, "spec.numbering.mode"),
    (c::AUTH_MODE, "spec.api.auth.mode"),
    (c::ADMIN_KEY, "spec.api.auth.adminKeySecretRef"),
    (c::TRUSTED_PROXIES, "spec.api.trustedProxies"),
    (c::RATE_LIMIT, "spec.api.rateLimit"),
    (
        c::EXPECTED_REPLICAS,
        "spec.api.replicas or spec.api.autoscaling.maxReplicas",
    ),
    (c::LOG, "spec.logLevel"),
];

/// What keys of labels and annotations begin with that are not for others to set: labels choose pods, and annotations roll
/// them.
pub const RESERVED_PREFIXES: [&str; 2] = ["app.kubernetes.io/", "chatsystem.io/"];

/// `scheme://user:password@` in a text.
const PASSWORD: &str = "://[^/?# ,]*:[^/?# ,]*@";

/// Of a list of settings. The bounds keep the rules within what the API server lets a rule cost.
pub(super) fn settings(schema: &mut Schema) {
    let names = SET_BY.map(|(name, _)| name).join("|");
    let rules = [
        (
            "name",
            253,
            format!("!self.matches('^({names})(_FILE)?$')"),
            "name is of a setting that the operator makes itself",
        ),
        (
            "value",
            4_096,
            format!("!self.matches('{PASSWORD}')"),
            "value holds a password that everybody who reads this resource sees; put it into a Secret and refer to it by valueFrom.secretKeyRef",
        ),
    ];
    for (property, max_length, rule, message) in rules {
        let property = schema
            .pointer_mut(&format!("/items/properties/{property}"))
            .expect("a setting has a name and a value");
        property["maxLength"] = max_length.into();
        property["x-kubernetes-validations"] = json!([{ "rule": rule, "message": message }]);
    }
}

/// Of labels or annotations.
pub(super) fn keys(schema: &mut Schema) {
    let others = RESERVED_PREFIXES.map(|prefix| format!("!key.startsWith('{prefix}')"));
    let rule = format!("self.all(key, {})", others.join(" && "));
    let message = format!(
        "keys that start with {} are the operator's own",
        RESERVED_PREFIXES.join(" or ")
    );
    schema.insert("maxProperties".to_owned(), 64.into());
    schema.insert(
        "x-kubernetes-validations".to_owned(),
        json!([{ "rule": rule, "message": message }]),
    );
}
