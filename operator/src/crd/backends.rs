//! The servers behind a system: where they are and whom to trust. Addresses stand in Secrets alone.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The database.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Mysql {
    /// Address with user, password and database: mysql://user:password@host:3306/database.
    pub url_secret_ref: SecretKey,
    /// Address with an account that may change tables, used by the migration alone. Absent: urlSecretRef.
    #[serde(
        rename = "migrationURLSecretRef",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub migration_url_secret_ref: Option<SecretKey>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: Tls,
}

/// Numbers, idempotency keys and rate limits. Everything in it may be lost.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Redis {
    /// Address with password: rediss://user:password@host:6379.
    pub url_secret_ref: SecretKey,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: Tls,
}

/// The queue between the API and the workers.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Rabbitmq {
    /// Address with user, password and virtual host: amqps://user:password@host:5671/vhost.
    pub url_secret_ref: SecretKey,
    /// Address of the management API with a user of the tag monitoring: https://user:password@host:15671. The operator reads how much waits, reconciliation whether the queues are at rest.
    #[serde(rename = "managementURLSecretRef")]
    pub management_url_secret_ref: SecretKey,
    /// How the connections are protected.
    #[serde(default)]
    pub tls: Tls,
}

/// The search engine.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Elasticsearch {
    /// Address with user and password: https://user:password@host:9200.
    pub url_secret_ref: SecretKey,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: Tls,
}

/// A key of a Secret in the namespace of the ChatSystem.
#[derive(
    JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the Secret.
    #[serde(default = "url_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

fn url_key() -> String {
    "url".to_owned()
}

/// How a connection is protected.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.mode == 'Verify' || !has(self.caSecretRef)")
    .message("caSecretRef has no meaning with mode Plaintext")
    .field_path(".caSecretRef"))]
pub struct Tls {
    /// Verify: TLS, certificate and host name verified. Plaintext: TLS may be absent, so that whoever is on the way can read passwords and messages.
    #[serde(default)]
    pub mode: TlsMode,
    /// Certificates (PEM) of the authorities that sign the server's certificate. Absent: those the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKey>,
}

#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    #[default]
    Verify,
    Plaintext,
}

/// Where numbers are counted.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Numbering {
    /// Redis: fast. MySQL: one row for each number, works while Redis is away. Cannot be changed.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("numbering.mode is immutable: blocks of the other mode may still be in use"))]
    pub mode: NumberingMode,
}

#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberingMode {
    #[default]
    Redis,
    MySQL,
}
