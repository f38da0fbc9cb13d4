//! Breadth-first search through all states that steps can reach.
//!
//! It stops at the first state that `check` objects to. Because the search is breadth first, no shorter
//! way leads to any objection, so the trace it reports is a shortest one.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::rc::Rc;

/// What a search found out.
pub(crate) struct Outcome<S, A, V> {
    /// How many different states were reached, the initial one included.
    pub(crate) states: usize,
    pub(crate) violation: Option<Trace<S, A, V>>,
}

/// How a violation comes about.
pub(crate) struct Trace<S, A, V> {
    pub(crate) kind: V,
    pub(crate) steps: Vec<A>,
    pub(crate) last: S,
}

/// A state, and the place of the state and the action by which it was first reached.
type Found<S, A> = (Rc<S>, Option<(usize, A)>);

/// Visits everything reachable from `initial` by `next`, until `check` objects.
pub(crate) fn explore<S, A, V>(
    initial: S,
    next: impl Fn(&S) -> Vec<(A, S)>,
    check: impl Fn(&S) -> Option<V>,
) -> Outcome<S, A, V>
where
    S: Clone + Eq + Hash,
    A: Copy,
{
    let initial = Rc::new(initial);
    let mut seen = HashSet::from([Rc::clone(&initial)]);
    // In the order of discovery.
    let mut found: Vec<Found<S, A>> = vec![(initial, None)];
    let mut place = 0;
    while place < found.len() {
        let state = Rc::clone(&found[place].0);
        if let Some(kind) = check(&state) {
            let trace = Trace {
                kind,
                steps: steps_to(place, &found),
                last: (*state).clone(),
            };
            return Outcome {
                states: found.len(),
                violation: Some(trace),
            };
        }
        for (action, successor) in next(&state) {
            if !seen.contains(&successor) {
                let successor = Rc::new(successor);
                seen.insert(Rc::clone(&successor));
                found.push((successor, Some((place, action))));
            }
        }
        place += 1;
    }
    Outcome {
        states: found.len(),
        violation: None,
    }
}

fn steps_to<S, A: Copy>(place: usize, found: &[Found<S, A>]) -> Vec<A> {
    let mut steps = Vec::new();
    let mut place = place;
    while let Some((parent, action)) = found[place].1 {
        steps.push(action);
        place = parent;
    }
    steps.reverse();
    steps
}

impl<S: fmt::Debug, A: fmt::Debug, V: fmt::Debug> Outcome<S, A, V> {
    /// Passes the number of states on if there is no violation.
    #[track_caller]
    pub(crate) fn assert_clean(self) -> usize {
        if let Some(trace) = self.violation {
            panic!("after {} states:\n{trace}", self.states);
        }
        self.states
    }

    /// Passes the shortest trace on if there is a violation.
    #[track_caller]
    pub(crate) fn assert_caught(self) -> Trace<S, A, V> {
        let states = self.states;
        self.violation
            .unwrap_or_else(|| panic!("no violation in {states} states"))
    }
}

impl<S: fmt::Debug, A: fmt::Debug, V: fmt::Debug> fmt::Display for Trace<S, A, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} in {} steps:", self.kind, self.steps.len())?;
        for step in &self.steps {
            writeln!(f, "  {step:?}")?;
        }
        writeln!(f, "in the end {:?}", self.last)
    }
}

#[test]
fn the_shortest_way_is_the_one_reported() {
    let next = |&n: &u32| {
        if n < 100 {
            vec![("add one", n + 1), ("double", n * 2)]
        } else {
            Vec::new()
        }
    };
    let trace = explore(1, next, |&n| (n == 10).then_some("ten")).assert_caught();
    assert_eq!(trace.steps, ["add one", "double", "add one", "double"]);
    assert_eq!((trace.kind, trace.last), ("ten", 10));
}

#[test]
fn every_state_is_visited_once() {
    let next = |&(a, b): &(u8, u8)| vec![("a", ((a + 1) % 4, b)), ("b", (a, (b + 1) % 5))];
    assert_eq!(explore((0, 0), next, |_| None::<()>).assert_clean(), 20);
}
