//! Numbers: given once (I3), in order (I4), and none is missing without a word (I5).

use super::{Answer, Case, Creation, Findings, Gap, Rule};
use std::collections::BTreeMap;

pub(super) fn check(case: &Case, found: &mut Findings) {
    no_number_is_shared(case, found);
    numbers_rise(case, found);
    if !case.said.deleted {
        every_number_is_explained(case, found);
    }
}

fn no_number_is_shared(case: &Case, found: &mut Findings) {
    for answer in case.creations.iter().flat_map(Creation::answers) {
        let first = case.ids[&answer.number];
        if first != answer.id {
            let what = format!(
                "number {} was given to {first} and to {}",
                answer.number, answer.id
            );
            found.add(case, Rule::Unique, what);
        }
    }
}

/// When a number was given: after its creation was first asked for, before it was first answered.
struct Given {
    number: u64,
    after: u64,
    before: u64,
}

fn numbers_rise(case: &Case, found: &mut Findings) {
    let mut given: BTreeMap<u64, Given> = BTreeMap::new();
    for creation in &case.creations {
        let after = creation.asked_at();
        for answer in creation.answers() {
            let number = answer.number;
            let given = given.entry(number).or_insert(Given {
                number,
                after,
                before: answer.at,
            });
            given.after = given.after.min(after);
            given.before = given.before.min(answer.at);
        }
    }
    let mut by_start: Vec<&Given> = given.values().collect();
    by_start.sort_unstable_by_key(|given| given.after);
    let mut by_end = by_start.clone();
    by_end.sort_unstable_by_key(|given| given.before);
    let mut ended = by_end.into_iter().peekable();
    let mut highest = 0;
    for later in by_start {
        while let Some(earlier) = ended.next_if(|earlier| earlier.before < later.after) {
            highest = highest.max(earlier.number);
        }
        if later.number < highest {
            let what = format!(
                "{} was given although {highest} had been answered before",
                later.number
            );
            found.add(case, Rule::Increasing, what);
        }
    }
}

fn every_number_is_explained(case: &Case, found: &mut Findings) {
    let said = case.said;
    let highest = said
        .rows
        .keys()
        .chain(said.answers.keys())
        .chain(case.ids.keys())
        .max();
    let mut gaps = said.gaps.clone();
    gaps.sort_unstable_by_key(|gap| gap.from);
    for gap in &gaps {
        gap_is_true(case, gap, found);
    }
    let mut gaps = gaps.iter().peekable();
    for number in 1..highest.copied().unwrap_or(0) {
        while gaps.next_if(|gap| gap.to < number).is_some() {}
        let noted = gaps.peek().is_some_and(|gap| gap.from <= number);
        // An alias, or a row that was deleted.
        let known = matches!(
            said.answers.get(&number),
            Some(Answer::Row { .. } | Answer::Gone)
        );
        if !noted && !known && !said.rows.contains_key(&number) {
            found.add(
                case,
                Rule::Explained,
                format!("number {number} is missing without a cause"),
            );
        }
    }
}

fn gap_is_true(case: &Case, gap: &Gap, found: &mut Findings) {
    let Gap { from, to, cause } = gap;
    if !["voided", "block_lost"].contains(&cause.as_str()) {
        found.add(
            case,
            Rule::Explained,
            format!("the gap from {from} to {to} has the cause {cause:?}"),
        );
    }
    for number in case.said.rows.range(from..=to).map(|(number, _)| number) {
        found.add(
            case,
            Rule::Explained,
            format!("number {number} is a row and a gap"),
        );
    }
}
