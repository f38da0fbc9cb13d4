//! Doing: a batch goes through `Writer::apply`, again after conflicts, in halves when the store refuses it.
//!
//! n refused commands among N cost about n * log2(N) transactions and never hold up the rest.

use super::plan::{keys, plan};
use crate::clock;
use crate::error::Error;
use crate::event::{Command, Queue};
use crate::metrics::{self, BatchEnd};
use crate::model::MessageKey;
use crate::ports::Writer;
use crate::rows::{Existing, Outcome, Plan};
use std::ops::Range;
use std::time::{Duration, Instant};

/// How often a batch is applied again after `Conflict`, `Busy` or an unknown commit, before it is given up for now.
const TRIES: u32 = 8;

/// What became of one command of a batch.
#[derive(Debug)]
pub enum Fate {
    /// Committed.
    Done(Outcome),
    /// The store refuses a value in it, and always will.
    Refused(String),
    /// Not committed, as far as is known; it may be tried again.
    NotDone(Error),
}

/// Stores a batch. Returns one fate for each command, in order, and the rows to index.
pub async fn store(
    writer: &dyn Writer,
    queue: Queue,
    commands: &[Command],
) -> (Vec<Fate>, Vec<MessageKey>) {
    let mut fates: Vec<Option<Fate>> = commands.iter().map(|_| None).collect();
    let mut index = Vec::new();
    let mut open = Vec::from([Range {
        start: 0,
        end: commands.len(),
    }]);
    while let Some(range) = open.pop() {
        let started = Instant::now();
        let applied = apply(writer, &commands[range.clone()]).await;
        let end = match &applied {
            Ok(_) => BatchEnd::Committed,
            Err(Error::Invalid { .. }) => BatchEnd::Split,
            Err(_) => BatchEnd::Failed,
        };
        metrics::batch(queue, range.len(), started.elapsed().as_secs_f64(), end);
        match applied {
            Ok(plan) => {
                metrics::outcomes(&plan.outcomes);
                index.extend(plan.index);
                for (place, outcome) in range.zip(plan.outcomes) {
                    fates[place] = Some(Fate::Done(outcome));
                }
            }
            Err(Error::Invalid { field, problem, .. }) if range.len() == 1 => {
                fates[range.start] = Some(Fate::Refused(format!("{field}: {problem}")));
            }
            Err(Error::Invalid { .. }) => {
                let [first, second] = halves(range);
                open.push(second);
                open.push(first);
            }
            Err(error) => {
                // The store is away: what is still open would meet the same end.
                open.push(range);
                for place in open.drain(..).flatten() {
                    fates[place] = Some(Fate::NotDone(error.told_again()));
                }
            }
        }
    }
    (
        fates
            .into_iter()
            .map(|fate| fate.expect("every command is in exactly one range"))
            .collect(),
        index,
    )
}

fn halves(range: Range<usize>) -> [Range<usize>; 2] {
    let middle = range.start + range.len() / 2;
    [range.start..middle, middle..range.end]
}

async fn apply(writer: &dyn Writer, commands: &[Command]) -> Result<Plan, Error> {
    let keys = keys(commands);
    let planner = |existing: &Existing| plan(commands, existing, clock::now());
    let mut in_doubt = false;
    let mut pause = Duration::from_millis(5);
    for _ in 1..TRIES {
        match writer.apply(&keys, &planner).await {
            Err(Error::Conflict) => {}
            Err(Error::Busy(_)) => tokio::time::sleep(pause).await,
            Err(Error::OutcomeUnknown { .. }) => {
                // Applying again finds out: classification sees the rows if the commit happened.
                in_doubt = true;
                tokio::time::sleep(pause).await;
            }
            Err(_) if in_doubt => {
                return Err(Error::OutcomeUnknown {
                    number: None,
                    uid: None,
                });
            }
            settled => return settled,
        }
        pause *= 2;
    }
    match writer.apply(&keys, &planner).await {
        Err(_) if in_doubt => Err(Error::OutcomeUnknown {
            number: None,
            uid: None,
        }),
        Err(Error::Conflict) => Err(Error::Busy("conflicting writes do not end".into())),
        settled => settled,
    }
}
