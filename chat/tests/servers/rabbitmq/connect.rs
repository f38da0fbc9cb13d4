//! Whom a connection trusts, and what is said when there is none.

use super::commands::{PATIENCE, consume, message, next, publish};
use super::host::{Host, in_a_host, until_ready};
use chat::adapters::endpoint::{Endpoint, Trust};
use chat::adapters::rabbitmq::{RabbitQueue, RabbitSettings};
use chat::conformance::servers;
use chat::event::Queue;
use chat::ports::Publisher;
use std::time::{Duration, Instant};

fn settings(host: &Host, url: String, ca_pem: Option<Vec<u8>>) -> RabbitSettings {
    let trust = Trust {
        ca_pem,
        plaintext: url.starts_with("amqp://"),
    };
    RabbitSettings {
        endpoint: Endpoint {
            url: url.into(),
            trust,
        },
        ..host.settings()
    }
}

/// Why it is not ready, once that says this.
async fn refusal(queue: &RabbitQueue, wanted: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = queue.ready().await.unwrap_err().to_string();
        if said.contains(wanted) {
            return said;
        }
        assert!(Instant::now() < deadline, "{said}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_with_a_server_of_the_authority_and_no_other() {
    let (Some(server), Some(ca)) = (
        servers::address(servers::RABBITMQ_TLS),
        servers::address(servers::CA_FILE),
    ) else {
        return;
    };
    let ca = std::fs::read(ca).unwrap();
    in_a_host(|host| async move {
        let url = format!("{}/{}", server.trim_end_matches('/'), host.vhost);
        let queue = RabbitQueue::open(settings(&host, url.clone(), Some(ca))).unwrap();
        until_ready(&queue).await;
        publish(&queue, message(1)).await.unwrap();
        let mut deliveries = consume(&queue, Queue::Messages).await;
        next(&mut *deliveries).await.ack().await;

        // The authorities of the system did not sign it.
        let queue = RabbitQueue::open(settings(&host, url, None)).unwrap();
        let said = refusal(&queue, "certificate").await;
        assert!(said.contains("amqps://127.0.0.1"), "{said}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_and_a_missing_host_are_told_without_the_password() {
    in_a_host(|host| async move {
        let (_, place) = host.server.rsplit_once('@').unwrap();
        let stranger = format!("amqp://chatsystem:hunter2@{place}/{}", host.vhost);
        let nowhere = format!("{}/nowhere", host.server);
        for (url, wanted) in [(stranger, "ACCESS_REFUSED"), (nowhere, "not found")] {
            let queue = RabbitQueue::open(settings(&host, url, None)).unwrap();
            let said = refusal(&queue, wanted).await;
            assert!(said.contains(place), "{said}");
            assert!(
                !said.contains("hunter2") && !said.contains("development"),
                "{said}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_late_is_found() {
    in_a_host(|host| async move {
        // A port that nobody listens on, until it is passed on to the server.
        let late = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = late.local_addr().unwrap();
        drop(late);
        let (login, server) = host.server.rsplit_once('@').unwrap();
        let url = format!("{login}@{address}/{}", host.vhost);
        let queue = RabbitQueue::open(settings(&host, url, None)).unwrap();
        let mut deliveries = consume(&queue, Queue::Messages).await;
        refusal(&queue, "refused").await;
        let late = tokio::net::TcpListener::bind(address).await.unwrap();
        let server = server.to_owned();
        let passing_on = tokio::spawn(async move {
            while let Ok((mut from, _)) = late.accept().await {
                let mut to = tokio::net::TcpStream::connect(&server).await.unwrap();
                tokio::spawn(
                    async move { tokio::io::copy_bidirectional(&mut from, &mut to).await },
                );
            }
        });
        until_ready(&queue).await;
        publish(&queue, message(1)).await.unwrap();
        next(&mut *deliveries).await.ack().await;
        passing_on.abort();
    })
    .await;
}
