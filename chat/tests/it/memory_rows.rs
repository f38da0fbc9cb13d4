//! A `Writer` in memory, for tests of the rules alone: it holds rows as a store does, insists that plans
//! fit them, and can be told to fail.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use async_trait::async_trait;
use chat::error::{Error, Result};
use chat::model::{ChatKey, MessageKey, Number, Problem, State, Uid};
use chat::ports::{Planner, Writer};
use chat::rows::{ChatRow, Counted, Existing, Keys, LedgerEntry, MessageRow, Plan};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Mutex;

/// A value that the store refuses.
pub(crate) const POISON: &str = "poison";

/// How one `apply` ends.
pub(crate) enum Ending {
    Works,
    Fails(Error),
    /// Committed, and nobody hears of it.
    CommitsSilently,
}

#[derive(Default)]
pub(crate) struct MemoryRows {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    rows: Existing,
    counts: HashMap<Counted, i64>,
    endings: VecDeque<Ending>,
    transactions: usize,
}

impl MemoryRows {
    pub(crate) fn with_application(app: chat::model::AppId) -> Self {
        let rows = Self::default();
        rows.held.lock().unwrap().rows.apps.insert(app, State::Live);
        rows
    }

    /// The next transactions end like this; the others work.
    pub(crate) fn then(self, endings: impl IntoIterator<Item = Ending>) -> Self {
        self.held.lock().unwrap().endings.extend(endings);
        self
    }

    pub(crate) fn transactions(&self) -> usize {
        self.held.lock().unwrap().transactions
    }

    pub(crate) fn chats(&self) -> BTreeMap<ChatKey, ChatRow> {
        let held = self.held.lock().unwrap();
        held.rows.chats.clone().into_iter().collect()
    }

    pub(crate) fn messages(&self) -> BTreeMap<MessageKey, MessageRow> {
        let held = self.held.lock().unwrap();
        held.rows.messages.clone().into_iter().collect()
    }

    pub(crate) fn aliases(&self) -> BTreeMap<MessageKey, Number> {
        let held = self.held.lock().unwrap();
        held.rows.aliases.clone().into_iter().collect()
    }

    /// Every count equals the live rows it counts.
    pub(crate) fn counts_are_exact(&self) -> bool {
        let held = self.held.lock().unwrap();
        let mut counted: HashMap<Counted, i64> = HashMap::new();
        for row in held.rows.chats.values().filter(|row| row.is_live()) {
            *counted.entry(Counted::ChatsOf(row.key.app)).or_default() += 1;
        }
        for row in held.rows.messages.values().filter(|row| row.is_live()) {
            *counted
                .entry(Counted::MessagesOf(row.key.chat))
                .or_default() += 1;
        }
        let mut said = held.counts.clone();
        said.retain(|_, n| *n != 0);
        said == counted
    }
}

impl Held {
    /// What a store reads for these keys, and no more.
    fn read(&self, keys: &Keys) -> Existing {
        let Existing {
            apps,
            chats,
            messages,
            aliases,
        } = &self.rows;
        let mut existing = Existing::default();
        let named = |key: &MessageKey, row: &MessageRow| {
            keys.messages.contains(key) || row.uid.is_some_and(|uid| keys.uids.contains(&uid))
        };
        for key in &keys.messages {
            if let Some(target) = aliases.get(key) {
                existing.aliases.insert(*key, *target);
                let target = key.chat.message(*target);
                existing.messages.insert(target, messages[&target].clone());
            }
        }
        for (key, row) in messages.iter().filter(|(key, row)| named(key, row)) {
            existing.messages.insert(*key, row.clone());
        }
        existing.apps = apps.clone();
        existing.apps.retain(|app, _| keys.apps.contains(app));
        existing.chats = chats.clone();
        existing.chats.retain(|chat, _| keys.chats.contains(chat));
        existing
    }

    fn holder(&self, uid: Uid) -> Option<MessageKey> {
        let mut rows = self.rows.messages.values();
        rows.find(|row| row.uid == Some(uid)).map(|row| row.key)
    }

    fn write(&mut self, plan: &Plan) {
        for row in &plan.new_chats {
            let old = self.rows.chats.insert(row.key, row.clone());
            assert_eq!(old, None, "a new chat where one is");
        }
        for row in &plan.changed_chats {
            let old = self.rows.chats.insert(row.key, row.clone());
            assert!(old.is_some_and(|old| old != *row), "nothing changed");
        }
        for key in &plan.removed_stubs {
            let stub = self.rows.messages.remove(key).expect("a stub is removed");
            assert_eq!(stub.uid, None, "only stubs are removed");
        }
        for row in &plan.new_messages {
            let holder = row.uid.and_then(|uid| self.holder(uid));
            assert_eq!(holder, None, "a uid in two rows");
            let old = self.rows.messages.insert(row.key, row.clone());
            assert_eq!(old, None, "a new message where one is");
        }
        for row in &plan.changed_messages {
            let old = self.rows.messages.insert(row.key, row.clone());
            assert!(old.is_some_and(|old| old != *row), "nothing changed");
        }
        for alias in &plan.new_aliases {
            let target = alias.key.chat.message(alias.target);
            assert!(self.rows.messages.contains_key(&target), "leads nowhere");
            assert!(!self.rows.messages.contains_key(&alias.key), "and is a row");
            let old = self.rows.aliases.insert(alias.key, alias.target);
            assert_eq!(old, None, "an alias where one is");
        }
        for LedgerEntry { counted, change } in &plan.ledger {
            *self.counts.entry(*counted).or_default() += change;
        }
        let changed = plan.new_messages.iter().chain(&plan.changed_messages);
        let told = changed.filter(|row| row.uid.is_some());
        assert!(told.clone().all(|row| plan.index.contains(&row.key)));
        let is_row = |key| {
            self.rows
                .messages
                .get(key)
                .is_some_and(|row| row.uid.is_some())
        };
        assert!(
            plan.index.iter().all(is_row),
            "the index is told of rows only"
        );
    }
}

#[async_trait]
impl Writer for MemoryRows {
    async fn apply(&self, keys: &Keys, plan: &Planner<'_>) -> Result<Plan> {
        let mut held = self.held.lock().unwrap();
        held.transactions += 1;
        let plan = plan(&held.read(keys));
        let is_poison = |row: &MessageRow| {
            row.content
                .as_ref()
                .is_some_and(|content| content.as_str() == POISON)
        };
        match held.endings.pop_front() {
            Some(Ending::Fails(error)) => return Err(error),
            Some(Ending::CommitsSilently) => {
                held.write(&plan);
                return Err(Error::OutcomeUnknown {
                    number: None,
                    uid: None,
                });
            }
            Some(Ending::Works) | None => {}
        }
        if plan.new_messages.iter().any(is_poison) {
            let problem = Problem::new("is poison", "send something else");
            return Err(Error::invalid("content", problem));
        }
        held.write(&plan);
        Ok(plan)
    }
}
