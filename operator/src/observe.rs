//! What the operator reads of the world: Secrets, children, what pods say about their servers, and what waits in the
//! queues. Nothing here writes, and nothing decides.

pub mod children;
pub mod live;
pub mod migration;
pub mod optional;
pub mod pods;
pub mod queues;

use crate::crd::{ChatSystem, ChatSystemSpec, SecretKey, TlsMode};
use crate::validate::{Observed, SecretFacts, Secrets, secret_names};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt};
use queues::Broker;
use std::collections::BTreeMap;

/// What was seen around a resource.
pub struct Seen {
    pub observed: Observed,
    /// Where the queues are asked about. Absent while a Secret that tells is.
    pub broker: Option<Broker>,
}

/// Reads every Secret that the resource refers to, by its name: they are neither listed nor watched.
pub async fn observe(
    client: &Client,
    resource: &ChatSystem,
    operator_namespace: &str,
) -> Result<Seen, kube::Error> {
    let namespace = resource.namespace().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let mut found = BTreeMap::new();
    // One after the other: many systems are looked after at once, and each question takes a connection.
    for name in secret_names(&resource.spec) {
        if let Some(secret) = secrets.get_opt(&name).await? {
            found.insert(name, secret);
        }
    }
    let facts = found
        .iter()
        .map(|(name, secret)| (name.clone(), facts(secret)));
    Ok(Seen {
        observed: Observed {
            secrets: Secrets::Seen(facts.collect()),
            operator_namespace: operator_namespace.to_owned(),
        },
        broker: broker(&resource.spec, &found),
    })
}

fn facts(secret: &Secret) -> SecretFacts {
    SecretFacts {
        revision: secret.resource_version().unwrap_or_default(),
        keys: secret
            .data
            .iter()
            .flatten()
            .map(|(key, _)| key.clone())
            .collect(),
    }
}

/// The only values that are looked at: the address of the management API, whom to trust there, and the virtual host
/// in the broker's address.
fn broker(spec: &ChatSystemSpec, secrets: &BTreeMap<String, Secret>) -> Option<Broker> {
    let value = |key: &SecretKey| {
        let data = secrets.get(&key.name)?.data.as_ref()?;
        Some(data.get(&key.key)?.0.clone())
    };
    let text = |key: &SecretKey| String::from_utf8(value(key)?).ok();
    let rabbitmq = &spec.rabbitmq;
    let authority = match &rabbitmq.tls.ca_secret_ref {
        Some(key) => Some(value(key)?),
        None => None,
    };
    Some(Broker {
        management: text(&rabbitmq.management_url_secret_ref)?,
        address: text(&rabbitmq.url_secret_ref)?,
        authority,
        may_be_plain: rabbitmq.tls.mode == TlsMode::Plaintext,
    })
}

/// The body of an answer to its end, or somewhat more than `most` bytes of it.
async fn read(mut answer: reqwest::Response, most: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() <= most
        && let Some(part) = answer.chunk().await?
    {
        body.extend_from_slice(&part);
    }
    Ok(body)
}
