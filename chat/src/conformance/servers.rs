//! The real servers that tests run against: where they are, or that there are none.
//!
//! `make stack-up` starts them and writes their addresses to a file; `make test` passes these on in the
//! environment, and sets `STACK_REQUIRED` so that a test that finds none fails instead of passing silently.

use std::env;

/// MySQL, as an account that may do everything.
pub const MYSQL: &str = "STACK_MYSQL_URL";
/// MariaDB, as an account that may do everything.
pub const MARIADB: &str = "STACK_MARIADB_URL";
pub const REDIS: &str = "STACK_REDIS_URL";
/// As an administrator.
pub const RABBITMQ: &str = "STACK_RABBITMQ_URL";
pub const RABBITMQ_MANAGEMENT: &str = "STACK_RABBITMQ_MANAGEMENT_URL";
pub const ELASTICSEARCH: &str = "STACK_ELASTICSEARCH_URL";
/// The same servers over TLS, with certificates of the authority in `CA_FILE`.
pub const MYSQL_TLS: &str = "STACK_MYSQL_TLS_URL";
pub const REDIS_TLS: &str = "STACK_REDIS_TLS_URL";
pub const RABBITMQ_TLS: &str = "STACK_RABBITMQ_TLS_URL";
pub const CA_FILE: &str = "STACK_CA_FILE";

/// The value of one of the names above; `None`, said aloud, where there is none and none is required.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "only tests come here, and these read no settings"
)]
pub fn address(name: &str) -> Option<String> {
    match env::var(name) {
        Ok(address) if !address.is_empty() => Some(address),
        _ if env::var_os("STACK_REQUIRED").is_some_and(|word| !word.is_empty()) => {
            panic!("{name} is not set, and STACK_REQUIRED says that this test must run")
        }
        _ => {
            eprintln!("SKIPPED: {name} is not set; `make stack-up` starts the servers");
            None
        }
    }
}
