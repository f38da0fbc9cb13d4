//! Where traces are posted, and who is trusted to take them.

use super::*;
use crate::adapters::endpoint::Trust;
use std::process::Command;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

fn endpoint(url: &str, ca_pem: Option<Vec<u8>>) -> Endpoint {
    let plaintext = url.starts_with("http://");
    Endpoint {
        url: url.into(),
        trust: Trust { ca_pem, plaintext },
    }
}

#[test]
fn traces_go_below_the_path_of_the_address() {
    for (base, whole) in [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("https://c/otlp/", "https://c/otlp/v1/traces"),
    ] {
        assert_eq!(target(Url::parse(base).unwrap()).as_str(), whole);
    }
}

#[tokio::test]
async fn what_can_be_said_of_a_collector_holds_no_password() {
    let url = "https://us:secret@collector:4318/otlp";
    let collector = Collector::new(&endpoint(url, None)).unwrap();
    assert_eq!(collector.target(), "https://collector:4318/otlp/v1/traces");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_collector_with_a_certificate_of_our_authority_is_told_anything() {
    let Certificates { acceptor, ca_pem } = certificates();
    let url = takes_everything(acceptor).await;
    let post = async |ca_pem| {
        let collector = Collector::new(&endpoint(&url, ca_pem)).unwrap();
        let sent = collector.send_bytes(Request::new(Bytes::from_static(b"spans")));
        sent.await
    };
    assert_eq!(post(Some(ca_pem)).await.unwrap().status(), 200);
    let refused = post(None).await.unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");

    let garbage = Collector::new(&endpoint(&url, Some(b"garbage".to_vec())));
    assert!(matches!(garbage, Err(Error::Invalid { .. })));
}

/// Answers 200 to whatever comes over TLS; its address.
async fn takes_everything(acceptor: TlsAcceptor) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let Ok(mut connection) = acceptor.accept(connection).await else {
                continue;
            };
            let mut request = [0; 4_096];
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            if connection.read(&mut request).await.is_ok() {
                connection.write_all(answer).await.ok();
                connection.shutdown().await.ok();
            }
        }
    });
    url
}

struct Certificates {
    acceptor: TlsAcceptor,
    ca_pem: Vec<u8>,
}

/// Those of the servers that tests run against.
fn certificates() -> Certificates {
    let fetch = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/services/fetch");
    let made = Command::new(fetch).arg("certificates").output().unwrap();
    let complaints = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{complaints}");
    let place = String::from_utf8(made.stdout).unwrap();
    let file = |name: &str| std::fs::read(format!("{}/{name}", place.trim())).unwrap();
    let chain = CertificateDer::from_pem_slice(&file("server.pem")).unwrap();
    let secret = PrivateKeyDer::from_pem_slice(&file("server.key")).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![chain], secret)
        .unwrap();
    Certificates {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        ca_pem: file("ca.pem"),
    }
}
