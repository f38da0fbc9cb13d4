//! The only place that reads the wall clock and draws random bits; everything else takes them as values.

use crate::model::Millis;
use rand::Rng;

pub fn now() -> Millis {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    let since_1970 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Millis::new(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// Cryptographically strong random bytes (`rand`'s thread generator, seeded by the operating system).
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

pub fn random_u64() -> u64 {
    u64::from_be_bytes(random_bytes())
}
