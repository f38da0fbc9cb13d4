//! Rows: every accepted create is one (I1, I2), it is found (I7), and nothing else is there (I8, I9).

use super::creations::Creation;
use super::{Answer, Case, Findings, Kind, Op, Rule, Scope};
use std::collections::HashMap;

/// Where each content was written, whether it was accepted or not.
pub(super) fn written_where(history: &[Op]) -> HashMap<&str, &Scope> {
    let written = history.iter().filter_map(|op| match &op.kind {
        Kind::Create { content, .. } | Kind::Edit { content, .. } => {
            Some((content.as_str(), &op.scope))
        }
        Kind::Delete { .. } | Kind::Read { .. } | Kind::Count => None,
    });
    written.collect()
}

pub(super) fn check(case: &Case, written: &HashMap<&str, &Scope>, found: &mut Findings) {
    no_foreign_text(case, written, found);
    one_row_for_each_id(case, found);
    let mut rows_with: HashMap<&str, Vec<u64>> = HashMap::new();
    for (number, row) in &case.said.rows {
        rows_with.entry(&row.content).or_default().push(*number);
    }
    for creation in &case.creations {
        let rows = rows_with
            .get(creation.content)
            .map_or(&[][..], Vec::as_slice);
        one_creation(case, creation, rows, found);
    }
    if !case.said.deleted {
        accepted_numbers_lead_home(case, found);
        edits_are_carried_out(case, found);
    }
    search_shows_what_is_there(case, found);
}

fn no_foreign_text(case: &Case, written: &HashMap<&str, &Scope>, found: &mut Findings) {
    for (number, row) in &case.said.rows {
        match written.get(row.content.as_str()) {
            Some(scope) if scope.app != case.scope.app => {
                found.add(
                    case,
                    Rule::Tenants,
                    format!("number {number} holds text of {scope}"),
                );
            }
            Some(scope) if *scope != case.scope => {
                found.add(
                    case,
                    Rule::Durable,
                    format!("number {number} holds text of {scope}"),
                );
            }
            Some(_) => {}
            None => found.add(
                case,
                Rule::HonestNo,
                format!("nobody ever wrote what number {number} holds"),
            ),
        }
    }
}

fn one_row_for_each_id(case: &Case, found: &mut Findings) {
    let mut numbers: HashMap<&str, u64> = HashMap::new();
    for (number, row) in &case.said.rows {
        if let Some(other) = numbers.insert(&row.id, *number) {
            found.add(
                case,
                Rule::Once,
                format!("{} is row {other} and row {number}", row.id),
            );
        }
    }
}

/// `rows` have the text of its create.
fn one_creation(case: &Case, creation: &Creation, rows: &[u64], found: &mut Findings) {
    let content = creation.content;
    if rows.len() > 1 {
        found.add(
            case,
            Rule::Once,
            format!("{content:?} was asked for once and is in rows {rows:?}"),
        );
    }
    if !rows.is_empty() && !creation.may_exist() {
        found.add(
            case,
            Rule::HonestNo,
            format!("{content:?} was refused and is in row {}", rows[0]),
        );
    }
    let mut answers = creation.answers();
    let Some(first) = answers.next() else { return };
    for answer in answers.filter(|answer| answer.id != first.id) {
        let ids = (first.id, answer.id);
        found.add(
            case,
            Rule::Once,
            format!("one key was answered with two ids, {} and {}", ids.0, ids.1),
        );
    }
}

fn accepted_numbers_lead_home(case: &Case, found: &mut Findings) {
    for (number, id) in &case.ids {
        let wishes = case.wishes.get(id);
        match case.said.answers.get(number) {
            Some(Answer::Row { id: other, .. }) if other != id => {
                found.add(
                    case,
                    Rule::Unique,
                    format!("number {number} was given to {id} and now means {other}"),
                );
            }
            Some(Answer::Row { .. })
                if wishes.is_some_and(|wishes| wishes.deleted_at.is_some()) =>
            {
                found.add(
                    case,
                    Rule::Durable,
                    format!("number {number} lives on after an accepted delete"),
                );
            }
            Some(Answer::Row { number: home, .. }) => {
                if case.said.rows.get(home).is_none_or(|row| row.id != *id) {
                    found.add(
                        case,
                        Rule::Durable,
                        format!("number {number} leads to {home}, which is not in the list"),
                    );
                }
            }
            Some(Answer::Gone) if case.may_be_deleted(id) => {}
            answer => {
                let answer =
                    answer.map_or("not asked for".to_owned(), |answer| format!("{answer:?}"));
                found.add(
                    case,
                    Rule::Durable,
                    format!("number {number} was accepted and is {answer}"),
                );
            }
        }
    }
}

/// The text is that of the accepted edit with the highest rev, or of one whose end is not known.
fn edits_are_carried_out(case: &Case, found: &mut Findings) {
    let created: HashMap<&str, &str> = case
        .creations
        .iter()
        .flat_map(|creation| {
            creation
                .answers()
                .map(|answer| (answer.id, creation.content))
        })
        .collect();
    for (number, row) in &case.said.rows {
        let wishes = case.wishes.get(row.id.as_str());
        let edited = wishes
            .and_then(|wishes| wishes.last_edit)
            .map(|(_, content)| content);
        let Some(wanted) = edited.or_else(|| created.get(row.id.as_str()).copied()) else {
            continue;
        };
        let maybe =
            wishes.is_some_and(|wishes| wishes.unknown_edits.contains(&row.content.as_str()));
        if row.content != wanted && !maybe {
            let what = format!(
                "number {number} should say {wanted:?} and says {:?}",
                row.content
            );
            found.add(case, Rule::Durable, what);
        }
    }
}

fn search_shows_what_is_there(case: &Case, found: &mut Findings) {
    let Some(shown) = &case.said.found else {
        return;
    };
    for number in case
        .said
        .rows
        .keys()
        .filter(|number| !shown.contains(number))
    {
        found.add(
            case,
            Rule::Searchable,
            format!("number {number} is not found by its words"),
        );
    }
    for number in shown
        .iter()
        .filter(|number| !case.said.rows.contains_key(number))
    {
        found.add(
            case,
            Rule::Searchable,
            format!("number {number} is found and is not there"),
        );
    }
}
