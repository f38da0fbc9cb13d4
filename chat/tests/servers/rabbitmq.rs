//! The promises of `Publisher` and `Subscriber` on RabbitMQ, each in a virtual host of its own.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod broker;
mod commands;
mod connect;
mod faults;
mod host;
mod poison;
mod topology;

use chat::conformance::queue::{self, Line};
use host::in_a_host;
use std::time::Duration;

/// Figures about queues are some seconds old, and count only once they are ten.
const PATIENCE: Duration = Duration::from_secs(60);

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            in_a_host(|host| async move {
                let line = Line::of(host.ready().await).with_patience(PATIENCE);
                queue::$promise(line).await;
            })
            .await;
        })*
    };
}

chat::promises_of_queue!(promises);
