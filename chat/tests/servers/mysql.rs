//! The promises of the store on MySQL and MariaDB.
