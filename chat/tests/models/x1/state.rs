//! The world of model X1: what is stored, what is under way, and what was given.

/// Numbers in a block.
pub(super) const BLOCK: u8 = 2;

/// What stands for the 1,000,000 that are added after a restore: more than a model ever gives.
pub(super) const JUMP: u8 = 8;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// `sequences.hi`.
    pub(super) hi: u8,
    /// Living Redis processes.
    pub(super) processes: Vec<Process>,
    /// Blocks that are reserved and may be installed yet; sorted.
    pub(super) under_way: Vec<Block>,
    /// Bit n: the number n was given.
    pub(super) given: u32,
    pub(super) runs: u8,
    pub(super) redis_faults: u8,
    pub(super) restores: u8,
    pub(super) reservations: u8,
    pub(super) stops: u8,
    /// A lease ran out or an API process died.
    pub(super) api_failed: bool,
    pub(super) duplicate: bool,
    pub(super) disorder: bool,
    pub(super) hole: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) run: u8,
    pub(super) record: Option<Record>,
    pub(super) leased: bool,
    /// Every record it or its predecessors ever held: what a snapshot or replica may bring back; sorted.
    pub(super) held: Vec<Record>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Record {
    pub(super) last: u8,
    pub(super) hi: u8,
    pub(super) run: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Block {
    pub(super) lo: u8,
    pub(super) hi: u8,
    pub(super) run: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Allocate {
        process: usize,
    },
    Reserve {
        process: usize,
    },
    Install {
        process: usize,
        block: Block,
    },
    RedisRestarts {
        process: usize,
        with: Option<Record>,
    },
    RedisFailsOver {
        process: usize,
        with: Option<Record>,
    },
    RecordFlushed {
        process: usize,
    },
    LeaseRunsOut {
        process: usize,
    },
    ApiKilledBeforeInstall {
        block: Block,
    },
    SequencesRestored {
        to: u8,
    },
    StopsInGoodOrder {
        process: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// A number was given twice.
    Duplicate,
    /// A number was given after a higher one, though only one process ever lived at a time.
    Disorder,
    /// A number was left out although nothing failed.
    Hole,
}

impl State {
    pub(super) fn initial() -> Self {
        let process = Process {
            run: 0,
            record: None,
            leased: false,
            held: Vec::new(),
        };
        Self {
            hi: 0,
            processes: vec![process],
            under_way: Vec::new(),
            given: 0,
            runs: 0,
            redis_faults: 0,
            restores: 0,
            reservations: 0,
            stops: 0,
            api_failed: false,
            duplicate: false,
            disorder: false,
            hole: false,
        }
    }

    pub(super) fn give(&mut self, number: u8) {
        let faultless = self.redis_faults == 0 && self.restores == 0 && !self.api_failed;
        self.duplicate |= self.given & (1 << number) != 0;
        self.disorder |= self.processes.len() == 1 && self.given >> number > 1;
        self.hole |= faultless && u32::from(number) != self.given.count_ones() + 1;
        self.given |= 1 << number;
    }

    pub(super) fn has(&self, violation: Violation) -> bool {
        match violation {
            Violation::Duplicate => self.duplicate,
            Violation::Disorder => self.disorder,
            Violation::Hole => self.hole,
        }
    }
}

impl Process {
    pub(super) fn hold(&mut self, record: Record) {
        self.record = Some(record);
        if let Err(place) = self.held.binary_search(&record) {
            self.held.insert(place, record);
        }
    }

    pub(super) fn install(&mut self, block: Block, run_check: bool) {
        if run_check && self.run != block.run {
            return;
        }
        let own = self.record.filter(|record| record.run == self.run);
        match own {
            Some(record) if block.lo < record.hi => return,
            Some(record) if block.lo == record.hi => self.hold(Record {
                hi: block.hi,
                ..record
            }),
            _ => self.hold(Record {
                last: block.lo,
                hi: block.hi,
                run: self.run,
            }),
        }
        self.leased = false;
    }
}
