//! Why pods are not ready: what Kubernetes says about them, or else what they say about their servers.

use super::read;
use crate::build::{ADMIN_PORT, ours_of};
use crate::status::Trouble;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client};
use reqwest::StatusCode;
use std::time::Duration;

/// Longer than a pod waits for each of its servers before it says that one does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
const MOST_BYTES: usize = 16 << 10;
/// So many pods are asked; the others say the same.
const MOST_PODS: usize = 4;

/// The first cause that one of a system's pods tells that is not ready so long after it was made. `None`: none of them
/// tells any.
pub async fn trouble(
    client: &Client,
    http: &reqwest::Client,
    namespace: &str,
    name: &str,
    patience: Duration,
) -> Result<Option<Trouble>, kube::Error> {
    let labels = ours_of(name);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pods = pods.list(&ListParams::default().labels(&labels)).await?;
    let running: Vec<_> = pods
        .items
        .iter()
        .filter(|pod| is_wanted(pod) && !is_ready(pod) && age(pod) >= patience)
        .collect();
    if let Some(trouble) = running.iter().find_map(|pod| waiting(pod)) {
        return Ok(Some(trouble));
    }
    for pod in running.into_iter().take(MOST_PODS) {
        if let Some(text) = ask(http, pod).await
            && let Some(trouble) = first_failing(&text)
        {
            return Ok(Some(trouble));
        }
    }
    Ok(None)
}

/// Not of a Job that ended, and not on its way out.
fn is_wanted(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}

fn age(pod: &Pod) -> Duration {
    let made = pod.metadata.creation_timestamp.as_ref();
    let age = made.map(|made| Timestamp::now().duration_since(made.0));
    age.and_then(|age| age.try_into().ok()).unwrap_or_default()
}

fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|(status, ..)| status == "True")
}

/// Status, reason and message.
fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions
        .iter()
        .find(|condition| condition.type_ == kind)?;
    let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
    Some((&found.status, text(&found.reason), text(&found.message)))
}

/// Why Kubernetes cannot run it.
fn waiting(pod: &Pod) -> Option<Trouble> {
    if let Some(("False", "Unschedulable", message)) = condition(pod, "PodScheduled") {
        return Some(trouble_of(pod, "Unschedulable", message));
    }
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    let waiting = containers.first()?.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    // On their way.
    if matches!(reason, "ContainerCreating" | "PodInitializing") {
        return None;
    }
    let message = waiting.message.as_deref().unwrap_or_default();
    Some(trouble_of(pod, reason, message))
}

fn trouble_of(pod: &Pod, reason: &str, message: &str) -> Trouble {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let component = name.rsplitn(3, '-').last().unwrap_or(name);
    Trouble {
        reason: reason.to_owned(),
        message: format!("pods of {component}: {message}"),
    }
}

/// What its `/readyz?verbose` says.
async fn ask(http: &reqwest::Client, pod: &Pod) -> Option<String> {
    let address = pod.status.as_ref()?.pod_ip.as_ref()?;
    let host = match address.contains(':') {
        true => format!("[{address}]"),
        false => address.clone(),
    };
    let url = format!("http://{host}:{ADMIN_PORT}/readyz?verbose");
    let asked = http.get(url).timeout(PATIENCE).send().await.ok()?;
    if asked.status() != StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    let mut body = read(asked, MOST_BYTES).await.ok()?;
    body.truncate(MOST_BYTES);
    Some(String::from_utf8_lossy(&body).into_owned())
}

/// Of lines such as `[-] redis: Password authentication failed`, the first that is needed and fails.
fn first_failing(text: &str) -> Option<Trouble> {
    let line = text.lines().find_map(|line| line.strip_prefix("[-] "))?;
    let (part, detail) = line.split_once(": ")?;
    let (server, field) = match part {
        "mysql" => ("MySQL", "spec.mysql.urlSecretRef"),
        "redis" => ("Redis", "spec.redis.urlSecretRef"),
        "rabbitmq" => ("RabbitMQ", "spec.rabbitmq.urlSecretRef"),
        "elasticsearch" => ("Elasticsearch", "spec.elasticsearch.urlSecretRef"),
        _ => return None,
    };
    let says = |words: &[&str]| {
        let detail = detail.to_ascii_lowercase();
        words.iter().any(|word| detail.contains(word))
    };
    let trouble = if says(&[
        "denied",
        "wrongpass",
        "noauth",
        "authentication",
        "access_refused",
        "403",
        "401",
    ]) {
        "AccessDenied"
    } else if says(&["certificate", "tls", "handshake"]) {
        "CertificateRefused"
    } else {
        "Unreachable"
    };
    Some(Trouble {
        reason: format!("{server}{trouble}"),
        message: format!("pods say of {server}: {detail}; its address is in {field}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        first_failing(text).map_or_else(String::new, |trouble| trouble.reason)
    }

    #[test]
    fn the_first_part_that_is_needed_and_fails_is_told() {
        let text = "[+] mysql: ok\n[!] elasticsearch: away\n[-] redis: Password authentication failed - AuthenticationFailed\n[-] rabbitmq: x\nnot ready\n";
        let trouble = first_failing(text).unwrap();
        assert_eq!(trouble.reason, "RedisAccessDenied");
        assert!(trouble.message.contains("spec.redis.urlSecretRef"));
        assert_eq!(told("[+] mysql: ok\nready\n"), "");
        assert_eq!(told("[-] mysql: connection refused\n"), "MySQLUnreachable");
        assert_eq!(
            told("[-] mysql: Access denied for user\n"),
            "MySQLAccessDenied"
        );
        assert_eq!(
            told("[-] rabbitmq: invalid peer certificate\n"),
            "RabbitMQCertificateRefused"
        );
        assert_eq!(told("something else"), "");
    }
}
