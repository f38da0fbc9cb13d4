//! Whom the index trusts, and what it does not accept at all.

use super::faults::assert_speaks;
use super::index::{TestIndex, endpoint};
use super::proxy::Proxy;
use chat::adapters::elasticsearch::ElasticIndex;
use chat::adapters::endpoint::{Endpoint, Trust};
use chat::error::Error;
use chat::ports::Search;
use std::process::Command;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

#[tokio::test(flavor = "multi_thread")]
async fn only_a_server_with_a_certificate_of_our_authority_is_trusted() {
    let Some(test) = TestIndex::new().await else {
        return;
    };
    let Certificates { acceptor, ca_pem } = certificates();
    let proxy = Proxy::before(&test.server.url, Some(acceptor)).await;
    let trusting = |ca_pem| Endpoint {
        url: proxy.url().into(),
        trust: Trust {
            ca_pem,
            plaintext: false,
        },
    };
    let index = ElasticIndex::open(&trusting(Some(ca_pem)), &test.prefix).unwrap();
    index.ensure().await.unwrap();
    index.ready().await.unwrap();
    let strict = ElasticIndex::open(&trusting(None), &test.prefix).unwrap();
    let refused = strict.ready().await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
    assert_speaks(&refused, "certificate");
    let garbage = ElasticIndex::open(&trusting(Some(b"garbage".to_vec())), &test.prefix);
    assert!(matches!(garbage, Err(Error::Invalid { .. })));
}

#[test]
fn an_address_without_tls_needs_a_word_that_allows_it() {
    let plain = Endpoint {
        trust: Trust::default(),
        ..endpoint("http://u:secret@127.0.0.1:9")
    };
    let Err(refused) = ElasticIndex::open(&plain, "chat") else {
        panic!("it is opened");
    };
    assert!(matches!(refused, Error::Invalid { .. }), "{refused}");
    assert_speaks(&refused, "CHAT_TLS_INSECURE");
    for (url, prefix) in [
        ("ftp://x", "chat"),
        ("nonsense", "chat"),
        ("http://x", "C*"),
    ] {
        assert!(matches!(
            ElasticIndex::open(&endpoint(url), prefix),
            Err(Error::Invalid { .. })
        ));
    }
}

struct Certificates {
    acceptor: TlsAcceptor,
    ca_pem: Vec<u8>,
}

/// Those of the servers that tests run against.
fn certificates() -> Certificates {
    let fetch = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/services/fetch");
    let made = Command::new(fetch).arg("certificates").output().unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let place = String::from_utf8(made.stdout).unwrap();
    let file = |name: &str| std::fs::read(format!("{}/{name}", place.trim())).unwrap();
    let chain = CertificateDer::from_pem_slice(&file("server.pem")).unwrap();
    let secret = PrivateKeyDer::from_pem_slice(&file("server.key")).unwrap();
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![chain], secret)
        .unwrap();
    Certificates {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        ca_pem: file("ca.pem"),
    }
}
