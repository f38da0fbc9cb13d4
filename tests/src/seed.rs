//! Chance that can be had again: every random run prints its seed, and takes one from `E2E_SEED`.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::hash::{BuildHasher, RandomState};

/// What a whole run is derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// A new one, or the one in `E2E_SEED`; printed, because a failure is of little use without it.
    #[expect(
        clippy::disallowed_methods,
        clippy::print_stdout,
        reason = "people repeat a failed run with the seed it printed"
    )]
    pub fn of_this_run() -> Self {
        let given = std::env::var("E2E_SEED").ok();
        let seed = match given {
            Some(text) => text.parse().expect("E2E_SEED is a number"),
            None => RandomState::new().hash_one(()),
        };
        println!("E2E_SEED={seed}");
        Self(seed)
    }

    /// One that was noted before.
    pub fn of(number: u64) -> Self {
        Self(number)
    }

    /// To be noted.
    pub fn number(self) -> u64 {
        self.0
    }

    /// For another round of the same run.
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// One stream of chance for each of several actors.
    pub fn dice(self, actor: u64) -> SmallRng {
        SmallRng::seed_from_u64(
            self.0
                .wrapping_add(actor.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        )
    }
}
