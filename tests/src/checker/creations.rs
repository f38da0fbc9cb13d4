//! Requests that are one wish: the tries of a keyed create, and what was asked of a message later.

use super::{Kind, Op, Outcome};
use std::collections::{BTreeMap, HashMap};

/// One message that somebody wanted, in one or more tries.
pub(super) struct Creation<'a> {
    pub(super) content: &'a str,
    pub(super) tries: Vec<&'a Op>,
}

/// One answer to a create.
pub(super) struct Answered<'a> {
    pub(super) number: u64,
    pub(super) id: &'a str,
    pub(super) at: u64,
}

/// Tries with the same key are one creation.
pub(super) fn creations<'a>(ops: &[&'a Op]) -> Vec<Creation<'a>> {
    let mut creations: Vec<Creation> = Vec::new();
    let mut by_key: HashMap<&str, usize> = HashMap::new();
    for op in ops {
        let Kind::Create { key, content } = &op.kind else {
            continue;
        };
        let next = creations.len();
        let place = key
            .as_deref()
            .map_or(next, |key| *by_key.entry(key).or_insert(next));
        if place == next {
            creations.push(Creation {
                content,
                tries: Vec::new(),
            });
        }
        creations[place].tries.push(op);
    }
    creations
}

impl<'a> Creation<'a> {
    pub(super) fn answers(&self) -> impl Iterator<Item = Answered<'a>> {
        self.tries.iter().filter_map(|op| match &op.outcome {
            Outcome::Ok { number, id, .. } => Some(Answered {
                number: *number,
                id,
                at: op.completed_at,
            }),
            _ => None,
        })
    }

    pub(super) fn may_exist(&self) -> bool {
        self.tries.iter().any(|op| op.may_have_happened())
    }

    /// None of its numbers was given before.
    pub(super) fn asked_at(&self) -> u64 {
        self.tries.iter().map(|op| op.invoked_at).min().unwrap_or(0)
    }

    pub(super) fn accepted_at(&self) -> Option<u64> {
        self.answers().map(|answer| answer.at).min()
    }
}

/// What was asked of one message after its create.
#[derive(Default)]
pub(super) struct Wishes<'a> {
    /// The accepted edit with the highest rev.
    pub(super) last_edit: Option<(u64, &'a str)>,
    pub(super) unknown_edits: Vec<&'a str>,
    /// A delete was not refused.
    pub(super) may_be_deleted: bool,
    /// A delete was accepted, first at this time.
    pub(super) deleted_at: Option<u64>,
}

impl<'a> Wishes<'a> {
    /// By id, so that wishes through two numbers of one message come together.
    pub(super) fn by_id(ops: &[&'a Op], ids: &BTreeMap<u64, &'a str>) -> HashMap<&'a str, Self> {
        let mut wishes: HashMap<&str, Self> = HashMap::new();
        for op in ops.iter().filter(|op| op.may_have_happened()) {
            match &op.kind {
                Kind::Edit { number, content } => {
                    let Some(id) = ids.get(number) else { continue };
                    wishes.entry(id).or_default().edit(op, content);
                }
                Kind::Delete { number } => {
                    let Some(id) = ids.get(number) else { continue };
                    wishes.entry(id).or_default().delete(op);
                }
                Kind::Create { .. } | Kind::Read { .. } | Kind::Count => {}
            }
        }
        wishes
    }

    fn edit(&mut self, op: &Op, content: &'a str) {
        match op.outcome {
            Outcome::Ok { rev, .. } => self.last_edit = self.last_edit.max(Some((rev, content))),
            _ => self.unknown_edits.push(content),
        }
    }

    fn delete(&mut self, op: &Op) {
        self.may_be_deleted = true;
        if matches!(op.outcome, Outcome::Ok { .. }) {
            let first = self
                .deleted_at
                .map_or(op.completed_at, |at| at.min(op.completed_at));
            self.deleted_at = Some(first);
        }
    }
}
