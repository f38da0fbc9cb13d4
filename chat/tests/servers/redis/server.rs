//! Reaching a server, and what it must be like.

use super::own::OwnRedis;
use super::{Shared, endpoint};
use chat::adapters::endpoint::{Endpoint, Trust};
use chat::adapters::redis::RedisServer;
use chat::conformance::servers;
use chat::error::Error;

fn refusal(endpoint: &Endpoint) -> String {
    match RedisServer::open(endpoint, "test") {
        Err(error @ Error::Invalid { .. }) => error.to_string(),
        Err(other) => panic!("a wrong address is invalid: {other}"),
        Ok(_) => panic!("this is refused"),
    }
}

async fn not_ready(server: RedisServer) -> String {
    let error = server.ready().await.expect_err("it is not ready");
    assert!(
        matches!(error, Error::Unavailable { part: "redis", .. }),
        "{error:?}"
    );
    error.to_string()
}

#[tokio::test]
async fn a_working_server_is_ready() {
    let Some(shared) = Shared::new() else { return };
    shared.open().ready().await.unwrap();
}

#[test]
fn plaintext_is_refused_unless_it_is_allowed() {
    let mut plain = endpoint("redis://chat:secret@127.0.0.1:6379");
    plain.trust.plaintext = false;
    let why = refusal(&plain);
    assert!(
        why.contains("redis://127.0.0.1:6379") && why.contains("CHAT_TLS_INSECURE"),
        "{why}"
    );
    assert!(!why.contains("secret"), "{why}");
}

#[test]
fn addresses_that_name_no_redis_are_refused() {
    for url in [
        "",
        "localhost:6379",
        "http://localhost:6379",
        "redis://",
        "redis://:secret@h:port",
        // What the driver takes for leave to trust any certificate.
        "rediss://h:6379/#insecure",
    ] {
        let why = refusal(&endpoint(url));
        assert!(!why.contains("secret"), "{url}: {why}");
    }
}

#[test]
fn a_prefix_that_would_spoil_hash_tags_is_refused() {
    for prefix in ["", "a b", "{a}", "a\n"] {
        assert!(
            RedisServer::open(&endpoint("redis://h:6379"), prefix).is_err(),
            "{prefix:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_its_password() {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let url = format!("redis://chat:secret@127.0.0.1:{port}");
    let why = not_ready(RedisServer::open(&endpoint(&url), "test").unwrap()).await;
    assert!(why.contains(&format!("redis://127.0.0.1:{port}")), "{why}");
    assert!(
        why.contains("CHAT_REDIS_URL") && !why.contains("secret"),
        "{why}"
    );
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_shown() {
    let Some(redis) = OwnRedis::start().await else {
        return;
    };
    let url = redis.url().replace("redis://", "redis://chat:secret@");
    let server = RedisServer::open(&endpoint(&url), "test").unwrap();
    let why = not_ready(server.clone()).await;
    assert!(
        why.contains("check user and password") && !why.contains("secret"),
        "{why}"
    );
    // Once the account is there, it is let in without a restart.
    let account = ["ACL", "SETUSER", "chat", "on", ">secret", "~*", "+@all"];
    redis.command(&account).unwrap();
    server.ready().await.unwrap();
}

#[tokio::test]
async fn a_server_that_forgets_keys_when_full_is_not_ready() {
    let Some(redis) = OwnRedis::start().await else {
        return;
    };
    redis
        .command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])
        .unwrap();
    let why = not_ready(redis.open()).await;
    assert!(why.contains("noeviction"), "{why}");
}

#[tokio::test]
async fn a_server_whose_scripts_do_not_know_their_process_is_not_ready() {
    let Some(redis) = OwnRedis::start().await else {
        return;
    };
    let account = [
        "ACL",
        "SETUSER",
        "chat",
        "on",
        ">secret",
        "~*",
        "+@all",
        "-info",
        "+info|memory",
    ];
    redis.command(&account).unwrap();
    let url = redis.url().replace("redis://", "redis://chat:secret@");
    let why = not_ready(RedisServer::open(&endpoint(&url), "test").unwrap()).await;
    assert!(why.contains("CHAT_NUMBERING=mysql"), "{why}");
}

#[tokio::test]
async fn a_certificate_is_believed_only_from_its_authority() {
    let (Some(url), Some(ca_file)) = (
        servers::address(servers::REDIS_TLS),
        servers::address(servers::CA_FILE),
    ) else {
        return;
    };
    let with = |ca_pem| Endpoint {
        url: url.clone().into(),
        trust: Trust {
            ca_pem,
            plaintext: false,
        },
    };
    let own = with(Some(std::fs::read(ca_file).unwrap()));
    RedisServer::open(&own, "test")
        .unwrap()
        .ready()
        .await
        .unwrap();
    let why = not_ready(RedisServer::open(&with(None), "test").unwrap()).await;
    assert!(why.contains("ertificate"), "{why}");
}
