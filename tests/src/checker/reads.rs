//! Reads during the run: an accepted number is known at once, and time does not run backwards.

use super::{Case, Creation, Findings, Kind, Op, Outcome, Rule};
use std::collections::HashMap;

pub(super) fn check(case: &Case, found: &mut Findings) {
    accepted_numbers_are_known(case, found);
    revisions_do_not_fall(case, found);
}

fn accepted_numbers_are_known(case: &Case, found: &mut Findings) {
    let mut accepted_at: HashMap<u64, u64> = HashMap::new();
    for answer in case.creations.iter().flat_map(Creation::answers) {
        let at = accepted_at.entry(answer.number).or_insert(answer.at);
        *at = answer.at.min(*at);
    }
    for (op, number) in reads(case) {
        if accepted_at
            .get(&number)
            .is_none_or(|at| *at >= op.invoked_at)
        {
            continue;
        }
        let id = case.ids[&number];
        match &op.outcome {
            Outcome::Fail { status: 404 } if !case.said.deleted => {
                found.add(
                    case,
                    Rule::ReadYourWrites,
                    format!("number {number} was accepted and then unknown"),
                );
            }
            Outcome::Fail { status: 410 } if !case.may_be_deleted(id) => {
                found.add(
                    case,
                    Rule::Durable,
                    format!("number {number} was gone and nobody deleted it"),
                );
            }
            Outcome::Row { id: other, .. } if other != id => {
                found.add(
                    case,
                    Rule::Unique,
                    format!("number {number} was given to {id} and read as {other}"),
                );
            }
            _ => {}
        }
    }
}

/// For each client by itself.
fn revisions_do_not_fall(case: &Case, found: &mut Findings) {
    let mut reads: Vec<(&Op, u64)> = reads(case).collect();
    reads.sort_by_key(|(op, _)| op.invoked_at);
    let mut seen: HashMap<(u32, &str), (u64, u64)> = HashMap::new();
    for (op, number) in reads {
        let Outcome::Row { id, rev, .. } = &op.outcome else {
            continue;
        };
        let (newest, at) = seen
            .entry((op.client, id))
            .or_insert((*rev, op.completed_at));
        if *rev < *newest && *at < op.invoked_at {
            let what = format!(
                "client {} read rev {rev} of number {number} after rev {newest}",
                op.client
            );
            found.add(case, Rule::ReadYourWrites, what);
        }
        if *rev > *newest {
            (*newest, *at) = (*rev, op.completed_at);
        }
    }
}

fn reads<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Op, u64)> {
    case.ops.iter().filter_map(|op| match op.kind {
        Kind::Read { number } => Some((*op, number)),
        _ => None,
    })
}
