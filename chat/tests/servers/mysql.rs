//! The promises of the store on MySQL and MariaDB.

mod database;
mod migrations;
mod promises;
