//! `Publisher` and `Subscriber` on RabbitMQ quorum queues (PROTOCOLS B and C).
