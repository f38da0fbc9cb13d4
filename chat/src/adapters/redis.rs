//! `Numbers` and `Limiter` on Redis or Valkey, fenced (PROTOCOLS A), and a cache of applications.
