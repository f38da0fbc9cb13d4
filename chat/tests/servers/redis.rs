//! The promises of `Numbers` and `Limiter` on Redis.
