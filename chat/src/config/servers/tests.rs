//! Addresses, right and wrong, and what is demanded of them.

use crate::config::{Api, Numbering, Problem, Settings, Worker, Wrong, show};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

const RIGHT: [(&str, &str); 4] = [
    ("CHAT_MYSQL_URL", "mysql://chat:s3cret@db:3306/chat"),
    ("CHAT_RABBITMQ_URL", "amqps://chat:s3cret@mq:5671/chat"),
    ("CHAT_REDIS_URL", "rediss://chat:s3cret@redis:6379"),
    ("CHAT_ELASTICSEARCH_URL", "https://chat:s3cret@search:9200"),
];

/// These settings in the place of the right ones, or beside them.
fn read(change: &[(&str, &str)]) -> Result<Worker, Wrong> {
    let set: BTreeMap<_, _> = RIGHT.iter().chain(change).copied().collect();
    let lookup = |name: &str| set.get(name).map(|value| (*value).to_owned());
    Worker::from_lookup(&lookup, &|path: &Path| match path.to_str() {
        Some("/ca.pem") => Ok("-----BEGIN CERTIFICATE-----\n".to_owned()),
        Some("/own.pem") => Ok("-----BEGIN CERTIFICATE-----\nown\n".to_owned()),
        Some("/text") => Ok("tell-nobody".to_owned()),
        Some("/mysql") => Ok("mysql://from:file@db/chat\n".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    })
}

fn problem(change: &[(&str, &str)]) -> Problem {
    match read(change) {
        Err(Wrong(problems)) if problems.len() == 1 => problems[0].clone(),
        other => panic!("one problem: {other:?}"),
    }
}

#[test]
fn tls_to_everybody_is_what_holds() {
    let servers = read(&[]).unwrap().servers;
    assert!(servers.without_tls().is_empty());
    assert!(!servers.mysql.trust.plaintext && servers.mysql.trust.ca_pem.is_none());
    assert_eq!(servers.numbering, Numbering::Redis);
    assert_eq!(servers.key_prefix, "chat");
    assert_eq!(servers.mysql.url.expose_secret(), RIGHT[0].1);
    assert!(servers.rabbitmq_management.is_none());
}

#[test]
fn plaintext_needs_an_explicit_word_for_each_server() {
    for (name, url, word) in [
        ("CHAT_RABBITMQ_URL", "amqp://mq", "rabbitmq"),
        (
            "CHAT_RABBITMQ_MANAGEMENT_URL",
            "http://mq:15672",
            "rabbitmq",
        ),
        ("CHAT_REDIS_URL", "redis://redis", "redis"),
        (
            "CHAT_ELASTICSEARCH_URL",
            "http://search:9200",
            "elasticsearch",
        ),
        ("CHAT_OTLP_ENDPOINT", "http://collector:4318", "otlp"),
    ] {
        let refused = problem(&[(name, url)]);
        assert_eq!(refused.variable, name);
        assert!(
            refused
                .problem
                .ends_with(&format!("allow it by CHAT_TLS_INSECURE={word}")),
            "{}",
            refused.problem
        );
        let servers = read(&[(name, url), ("CHAT_TLS_INSECURE", word)])
            .unwrap()
            .servers;
        assert_eq!(servers.without_tls(), [word]);
    }
    let mysql = read(&[("CHAT_TLS_INSECURE", "mysql")]).unwrap().servers;
    assert!(mysql.mysql.trust.plaintext && !mysql.rabbitmq.trust.plaintext);
}

#[test]
fn an_authority_of_ones_own_is_trusted_by_every_connection() {
    let servers = read(&[("CHAT_TLS_CA_FILE", "/ca.pem")]).unwrap().servers;
    for endpoint in [&servers.mysql, &servers.rabbitmq, &servers.elasticsearch] {
        assert!(endpoint.trust.ca_pem.is_some());
    }
    for (file, said) in [
        ("/none", "cannot read \"/none\": entity not found"),
        ("/text", "\"/text\" holds no PEM certificate"),
    ] {
        assert_eq!(problem(&[("CHAT_TLS_CA_FILE", file)]).problem, said);
    }
}

#[test]
fn a_server_may_have_authorities_of_its_own() {
    let own = "-----BEGIN CERTIFICATE-----\nown\n";
    for (name, chosen) in [
        ("CHAT_MYSQL_CA_FILE", 0),
        ("CHAT_RABBITMQ_CA_FILE", 1),
        ("CHAT_REDIS_CA_FILE", 2),
        ("CHAT_ELASTICSEARCH_CA_FILE", 3),
    ] {
        for common in ["", "/ca.pem"] {
            let change = [("CHAT_TLS_CA_FILE", common), (name, "/own.pem")];
            let servers = read(&change).unwrap().servers;
            let redis = servers.redis.as_ref().unwrap();
            let endpoints = [
                &servers.mysql,
                &servers.rabbitmq,
                redis,
                &servers.elasticsearch,
            ];
            for (place, endpoint) in endpoints.into_iter().enumerate() {
                let pem = endpoint.trust.ca_pem.as_deref();
                let is_own = pem == Some(own.as_bytes());
                assert_eq!(is_own, place == chosen, "{name} {place}");
                assert_eq!(pem.is_some(), is_own || !common.is_empty());
            }
            let file = servers.mysql_ca_file.as_deref();
            let of_mysql = if chosen == 0 { "/own.pem" } else { common };
            assert_eq!(file.unwrap_or_default(), of_mysql);
        }
        assert_eq!(problem(&[(name, "/none")]).variable, name);
    }
}

#[test]
fn an_address_may_be_in_a_file() {
    let change = [("CHAT_MYSQL_URL", ""), ("CHAT_MYSQL_URL_FILE", "/mysql")];
    let servers = read(&change).unwrap().servers;
    assert_eq!(
        servers.mysql.url.expose_secret(),
        "mysql://from:file@db/chat"
    );
}

#[test]
fn a_wrong_address_is_named_and_not_shown() {
    for (name, url) in [
        ("CHAT_MYSQL_URL", "s3cret"),
        ("CHAT_MYSQL_URL", "postgres://chat:s3cret@db/chat"),
        ("CHAT_MYSQL_URL", "mysql://chat:s3cret@/chat"),
        ("CHAT_REDIS_URL", "rediss://chat:s3cret@redis :6379"),
    ] {
        let wrong = problem(&[(name, url)]);
        assert_eq!(wrong.variable, name);
        assert!(
            wrong.problem.contains("is not an address like"),
            "{}",
            wrong.problem
        );
        assert!(!wrong.problem.contains("s3cret"), "{}", wrong.problem);
    }
}

#[test]
fn redis_is_needed_only_where_it_numbers() {
    let without = [("CHAT_REDIS_URL", "")];
    assert_eq!(problem(&without).variable, "CHAT_REDIS_URL");
    let by_mysql = [without[0], ("CHAT_NUMBERING", "mysql")];
    assert!(read(&by_mysql).unwrap().servers.redis.is_none());
}

#[test]
fn other_words_are_refused() {
    for (name, value, said) in [
        (
            "CHAT_TLS_INSECURE",
            "yes",
            "\"yes\" is not one of: mysql, rabbitmq, redis, elasticsearch, otlp",
        ),
        (
            "CHAT_NUMBERING",
            "snowflake",
            "\"snowflake\" is not one of: redis, mysql",
        ),
        (
            "CHAT_KEY_PREFIX",
            "Chat",
            "\"Chat\" is not 1 to 40 of a-z, 0-9 and hyphen, a letter first",
        ),
    ] {
        assert_eq!(problem(&[(name, value)]).problem, said);
    }
}

#[test]
fn every_example_in_the_tables_is_accepted() {
    for variable in Api::PROGRAM.variables() {
        let mut set: BTreeMap<_, _> = RIGHT.into_iter().collect();
        set.insert(variable.name, variable.example);
        set.insert("CHAT_ADMIN_KEY", "a-key-that-nobody-guesses");
        let lookup = |name: &str| set.get(name).map(|value| (*value).to_owned());
        let read_file = |_: &Path| Ok("-----BEGIN CERTIFICATE-----\n".to_owned());
        let read = Api::from_lookup(&lookup, &read_file);
        assert!(read.is_ok(), "{}: {read:?}", variable.name);
    }
}

#[test]
fn no_password_is_in_any_text() {
    let settings = read(&[]).unwrap();
    for text in [show(&settings), format!("{settings:?}")] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    assert!(show(&settings).contains("\nCHAT_MYSQL_URL=********\n"));
}
