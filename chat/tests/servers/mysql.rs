//! The store on MySQL and MariaDB: what the ports promise, and what only a server can do to it.

/// Tests that take the name of a server.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod mysql {
            $(#[tokio::test]
            async fn $test() {
                super::$test(chat::conformance::servers::MYSQL).await;
            })*
        }
        mod mariadb {
            $(#[tokio::test]
            async fn $test() {
                super::$test(chat::conformance::servers::MARIADB).await;
            })*
        }
    };
}

use on_both;

mod accounts;
mod commands;
mod commit;
pub(crate) mod database;
mod faults;
mod migrations;
mod numbers;
mod own;
mod promises;
mod restore;
mod tls;
