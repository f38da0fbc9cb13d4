//! Whether a status is worth writing: figures that only tremble are not, or every write would wake everybody who
//! watches.

use crate::crd::{ChatSystemStatus, WorkerStatus};

/// Whether somebody who has read the first wants to read the second.
pub fn is_news(before: &ChatSystemStatus, after: &ChatSystemStatus) -> bool {
    let moved = moved(before.backlog, after.backlog);
    let workers = before.workers.len() != after.workers.len()
        || before
            .workers
            .iter()
            .zip(&after.workers)
            .any(|(before, after)| is_news_of_role(before, after));
    // Everything else counts as it is.
    let rest = |status: &ChatSystemStatus| ChatSystemStatus {
        backlog: None,
        workers: Vec::new(),
        ..status.clone()
    };
    moved || workers || rest(before) != rest(after)
}

/// The second with the backlogs of the first: they are told only every now and then.
pub fn with_backlog_of(before: &ChatSystemStatus, after: ChatSystemStatus) -> ChatSystemStatus {
    let mut workers = after.workers;
    for workers in &mut workers {
        let same = before
            .workers
            .iter()
            .find(|before| before.role == workers.role);
        workers.backlog = same.and_then(|before| before.backlog);
    }
    ChatSystemStatus {
        backlog: before.backlog,
        workers,
        ..after
    }
}

fn is_news_of_role(before: &WorkerStatus, after: &WorkerStatus) -> bool {
    let rate = match (before.ack_rate_per_replica, after.ack_rate_per_replica) {
        (Some(before), Some(after)) => {
            (i64::from(after) - i64::from(before)).abs() * 10 > i64::from(before)
        }
        (before, after) => before != after,
    };
    let rest = |status: &WorkerStatus| WorkerStatus {
        backlog: None,
        ack_rate_per_replica: None,
        ack_rate_time: None,
        // The highest of a phase matters at its end, and what is forgotten of it is seen again.
        low_peak: None,
        ..status.clone()
    };
    rate || moved(before.backlog, after.backlog) || rest(before) != rest(after)
}

/// By a fifth, or to or from nothing.
fn moved(before: Option<i64>, after: Option<i64>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => {
            let to_or_from_nothing = (before == 0) != (after == 0);
            to_or_from_nothing || (after - before).abs().saturating_mul(5) >= before.max(1)
        }
        (before, after) => before != after,
    }
}

/// 1234 is 1200: more digits change with every sample and tell nothing.
pub fn two_digits(number: u64) -> i64 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    i64::try_from(number / unit * unit).unwrap_or(i64::MAX)
}
