//! Upkeep runs beside upkeep and beside writers, so its transactions get in one another's way.

use crate::error::{Error, Result};
use std::time::Duration;

/// How often a transaction is tried. All tries together wait 1.3 seconds.
const TRIES: u32 = 9;
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// Tries until nobody is in the way any more; of a try that failed nothing was done.
pub(super) async fn again<T, F: Future<Output = Result<T>>>(
    mut attempt: impl FnMut() -> F,
) -> Result<T> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match attempt().await {
            Err(Error::Conflict | Error::Busy(_)) => tokio::time::sleep(pause).await,
            settled => return settled,
        }
        pause *= 2;
    }
    attempt().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn what_somebody_was_in_the_way_of_is_tried_again() {
        let tried = Cell::new(0);
        let attempt = || async {
            tried.set(tried.get() + 1);
            match tried.get() {
                1 => Err(Error::Conflict),
                2 => Err(Error::Busy("a lock".into())),
                third => Ok(third),
            }
        };
        assert!(matches!(again(attempt).await, Ok(3)));
    }

    #[tokio::test]
    async fn who_is_always_in_the_way_is_reported_in_the_end() {
        let tried = Cell::new(0);
        let attempt = || async {
            tried.set(tried.get() + 1);
            Err::<(), _>(Error::Conflict)
        };
        assert!(matches!(again(attempt).await, Err(Error::Conflict)));
        assert_eq!(tried.get(), TRIES);
    }

    #[tokio::test]
    async fn any_other_error_is_reported_at_once() {
        let tried = Cell::new(0);
        let attempt = || async {
            tried.set(tried.get() + 1);
            Err::<(), _>(Error::internal("a bug"))
        };
        assert!(matches!(again(attempt).await, Err(Error::Internal(_))));
        assert_eq!(tried.get(), 1);
    }
}
