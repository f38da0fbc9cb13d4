//! Who is trusted, on both servers.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use super::database::Database;
use chat::adapters::endpoint::{Endpoint, Trust};
use chat::adapters::sql::{MysqlSettings, open_mysql};
use chat::conformance::servers;
use chat::error::{Error, Result};
use secrecy::ExposeSecret;
use std::path::PathBuf;

/// Whether a store at this address, with these parameters, is ready.
async fn ready(
    mut endpoint: Endpoint,
    parameters: &str,
    ca_file: Option<&str>,
    plaintext: bool,
) -> Result<()> {
    endpoint.url = format!("{}{parameters}", endpoint.url.expose_secret()).into();
    endpoint.trust.plaintext = plaintext;
    let settings = MysqlSettings {
        endpoint,
        ca_file: ca_file.map(PathBuf::from),
        connections: 1,
    };
    open_mysql(&settings)?.schema_ready().await
}

async fn only_a_server_of_a_trusted_authority_is_spoken_to(server: &str) {
    let (Some(database), Some(file)) = (
        Database::new(server).await,
        servers::address(servers::CA_FILE),
    ) else {
        return;
    };
    ready(database.endpoint(), "", Some(&file), false)
        .await
        .unwrap();
    // Also where the address asks for less.
    for parameters in ["", "ssl-mode=DISABLED", "ssl-mode=PREFERRED"] {
        let refused = ready(database.endpoint(), parameters, None, false).await;
        let Err(error @ Error::Unavailable { .. }) = refused else {
            panic!("a stranger was trusted: {refused:?}");
        };
        let said = error.to_string();
        for word in ["mysql://127.0.0.1:", "which authorities are trusted"] {
            assert!(said.contains(word), "{said}");
        }
    }
}

async fn with_plaintext_allowed_the_address_decides(server: &str) {
    let Some(database) = Database::new(server).await else {
        return;
    };
    for parameters in ["", "ssl-mode=REQUIRED"] {
        ready(database.endpoint(), parameters, None, true)
            .await
            .unwrap();
    }
    let proof = "ssl-mode=VERIFY_IDENTITY";
    let refused = ready(database.endpoint(), proof, None, true).await;
    assert!(
        matches!(refused, Err(Error::Unavailable { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_address_of_something_else_is_refused_at_once_and_not_shown() {
    for address in [
        "",
        "db:3306",
        "redis://u:secret@db:3306",
        "mysql//u:secret@db",
    ] {
        let settings = MysqlSettings {
            endpoint: Endpoint {
                url: address.to_owned().into(),
                trust: Trust::default(),
            },
            ca_file: None,
            connections: 1,
        };
        let Err(error @ Error::Invalid { .. }) = open_mysql(&settings) else {
            panic!("{address} is no address of a database");
        };
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

super::on_both!(
    only_a_server_of_a_trusted_authority_is_spoken_to,
    with_plaintext_allowed_the_address_decides,
);
