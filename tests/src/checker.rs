//! Judges a run from outside: what clients were told against what the system says in the end.
//!
//! In the manner of Jepsen's checkers: clients record each operation with its times and outcome, then
//! faults end, the system comes to rest, and everything it says over HTTP is dumped. The checker knows
//! nothing of how the system works. `Unknown` may have happened or not, but not twice; a definite no
//! must have left nothing. It reports every violation it finds, each with the promise that it breaks.

mod counts;
mod creations;
mod ending;
mod history;
mod numbers;
mod reads;
mod rows;
#[cfg(test)]
mod tests;

use creations::{Creation, Wishes, creations};
pub use ending::{Answer, Ending, Gap, Row, Said};
pub use history::{Kind, Op, Outcome, Scope};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

/// A promise of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Every accepted create ends as exactly one row that its number leads to; accepted edits and
    /// deletes are carried out.
    Durable,
    /// At most one row for each idempotency key, and for each request without one.
    Once,
    /// A number is never given to two messages.
    Unique,
    /// If A was answered before B was asked, A's number is lower.
    Increasing,
    /// Every number below the highest without a row has a recorded cause.
    Explained,
    /// A count is the number of rows.
    ExactCount,
    /// Every live row is found, and nothing else.
    Searchable,
    /// No byte of one tenant reaches another.
    Tenants,
    /// A refused request leaves no row.
    HonestNo,
    /// An accepted number is never unknown to a reader, and nobody reads backwards in time.
    ReadYourWrites,
}

impl Rule {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Durable => "I1 durable",
            Self::Once => "I2 once",
            Self::Unique => "I3 unique",
            Self::Increasing => "I4 increasing",
            Self::Explained => "I5 explained",
            Self::ExactCount => "I6 exact count",
            Self::Searchable => "I7 searchable",
            Self::Tenants => "I8 tenants",
            Self::HonestNo => "I9 honest no",
            Self::ReadYourWrites => "read your writes",
        }
    }
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    pub scope: Scope,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, scope, what } = self;
        write!(f, "{}, {scope}: {what}", rule.as_str())
    }
}

/// What differs between ways to run the system.
#[derive(Clone, Copy, Debug)]
pub struct Expectations {
    /// An accept comes after the commit, so counts have it at once. Otherwise a worker may be behind.
    pub stored_on_accept: bool,
}

/// Everything that is wrong, scope by scope.
pub fn check(history: &[Op], ending: &Ending, expectations: Expectations) -> Vec<Violation> {
    let mut ops: BTreeMap<&Scope, Vec<&Op>> = BTreeMap::new();
    for op in history {
        ops.entry(&op.scope).or_default().push(op);
    }
    let written = rows::written_where(history);
    let nothing = Said::default();
    let scopes: BTreeSet<&Scope> = ops.keys().copied().chain(ending.scopes.keys()).collect();
    let mut found = Findings::default();
    for scope in scopes {
        let ops = ops.get(scope).map_or(&[][..], Vec::as_slice);
        let said = ending.scopes.get(scope).unwrap_or(&nothing);
        let case = Case::new(scope, ops, said);
        rows::check(&case, &written, &mut found);
        numbers::check(&case, &mut found);
        counts::check(&case, expectations, &mut found);
        reads::check(&case, &mut found);
    }
    found.violations
}

/// One scope: what was asked, what was answered, and what is there in the end.
struct Case<'a> {
    scope: &'a Scope,
    ops: &'a [&'a Op],
    said: &'a Said,
    creations: Vec<Creation<'a>>,
    /// By number: the id it was answered with first.
    ids: BTreeMap<u64, &'a str>,
    wishes: HashMap<&'a str, Wishes<'a>>,
}

impl<'a> Case<'a> {
    fn new(scope: &'a Scope, ops: &'a [&'a Op], said: &'a Said) -> Self {
        let creations = creations(ops);
        let mut ids = BTreeMap::new();
        for answer in creations.iter().flat_map(Creation::answers) {
            ids.entry(answer.number).or_insert(answer.id);
        }
        let wishes = Wishes::by_id(ops, &ids);
        Self {
            scope,
            ops,
            said,
            creations,
            ids,
            wishes,
        }
    }

    /// Whether somebody who was not refused asked for this message to be deleted.
    fn may_be_deleted(&self, id: &str) -> bool {
        self.said.deleted
            || self
                .wishes
                .get(id)
                .is_some_and(|wishes| wishes.may_be_deleted)
    }
}

#[derive(Default)]
struct Findings {
    violations: Vec<Violation>,
}

impl Findings {
    fn add(&mut self, case: &Case, rule: Rule, what: String) {
        self.violations.push(Violation {
            rule,
            scope: case.scope.clone(),
            what,
        });
    }
}
