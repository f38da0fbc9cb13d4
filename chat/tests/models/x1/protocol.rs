//! The steps of model X1 and the switches for its clauses.

use super::state::{Action, BLOCK, Block, JUMP, Process, Record, State, Violation};
use crate::explore::{Outcome, explore};

/// The protocol, its bounds, and one switch for each clause it could do without.
#[derive(Clone, Copy)]
pub(super) struct Protocol {
    pub(super) redis_faults: u8,
    pub(super) restores: u8,
    pub(super) reservations: u8,
    pub(super) numbers: u32,
    pub(super) stops: u8,
    /// Allocation refuses a record of another run.
    pub(super) fence: bool,
    /// Install refuses a process that is not the run the block was reserved for.
    pub(super) run_check: bool,
    /// Who needs the lease before reserving.
    pub(super) lease: Lease,
    /// A client library may send an install again.
    pub(super) install_retried: bool,
    /// Somebody may delete the record while the process lives on.
    pub(super) flush: bool,
    /// A restored table is raised before anybody uses it.
    pub(super) after_restore: bool,
    /// A process that stops gives the rest of its block back only if that is the last block of all.
    pub(super) give_back_checked: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Lease {
    Everybody,
    /// Only who found the block used up, not who reserves early.
    WhoeverNeeds,
    /// As if every lease ran out at once: whatever leases do when they run out is part of this.
    Nobody,
}

pub(super) const RIGHT: Protocol = Protocol {
    redis_faults: 2,
    restores: 0,
    reservations: 4,
    numbers: 5,
    stops: 0,
    fence: true,
    run_check: true,
    lease: Lease::Nobody,
    install_retried: false,
    flush: false,
    after_restore: true,
    give_back_checked: true,
};

impl Protocol {
    pub(super) fn explore(self, violations: &[Violation]) -> Outcome<State, Action, Violation> {
        let check = |state: &State| {
            violations
                .iter()
                .copied()
                .find(|violation| state.has(*violation))
        };
        explore(State::initial(), |state| self.next(state), check)
    }

    /// Where these actions lead.
    pub(super) fn follow(self, actions: &[Action]) -> State {
        actions.iter().fold(State::initial(), |state, action| {
            let step = self
                .next(&state)
                .into_iter()
                .find(|(step, _)| step == action);
            step.expect("the action can be taken here").1
        })
    }

    pub(super) fn next(self, state: &State) -> Vec<(Action, State)> {
        let mut steps = Vec::new();
        for process in 0..state.processes.len() {
            self.use_redis(state, process, &mut steps);
            self.fail_redis(state, process, &mut steps);
            self.stop(state, process, &mut steps);
        }
        for &block in &state.under_way {
            self.install(state, block, &mut steps);
        }
        if state.restores < self.restores {
            for to in (0..state.hi).step_by(BLOCK.into()) {
                let mut after = state.clone();
                after.hi = if self.after_restore { to + JUMP } else { to };
                after.restores += 1;
                steps.push((Action::SequencesRestored { to }, after));
            }
        }
        steps
    }

    fn use_redis(self, state: &State, process: usize, steps: &mut Vec<(Action, State)>) {
        let Process {
            run,
            record,
            leased,
            ..
        } = state.processes[process];
        let usable =
            record.filter(|record| (record.run == run || !self.fence) && record.last < record.hi);
        if let Some(record) = usable
            && state.given.count_ones() < self.numbers
        {
            let mut after = state.clone();
            after.give(record.last + 1);
            after.processes[process].hold(Record {
                last: record.last + 1,
                ..record
            });
            steps.push((Action::Allocate { process }, after));
        }
        let early = usable.is_some_and(|record| record.hi - record.last <= BLOCK / 2);
        let lease_asked = match self.lease {
            Lease::Everybody => true,
            Lease::WhoeverNeeds => usable.is_none(),
            Lease::Nobody => false,
        };
        let wanted = usable.is_none() || early;
        if wanted && !(lease_asked && leased) && state.reservations < self.reservations {
            let mut after = state.clone();
            after.under_way.push(Block {
                lo: state.hi,
                hi: state.hi + BLOCK,
                run,
            });
            after.under_way.sort_unstable();
            after.hi += BLOCK;
            after.reservations += 1;
            after.processes[process].leased = lease_asked || leased;
            steps.push((Action::Reserve { process }, after));
        }
    }

    /// Installs a block wherever it can still arrive, or loses it with the API process that holds it.
    pub(super) fn install(self, state: &State, block: Block, steps: &mut Vec<(Action, State)>) {
        for process in 0..state.processes.len() {
            let mut after = state.clone();
            if !self.install_retried {
                after.under_way.retain(|other| *other != block);
            }
            after.processes[process].install(block, self.run_check);
            steps.push((Action::Install { process, block }, after));
        }
        if self.lease != Lease::Nobody {
            let mut after = state.clone();
            after.under_way.retain(|other| *other != block);
            after.api_failed = true;
            steps.push((Action::ApiKilledBeforeInstall { block }, after));
        }
    }

    /// Stops after every reservation has ended, gives back what is left of its block, starts again.
    fn stop(self, state: &State, process: usize, steps: &mut Vec<(Action, State)>) {
        let Process {
            run,
            record,
            ref held,
            ..
        } = state.processes[process];
        let reserving = state.under_way.iter().any(|block| block.run == run);
        if state.stops == self.stops || reserving {
            return;
        }
        let mut after = state.clone();
        if let Some(record) = record
            && record.run == run
            && (record.hi == state.hi || !self.give_back_checked)
        {
            after.hi = record.last;
        }
        after.stops += 1;
        after.runs += 1;
        after.processes[process] = Process {
            run: after.runs,
            record: None,
            leased: false,
            held: held.clone(),
        };
        steps.push((Action::StopsInGoodOrder { process }, after));
    }

    fn fail_redis(self, state: &State, process: usize, steps: &mut Vec<(Action, State)>) {
        let Process {
            record,
            leased,
            ref held,
            ..
        } = state.processes[process];
        if leased {
            let mut after = state.clone();
            after.processes[process].leased = false;
            after.api_failed = true;
            steps.push((Action::LeaseRunsOut { process }, after));
        }
        if self.flush && record.is_some() {
            let mut after = state.clone();
            after.processes[process].record = None;
            after.processes[process].leased = false;
            steps.push((Action::RecordFlushed { process }, after));
        }
        if state.redis_faults == self.redis_faults {
            return;
        }
        for with in held.iter().copied().map(Some).chain([None]) {
            let mut after = state.clone();
            after.redis_faults += 1;
            after.runs += 1;
            let successor = Process {
                run: after.runs,
                record: with,
                leased: false,
                held: held.clone(),
            };
            if state.processes.len() == 1 {
                let mut after = after.clone();
                after.processes.push(successor.clone());
                steps.push((Action::RedisFailsOver { process, with }, after));
            }
            after.processes[process] = successor;
            steps.push((Action::RedisRestarts { process, with }, after));
        }
    }
}
