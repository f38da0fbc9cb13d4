//! Explaining numbers that were given and never stored (I5). Only this pass writes the gap ledger.
//!
//! A number may be on its way for a while, so a pass first remembers how far a scope has come, and
//! explains numbers up to there once a grace period has passed and the queues were seen empty since.

use super::again::again;
use crate::error::Result;
use crate::metrics;
use crate::model::{Gap, GapCause, Millis, Number, Scope};
use crate::ports::{Explanation, GapLedger, Numbers, Subscriber, Watermark};

/// How long a number may be on its way before its absence means anything.
pub const GRACE_MS: i64 = 10 * 60 * 1_000;
const SCOPES: u32 = 500;
/// Gaps noted in one transaction, about.
const OPEN_GAPS: usize = 1_000;
/// Numbers looked at in one step.
const STEP: u32 = 10_000;

/// One pass over all scopes; returns how many numbers it explained.
pub async fn pass(
    ledger: &dyn GapLedger,
    numbers: &dyn Numbers,
    subscriber: &dyn Subscriber,
    now: Millis,
) -> Result<u64> {
    let mut explanations = Explanations::for_ledger(ledger);
    let mut after = None;
    loop {
        let scopes = ledger.unexplained(after, SCOPES).await?;
        let Some(last) = scopes.last() else { break };
        after = Some(last.scope);
        let mut seen = Vec::new();
        for watermark in &scopes {
            let explained = match watermark.seen {
                None => watermark.explained,
                Some((seen, at)) => {
                    let over = now.get() - at.get() >= GRACE_MS;
                    if !over || !subscriber.at_rest_since(at).await? {
                        continue;
                    }
                    explain(&mut explanations, watermark, seen, false, now).await?;
                    seen
                }
            };
            let given = numbers.last_given(watermark.scope).await?;
            let given = given.min(watermark.high);
            if given > explained {
                seen.push((watermark.scope, given));
            }
        }
        // An explanation forgets what was seen before.
        explanations.write().await?;
        if !seen.is_empty() {
            again(|| ledger.mark_seen(&seen, now)).await?;
        }
    }
    again(|| ledger.trim()).await?;
    Ok(explanations.numbers)
}

/// The walk of a process that has the store for itself and has given no number yet: nothing is on its
/// way, so everything up to the end of each block can be explained at once.
pub async fn walk_at_start(ledger: &dyn GapLedger, now: Millis) -> Result<u64> {
    let mut explanations = Explanations::for_ledger(ledger);
    let mut after = None;
    loop {
        let scopes = ledger.unexplained(after, SCOPES).await?;
        let Some(last) = scopes.last() else {
            return Ok(explanations.numbers);
        };
        after = Some(last.scope);
        for watermark in &scopes {
            explain(&mut explanations, watermark, watermark.high, true, now).await?;
        }
        explanations.write().await?;
    }
}

/// How many scopes wait for their explanation far longer than they should: a queue that is never at rest, or
/// passes that do not come through.
pub async fn overdue(ledger: &dyn GapLedger, now: Millis) -> Result<u64> {
    let (mut overdue, mut after) = (0, None);
    loop {
        let scopes = ledger.unexplained(after, SCOPES).await?;
        let Some(last) = scopes.last() else {
            return Ok(overdue);
        };
        after = Some(last.scope);
        let late = |watermark: &&Watermark| {
            let seen = watermark.seen;
            seen.is_some_and(|(_, at)| now.get() - at.get() > 3 * GRACE_MS)
        };
        overdue += scopes.iter().filter(late).count() as u64;
    }
}

/// Explanations of many scopes share a transaction: there is one to be made for every chat in use.
struct Explanations<'a> {
    ledger: &'a dyn GapLedger,
    open: Vec<Explanation>,
    open_gaps: usize,
    /// Explained and written so far.
    numbers: u64,
}

impl<'a> Explanations<'a> {
    fn for_ledger(ledger: &'a dyn GapLedger) -> Self {
        Self {
            ledger,
            open: Vec::new(),
            open_gaps: 0,
            numbers: 0,
        }
    }

    async fn add(&mut self, explanation: Explanation) -> Result<()> {
        self.open_gaps += explanation.gaps.len();
        self.open.push(explanation);
        match self.open_gaps >= OPEN_GAPS {
            true => self.write().await,
            false => Ok(()),
        }
    }

    async fn write(&mut self) -> Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        again(|| self.ledger.explain(&self.open)).await?;
        self.open_gaps = 0;
        for Explanation { scope, gaps, .. } in self.open.drain(..) {
            for gap in gaps {
                let count = gap.to.get() - gap.from.get() + 1;
                self.numbers += count;
                metrics::number_gap(gap.cause, count);
                tracing::info!(scope = kind(scope), from = %gap.from, to = %gap.to, cause = gap.cause.as_str(),
                    "numbers were given and never stored");
            }
        }
        Ok(())
    }
}

/// Explains every missing number above the watermark up to `through`. `blocks_are_over`: a run that
/// reaches the end of the last block is the rest of a lost block.
async fn explain(
    explanations: &mut Explanations<'_>,
    watermark: &Watermark,
    through: u64,
    blocks_are_over: bool,
    now: Millis,
) -> Result<()> {
    let Watermark {
        scope,
        high,
        explained,
        ..
    } = *watermark;
    let ledger = explanations.ledger;
    let mut jumps = ledger.jumps(scope, explained, through).await?;
    if blocks_are_over {
        jumps.push(high);
    }
    let mut from = explained;
    while from < through {
        let present = ledger.present(scope, from, through, STEP).await?;
        // A full step may have more after its last number; that number ends it.
        let to = if present.len() == STEP as usize {
            present.last().copied().unwrap_or(through)
        } else {
            through
        };
        let gaps = holes(from, to, &present)
            .into_iter()
            .filter_map(|hole| gap(hole, &jumps, now))
            .collect();
        explanations
            .add(Explanation {
                scope,
                gaps,
                through: to,
            })
            .await?;
        from = to;
    }
    Ok(())
}

/// Runs of numbers in `(lo, hi]` that are not in `present`.
fn holes(lo: u64, hi: u64, present: &[u64]) -> Vec<(u64, u64)> {
    let mut holes = Vec::new();
    let mut next = lo + 1;
    for number in present.iter().copied().chain([hi + 1]) {
        if number > next {
            holes.push((next, number - 1));
        }
        next = number + 1;
    }
    holes
}

fn gap((from, to): (u64, u64), jumps: &[u64], noted_at: Millis) -> Option<Gap> {
    let cause = if jumps.contains(&to) {
        GapCause::BlockLost
    } else {
        GapCause::Voided
    };
    Some(Gap {
        from: Number::new(from)?,
        to: Number::new(to)?,
        cause,
        noted_at,
    })
}

fn kind(scope: Scope) -> &'static str {
    match scope {
        Scope::Chats(_) => "chats",
        Scope::Messages(_) => "messages",
        Scope::Revs(_) => "revs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_the_runs_between_what_is_there() {
        assert_eq!(holes(0, 5, &[]), [(1, 5)]);
        assert_eq!(holes(0, 5, &[1, 2, 4, 5]), [(3, 3)]);
        assert_eq!(holes(3, 9, &[5, 6]), [(4, 4), (7, 9)]);
        assert_eq!(holes(0, 2, &[1, 2]), []);
        assert_eq!(holes(7, 7, &[]), []);
    }

    #[test]
    fn a_run_that_ends_at_a_jump_is_a_lost_block() {
        let cause = |hole, jumps: &[u64]| gap(hole, jumps, Millis::new(0)).map(|gap| gap.cause);
        assert_eq!(cause((3, 256), &[256]), Some(GapCause::BlockLost));
        assert_eq!(cause((3, 4), &[256]), Some(GapCause::Voided));
    }
}
