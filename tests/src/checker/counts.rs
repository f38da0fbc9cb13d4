//! Counts are exact in the end, and during the run never more or less than can have been (I6).

use super::{Case, Expectations, Findings, Kind, Outcome, Rule};

pub(super) fn check(case: &Case, expectations: Expectations, found: &mut Findings) {
    let (count, rows) = (case.said.count, case.said.rows.len() as u64);
    if count != rows {
        found.add(
            case,
            Rule::ExactCount,
            format!("the count is {count} and there are {rows} rows"),
        );
    }
    let bounds = Bounds::of(case, expectations);
    for op in case.ops {
        let (Kind::Count, Outcome::Counted(count)) = (&op.kind, &op.outcome) else {
            continue;
        };
        let (least, most) = bounds.between(op.invoked_at, op.completed_at);
        if !(least..=most).contains(count) {
            let what =
                format!("a count of {count} was read when there were {least} to {most} rows");
            found.add(case, Rule::ExactCount, what);
        }
    }
}

/// Moments from which on, sorted, there surely or possibly was one more or one less.
struct Bounds {
    surely_created: Vec<u64>,
    maybe_created: Vec<u64>,
    surely_deleted: Vec<u64>,
    maybe_deleted: Vec<u64>,
}

impl Bounds {
    fn of(case: &Case, expectations: Expectations) -> Self {
        let sure = |moments: Vec<u64>| {
            if expectations.stored_on_accept {
                moments
            } else {
                Vec::new()
            }
        };
        let deletes = case
            .ops
            .iter()
            .filter(|op| matches!(op.kind, Kind::Delete { .. }) && op.may_have_happened());
        let mut bounds = Self {
            surely_created: sure(
                case.creations
                    .iter()
                    .filter_map(|creation| creation.accepted_at())
                    .collect(),
            ),
            maybe_created: case
                .creations
                .iter()
                .filter(|creation| creation.may_exist())
                .map(|creation| creation.asked_at())
                .collect(),
            surely_deleted: sure(
                case.wishes
                    .values()
                    .filter_map(|wishes| wishes.deleted_at)
                    .collect(),
            ),
            maybe_deleted: deletes.map(|op| op.invoked_at).collect(),
        };
        let Self {
            surely_created,
            maybe_created,
            surely_deleted,
            maybe_deleted,
        } = &mut bounds;
        for moments in [surely_created, maybe_created, surely_deleted, maybe_deleted] {
            moments.sort_unstable();
        }
        bounds
    }

    /// The least and the most that a count asked for and answered at these times may say.
    fn between(&self, invoked_at: u64, completed_at: u64) -> (u64, u64) {
        let until =
            |moments: &[u64], end: u64| moments.partition_point(|moment| *moment < end) as u64;
        let least = until(&self.surely_created, invoked_at)
            .saturating_sub(until(&self.maybe_deleted, completed_at));
        let most = until(&self.maybe_created, completed_at)
            .saturating_sub(until(&self.surely_deleted, invoked_at));
        (least, most)
    }
}
