//! Asking RabbitMQ's management API what waits. It gets a second, and nothing waits for it.

use super::read;
use crate::sample::{self, COLUMNS, Sample};
use crate::status::Trouble;
use k8s_openapi::jiff::Timestamp;
use reqwest::{Certificate, Client, Response, StatusCode, Url, redirect};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(1);
/// A vhost of a system has some ten queues.
const MOST_BYTES: usize = 1 << 20;

/// Where to ask. It holds passwords, so nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Broker {
    /// `https://user:password@host:15671`.
    pub management: String,
    /// `amqps://user:password@host/vhost`: for the virtual host alone.
    pub address: String,
    /// Certificates, PEM, of whom to trust; absent: those whom the system trusts.
    pub authority: Option<Vec<u8>>,
    /// Whether it may be asked without TLS.
    pub may_be_plain: bool,
}

/// One client for each authority.
#[derive(Default)]
pub struct Queues(Mutex<HashMap<Option<Vec<u8>>, Client>>);

impl Queues {
    /// One sample, or why there is none.
    pub async fn ask(&self, broker: &Broker, now: Timestamp) -> Result<Sample, Trouble> {
        let url = url(broker)?;
        let client = self.client(broker).map_err(|error| {
            trouble(
                "CertificateInvalid",
                format!("spec.rabbitmq.tls.caSecretRef: {error}"),
            )
        })?;
        let answer = get(&client, url).await.map_err(unreachable)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let text = "RabbitMQ's management API refuses the user in spec.rabbitmq.managementURLSecretRef: \
                            check the password, give it the tag monitoring, and rights in the virtual host";
                return Err(trouble("ManagementAccessDenied", text));
            }
            StatusCode::NOT_FOUND => {
                let text = "RabbitMQ's management API knows no such virtual host: \
                            check the path in spec.rabbitmq.urlSecretRef";
                return Err(trouble("VirtualHostMissing", text));
            }
            other => {
                let text = format!("RabbitMQ's management API answered {other}");
                return Err(trouble("ManagementUnreachable", text));
            }
        }
        let body = read(answer, MOST_BYTES).await.map_err(unreachable)?;
        if body.len() > MOST_BYTES {
            let text = "RabbitMQ's management API answered more than a list of queues";
            return Err(trouble("NotUnderstood", text));
        }
        sample::parse(&body, now)
            .map_err(|unusable| trouble(unusable.reason(), unusable.to_string()))
    }

    fn client(&self, broker: &Broker) -> reqwest::Result<Client> {
        // Whoever panicked left a whole map.
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&broker.authority) {
            return Ok(client.clone());
        }
        let builder = Client::builder()
            .timeout(PATIENCE)
            .redirect(redirect::Policy::none())
            .no_proxy();
        let client = match &broker.authority {
            None => builder.build()?,
            Some(pem) => builder
                .tls_certs_only(Certificate::from_pem_bundle(pem)?)
                .build()?,
        };
        clients.insert(broker.authority.clone(), client.clone());
        Ok(client)
    }
}

/// RabbitMQ closes a connection five seconds after its last answer (4.0, measured), which is just when the next question goes
/// out on it: one that was lost so is asked once more.
async fn get(client: &Client, url: Url) -> reqwest::Result<Response> {
    match client.get(url.clone()).send().await {
        Err(error) if error.is_request() && !error.is_connect() && !error.is_timeout() => {
            client.get(url).send().await
        }
        answer => answer,
    }
}

/// The queues of the system's virtual host, and of each as much as is looked at.
fn url(broker: &Broker) -> Result<Url, Trouble> {
    const HOW: &str = "write https://USER:PASSWORD@HOST:15671";
    let wrong = |what: &str| {
        let text = format!("spec.rabbitmq.managementURLSecretRef: {what}: {HOW}");
        trouble("AddressInvalid", text)
    };
    let mut url: Url = broker
        .management
        .trim()
        .parse()
        .map_err(|_| wrong("it holds no address"))?;
    match url.scheme() {
        "https" => {}
        "http" if broker.may_be_plain => {}
        "http" => {
            return Err(wrong(
                "it is without TLS, and spec.rabbitmq.tls.mode is Verify",
            ));
        }
        _ => return Err(wrong("it is no address of HTTP")),
    }
    let path = format!(
        "{}/api/queues/{}",
        url.path().trim_end_matches('/'),
        virtual_host(&broker.address)
    );
    url.set_path(&path);
    url.query_pairs_mut()
        .clear()
        .append_pair("columns", COLUMNS);
    Ok(url)
}

/// As the address has it, escaped. An address without one means `/`.
fn virtual_host(address: &str) -> String {
    let url: Option<Url> = address.trim().parse().ok();
    let path = url.as_ref().map_or("", Url::path);
    match path.strip_prefix('/') {
        None => "%2F".to_owned(),
        Some(name) => name.replace('/', "%2F"),
    }
}

/// The address in the error holds the password.
fn unreachable(error: reqwest::Error) -> Trouble {
    let error = error.without_url();
    let cause =
        std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
    let text = format!("RabbitMQ's management API does not answer: {error}{cause}");
    trouble("ManagementUnreachable", text)
}

fn trouble(reason: &str, message: impl Into<String>) -> Trouble {
    Trouble {
        reason: reason.to_owned(),
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    fn broker(management: &str, address: &str) -> Broker {
        Broker {
            management: management.to_owned(),
            address: address.to_owned(),
            authority: None,
            may_be_plain: false,
        }
    }

    #[test]
    fn the_queues_of_the_virtual_host_in_the_address_are_asked_for() {
        for (address, path) in [
            ("amqps://u:p@rabbit:5671/chat", "/api/queues/chat"),
            ("amqps://u:p@rabbit/a%2Fb", "/api/queues/a%2Fb"),
            ("amqps://u:p@rabbit/%2F", "/api/queues/%2F"),
            ("amqps://u:p@rabbit", "/api/queues/%2F"),
        ] {
            let url = url(&broker("https://u:p@rabbit:15671/", address)).unwrap();
            assert_eq!(url.path(), path);
            assert_eq!(url.query_pairs().next().unwrap().1, COLUMNS);
        }
        let below = url(&broker("https://u:p@proxy/rabbit", "amqps://rabbit/chat")).unwrap();
        assert_eq!(below.path(), "/rabbit/api/queues/chat");
    }

    #[test]
    fn an_address_that_cannot_be_asked_says_why_and_no_password() {
        let mut plain = broker("http://u:canary@rabbit:15672", "amqp://rabbit/chat");
        assert!(url(&plain).unwrap_err().message.contains("without TLS"));
        plain.may_be_plain = true;
        assert!(url(&plain).is_ok());
        for address in ["canary", "amqp://u:canary@rabbit", ""] {
            let trouble = url(&broker(address, "amqps://rabbit/chat")).unwrap_err();
            assert_eq!(trouble.reason, "AddressInvalid");
            assert!(!trouble.message.contains("canary"));
        }
    }

    async fn asked(stream: &mut TcpStream) {
        let mut question = Vec::new();
        while !question.ends_with(b"\r\n\r\n") {
            question.push(stream.read_u8().await.unwrap());
        }
    }

    /// Answers one question on each of two connections, and closes the first when another comes on it.
    async fn closes_on_the_second(listener: TcpListener) {
        const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";
        let (mut first, _) = listener.accept().await.unwrap();
        asked(&mut first).await;
        first.write_all(ANSWER).await.unwrap();
        asked(&mut first).await;
        drop(first);
        let (mut second, _) = listener.accept().await.unwrap();
        asked(&mut second).await;
        second.write_all(ANSWER).await.unwrap();
    }

    #[tokio::test]
    async fn a_question_that_is_lost_with_its_connection_is_asked_again() {
        // Another test may have done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let management = format!("http://u:p@{}", listener.local_addr().unwrap());
        let mut broker = broker(&management, "amqp://rabbit/chat");
        broker.may_be_plain = true;
        let closing = tokio::spawn(closes_on_the_second(listener));
        let queues = Queues::default();
        for _ in 0..2 {
            let asked = queues.ask(&broker, Timestamp::UNIX_EPOCH).await;
            let reason = asked.err().map(|trouble| trouble.reason);
            assert_ne!(reason.as_deref(), Some("ManagementUnreachable"));
        }
        closing.await.unwrap();
    }
}
