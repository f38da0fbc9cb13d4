//! `Numbers` in one process, over the same durable blocks as everywhere (PROTOCOLS A).
//!
//! A block is reserved in SQL before its first number is given, and what is in memory dies with the
//! process: after a crash the next block starts above every number ever given, so a number is never
//! given twice and the rest of the old block is a gap. `close` gives unused rests back, so a clean stop
//! leaves no gap.

pub(in crate::adapters) mod claims;

use super::reserver::Reserver;
use crate::error::{Error, Result};
use crate::metrics;
use crate::model::{ChatKey, Number, Scope, State, Uid};
use crate::ports::{Claim, Numbers, Remainder, Reserve, Sequences, Taken};
use async_trait::async_trait;
use claims::{Claims, Seen};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

pub struct MemoryNumbers {
    sequences: Arc<dyn Sequences>,
    reserver: Reserver,
    block: u32,
    scopes: Mutex<HashMap<Scope, Arc<Cell>>>,
    chats: Mutex<HashMap<ChatKey, State>>,
    claims: Mutex<Claims>,
}

/// The block of one scope. Whoever needs a new one holds the lock while it is reserved; the others wait.
type Cell = tokio::sync::Mutex<Option<Open>>;

#[derive(Clone, Copy)]
struct Open {
    last: u64,
    hi: u64,
}

impl MemoryNumbers {
    /// `block`: how many numbers are reserved at a time. Must be called inside a tokio runtime.
    pub fn new(sequences: Arc<dyn Sequences>, block: u32) -> Self {
        Self {
            reserver: Reserver::start(sequences.clone()),
            sequences,
            block,
            scopes: Mutex::default(),
            chats: Mutex::default(),
            claims: Mutex::default(),
        }
    }

    fn cell(&self, scope: Scope) -> Arc<Cell> {
        self.scopes
            .lock()
            .expect(NO_PANIC)
            .entry(scope)
            .or_default()
            .clone()
    }

    fn existence(&self, scope: Scope) -> Option<State> {
        match scope {
            // Whoever numbers a chat was let into its application just before.
            Scope::Chats(_) => Some(State::Live),
            Scope::Messages(chat) | Scope::Revs(chat) => {
                self.chats.lock().expect(NO_PANIC).get(&chat).copied()
            }
        }
    }

    async fn next(&self, scope: Scope) -> Result<Number> {
        let cell = self.cell(scope);
        let mut open = cell.lock().await;
        let block = match *open {
            Some(block) if block.last < block.hi => block,
            used_up => {
                let expected_lo = used_up.map(|block| block.hi);
                let block = self
                    .reserver
                    .reserve(Reserve {
                        scope,
                        size: self.block,
                        expected_lo,
                    })
                    .await?;
                metrics::number_block_reserved(scope);
                Open {
                    last: block.lo,
                    hi: block.hi,
                }
            }
        };
        let last = block.last + 1;
        *open = Some(Open { last, hi: block.hi });
        metrics::number_given(scope);
        Number::new(last).ok_or_else(|| Error::internal("a block beyond 2^53-1 was reserved"))
    }
}

const NO_PANIC: &str = "nothing panics while holding this lock";

#[async_trait]
impl Numbers for MemoryNumbers {
    async fn take(&self, scope: Scope, claim: Option<Claim>) -> Result<Taken> {
        let Some(existence) = self.existence(scope) else {
            return Ok(Taken::UnknownChat);
        };
        if let Some(claim) = &claim {
            match self.claims.lock().expect(NO_PANIC).begin(claim) {
                Seen::Before(taken) => return Ok(taken),
                Seen::Never => {}
            }
        }
        let taken = match existence {
            State::Deleted => Ok(Taken::Gone),
            State::Live => self.next(scope).await.map(Taken::Given),
        };
        if let Some(claim) = &claim {
            let mut claims = self.claims.lock().expect(NO_PANIC);
            match taken {
                Ok(Taken::Given(number)) => claims.given(claim.uid, number),
                _ => claims.forget(claim.uid),
            }
        }
        taken
    }

    async fn settle(&self, _scope: Scope, uid: Uid) {
        self.claims.lock().expect(NO_PANIC).settled(uid);
    }

    async fn release(&self, _scope: Scope, uid: Uid) {
        self.claims.lock().expect(NO_PANIC).released(uid);
    }

    async fn mark(&self, chat: ChatKey, state: State) {
        let mut chats = self.chats.lock().expect(NO_PANIC);
        let known = chats.entry(chat).or_insert(state);
        if state == State::Deleted {
            *known = State::Deleted;
        }
    }

    async fn last_given(&self, scope: Scope) -> Result<u64> {
        let cell = self.scopes.lock().expect(NO_PANIC).get(&scope).cloned();
        if let Some(cell) = cell
            && let Some(open) = *cell.lock().await
        {
            return Ok(open.last);
        }
        self.sequences.high(scope).await
    }

    async fn close(&self) -> Result<()> {
        let cells: Vec<(Scope, Arc<Cell>)> = self.scopes.lock().expect(NO_PANIC).drain().collect();
        let mut remainders = Vec::new();
        for (scope, cell) in cells {
            // Taken away: whoever still takes a number after all reserves another block.
            if let Some(Open { last, hi }) = cell.lock().await.take()
                && last < hi
            {
                remainders.push(Remainder {
                    scope,
                    last,
                    block_end: hi,
                });
            }
        }
        self.sequences.give_back(&remainders).await
    }
}
