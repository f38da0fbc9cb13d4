//! The promises of `Publisher` and `Subscriber` on RabbitMQ.
