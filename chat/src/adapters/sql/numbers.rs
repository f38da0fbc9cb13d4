//! `Numbers` with one transaction per number (PROTOCOLS A, `numbering.mode: mysql`): needs no Redis, leaves
//! no block behind, and costs a commit where the others cost a message to Redis.
//!
//! Whether a chat exists is asked of its row, so every process knows what any other one did. Only between
//! a chat's confirm and its row does a mark in this process stand for it: another process answers
//! "not stored yet" meanwhile. Claims are kept in this process too. The truth of an idempotency key is its
//! row, and two processes that take a number for the same uid at the same time end as one row and an alias.

use super::SqlStore;
use super::sequences::next_number;
use crate::adapters::memory_numbers::claims::{Claims, Seen};
use crate::error::{Error, Result};
use crate::metrics;
use crate::model::{ChatKey, Number, Scope, State, Uid};
use crate::ports::{Claim, Numbers, Sequences, Taken};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::Mutex;

/// How often a number is tried for while others take theirs.
const TRIES: u32 = 8;

pub struct SqlNumbers {
    store: SqlStore,
    /// Chats without a row yet, and deleted ones whose row does not say so yet.
    marks: Mutex<HashMap<ChatKey, State>>,
    claims: Mutex<Claims>,
}

const NO_PANIC: &str = "nothing panics while holding this lock";

impl SqlNumbers {
    pub fn new(store: SqlStore) -> Self {
        Self {
            store,
            marks: Mutex::default(),
            claims: Mutex::default(),
        }
    }

    async fn existence(&self, scope: Scope) -> Result<Option<State>> {
        let chat = match scope {
            // Whoever numbers a chat was let into its application just before.
            Scope::Chats(_) => return Ok(Some(State::Live)),
            Scope::Messages(chat) | Scope::Revs(chat) => chat,
        };
        let stored = self.store.chat_state(chat).await?;
        let mut marks = self.marks.lock().expect(NO_PANIC);
        let marked = marks.get(&chat).copied();
        if stored.is_some() && stored == marked {
            marks.remove(&chat);
        }
        Ok(match (stored, marked) {
            (Some(State::Deleted), _) | (_, Some(State::Deleted)) => Some(State::Deleted),
            (stored, marked) => stored.or(marked),
        })
    }

    async fn next(&self, scope: Scope) -> Result<Number> {
        let mut tries = 1;
        loop {
            let mut tx = self.store.begin_write().await?;
            let outcome = next_number(&mut tx, scope).await;
            match self.store.end_write(tx, outcome).await {
                // Nothing was written, or it was and is a gap: another number is right in any case.
                Err(Error::Conflict | Error::Busy(_) | Error::OutcomeUnknown { .. })
                    if tries < TRIES =>
                {
                    tries += 1;
                }
                Err(Error::Conflict | Error::OutcomeUnknown { .. }) => {
                    return Err(Error::Busy("no number was had".into()));
                }
                taken => return taken,
            }
        }
    }
}

#[async_trait]
impl Numbers for SqlNumbers {
    async fn take(&self, scope: Scope, claim: Option<Claim>) -> Result<Taken> {
        let Some(existence) = self.existence(scope).await? else {
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
        if let Ok(Taken::Given(_)) = taken {
            metrics::number_given(scope);
        }
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
        let mut marks = self.marks.lock().expect(NO_PANIC);
        let known = marks.entry(chat).or_insert(state);
        if state == State::Deleted {
            *known = State::Deleted;
        }
    }

    async fn last_given(&self, scope: Scope) -> Result<u64> {
        self.store.high(scope).await
    }

    /// Nothing is held back.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
