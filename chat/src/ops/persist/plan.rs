//! Deciding: commands and the rows that are there become a `Plan`.

use crate::event::{
    Command, CreateChat, CreateMessage, DeleteChat, DeleteMessage, EditChat, EditMessage,
};
use crate::model::{ChatKey, MessageKey, Millis, Number, Rev, State, Uid};
use crate::rows::{
    Alias, ChatRow, Counted, Existing, Keys, LedgerEntry, MessageRow, Outcome, Plan,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What must be read and locked before `plan` can decide on these commands.
pub fn keys(commands: &[Command]) -> Keys {
    let mut keys = Keys::default();
    for command in commands {
        match command {
            Command::CreateMessage(create) => {
                keys.messages.insert(create.key);
                keys.uids.insert(create.uid);
            }
            Command::EditMessage(edit) => drop(keys.messages.insert(edit.key)),
            Command::DeleteMessage(delete) => drop(keys.messages.insert(delete.key)),
            Command::CreateChat(create) => drop(keys.chats.insert(create.key)),
            Command::EditChat(edit) => drop(keys.chats.insert(edit.key)),
            Command::DeleteChat(delete) => drop(keys.chats.insert(delete.key)),
            Command::IndexRows(_) => {}
        }
        keys.apps.extend(command.app());
    }
    let parents: BTreeSet<ChatKey> = keys.messages.iter().map(|message| message.chat).collect();
    keys.chats.extend(parents);
    keys
}

/// Carries out `commands` in order on what `existing` says. Index commands are not for the store; they
/// come out `Unchanged`.
pub fn plan(commands: &[Command], existing: &Existing, now: Millis) -> Plan {
    let mut work = Work::over(existing, now);
    let outcomes = commands
        .iter()
        .map(|command| work.carry_out(command))
        .collect();
    work.into_plan(outcomes)
}

/// The rows as they are after the commands so far. Sorted maps: the same batch gives the same plan.
struct Work<'a> {
    before: &'a Existing,
    now: Millis,
    chats: BTreeMap<ChatKey, ChatRow>,
    messages: BTreeMap<MessageKey, MessageRow>,
    removed: BTreeSet<MessageKey>,
    aliases: BTreeMap<MessageKey, Number>,
    by_uid: HashMap<Uid, MessageKey>,
    index: BTreeSet<MessageKey>,
}

impl<'a> Work<'a> {
    fn over(before: &'a Existing, now: Millis) -> Self {
        let by_uid = before
            .messages
            .values()
            .filter_map(|row| Some((row.uid?, row.key)))
            .collect();
        Self {
            before,
            now,
            chats: BTreeMap::new(),
            messages: BTreeMap::new(),
            removed: BTreeSet::new(),
            aliases: BTreeMap::new(),
            by_uid,
            index: BTreeSet::new(),
        }
    }

    fn carry_out(&mut self, command: &Command) -> Outcome {
        let alive = command
            .app()
            .is_none_or(|app| self.before.apps.get(&app) == Some(&State::Live));
        if !alive {
            return Outcome::ApplicationDeleted;
        }
        match command {
            Command::CreateChat(create) => self.create_chat(create),
            Command::EditChat(edit) => self.edit_chat(edit),
            Command::DeleteChat(delete) => self.delete_chat(delete),
            Command::CreateMessage(create) => self.create_message(create),
            Command::EditMessage(edit) => self.edit_message(edit),
            Command::DeleteMessage(delete) => self.delete_message(delete),
            Command::IndexRows(_) => Outcome::Unchanged,
        }
    }

    // ------------------------------------------------------------------------------------------ chats

    fn chat(&self, key: ChatKey) -> Option<&ChatRow> {
        self.chats.get(&key).or_else(|| self.before.chats.get(&key))
    }

    fn create_chat(&mut self, create: &CreateChat) -> Outcome {
        let stub = match self.chat(create.key) {
            Some(row) if row.uid == Some(create.uid) => return Outcome::Same,
            Some(row) if row.uid.is_some() => return Outcome::Collision,
            stub => stub.cloned(),
        };
        let outcome = if stub.is_some() {
            Outcome::Filled
        } else {
            Outcome::New
        };
        let mut row = stub.unwrap_or_else(|| chat_stub(create.key, create.accepted_at));
        row.uid = Some(create.uid);
        row.fingerprint = Some(create.fingerprint);
        row.created_at = create.accepted_at;
        if row.rev == Rev::CREATED {
            row.updated_at = create.accepted_at;
        }
        if row.state == State::Live {
            if row.name_rev == Rev::CREATED {
                row.name.clone_from(&create.name);
            }
            if row.metadata_rev == Rev::CREATED {
                row.metadata.clone_from(&create.metadata);
            }
        }
        self.chats.insert(row.key, row);
        outcome
    }

    fn edit_chat(&mut self, edit: &EditChat) -> Outcome {
        self.change_chat(edit.key, edit.rev, edit.accepted_at, |row| {
            let live = row.state == State::Live;
            if let Some(name) = &edit.name {
                apply(&mut row.name, &mut row.name_rev, edit.rev, name, live);
            }
            if let Some(metadata) = &edit.metadata {
                apply(
                    &mut row.metadata,
                    &mut row.metadata_rev,
                    edit.rev,
                    metadata,
                    live,
                );
            }
        })
    }

    fn delete_chat(&mut self, delete: &DeleteChat) -> Outcome {
        self.change_chat(delete.key, delete.rev, delete.accepted_at, |row| {
            row.state = State::Deleted;
            row.name = None;
            row.metadata = None;
        })
    }

    fn change_chat(
        &mut self,
        key: ChatKey,
        rev: Rev,
        at: Millis,
        change: impl FnOnce(&mut ChatRow),
    ) -> Outcome {
        let before = self.chat(key).cloned();
        let mut row = before.clone().unwrap_or_else(|| chat_stub(key, at));
        change(&mut row);
        if rev > row.rev {
            row.rev = rev;
            row.updated_at = at;
        }
        if before.as_ref() == Some(&row) {
            return Outcome::Unchanged;
        }
        self.chats.insert(key, row);
        Outcome::Applied
    }

    /// A message may come before its chat: the chat gets a stub that takes messages and is not counted.
    fn ensure_chat(&mut self, key: ChatKey, at: Millis) {
        if self.chat(key).is_none() {
            self.chats.insert(key, chat_stub(key, at));
        }
    }

    // --------------------------------------------------------------------------------------- messages

    fn message(&self, key: MessageKey) -> Option<&MessageRow> {
        if self.removed.contains(&key) {
            return None;
        }
        self.messages
            .get(&key)
            .or_else(|| self.before.messages.get(&key))
    }

    fn alias(&self, key: MessageKey) -> Option<MessageKey> {
        let target = self
            .aliases
            .get(&key)
            .or_else(|| self.before.aliases.get(&key))?;
        Some(key.chat.message(*target))
    }

    fn create_message(&mut self, create: &CreateMessage) -> Outcome {
        self.ensure_chat(create.key.chat, create.accepted_at);
        if let Some(&home) = self.by_uid.get(&create.uid) {
            if home == create.key || self.alias(create.key) == Some(home) {
                self.index.insert(home);
                return Outcome::Same;
            }
            return self.add_alias(create.key, home);
        }
        let holder = self.message(create.key);
        if self.alias(create.key).is_some() || holder.is_some_and(|row| row.uid.is_some()) {
            return Outcome::Collision;
        }
        let stub = holder.cloned();
        let outcome = if stub.is_some() {
            Outcome::Filled
        } else {
            Outcome::New
        };
        let mut row = stub.unwrap_or_else(|| message_stub(create.key, create.accepted_at));
        fill(&mut row, create, self.now);
        self.by_uid.insert(create.uid, row.key);
        self.put_message(row);
        outcome
    }

    /// The uid lives at `home`: `key` now leads there, and what came for a row at `key` goes to `home`.
    fn add_alias(&mut self, key: MessageKey, home: MessageKey) -> Outcome {
        // A uid is made from the chat, so `home` in another chat is another message with a forged id;
        // an alias cannot lead out of its chat.
        let holder = self.message(key);
        let taken = self.alias(key).is_some() || holder.is_some_and(|row| row.uid.is_some());
        if taken || home.chat != key.chat {
            return Outcome::Collision;
        }
        if let Some(stub) = holder.cloned() {
            let mut target = self
                .message(home)
                .expect("by_uid holds keys of rows only")
                .clone();
            merge(&mut target, &stub);
            self.messages.remove(&key);
            if self.before.messages.contains_key(&key) {
                self.removed.insert(key);
            }
            self.put_message(target);
        }
        self.aliases.insert(key, home.number);
        self.index.insert(home);
        Outcome::Aliased
    }

    fn edit_message(&mut self, edit: &EditMessage) -> Outcome {
        self.change_message(edit.key, edit.rev, edit.accepted_at, |row| {
            let live = row.state == State::Live;
            if let Some(content) = &edit.content {
                apply(
                    &mut row.content,
                    &mut row.content_rev,
                    edit.rev,
                    &Some(content.clone()),
                    live,
                );
            }
            if let Some(metadata) = &edit.metadata {
                apply(
                    &mut row.metadata,
                    &mut row.metadata_rev,
                    edit.rev,
                    metadata,
                    live,
                );
            }
        })
    }

    fn delete_message(&mut self, delete: &DeleteMessage) -> Outcome {
        self.change_message(delete.key, delete.rev, delete.accepted_at, blank)
    }

    fn change_message(
        &mut self,
        key: MessageKey,
        rev: Rev,
        at: Millis,
        change: impl FnOnce(&mut MessageRow),
    ) -> Outcome {
        self.ensure_chat(key.chat, at);
        let key = self.alias(key).unwrap_or(key);
        let before = self.message(key).cloned();
        let mut row = before.clone().unwrap_or_else(|| message_stub(key, at));
        change(&mut row);
        if rev > row.rev {
            row.rev = rev;
            row.updated_at = at;
        }
        if before.as_ref() == Some(&row) {
            // It may have been carried out by a worker that died before it told the index.
            if row.uid.is_some() {
                self.index.insert(key);
            }
            return Outcome::Unchanged;
        }
        self.put_message(row);
        Outcome::Applied
    }

    fn put_message(&mut self, row: MessageRow) {
        if row.uid.is_some() {
            self.index.insert(row.key);
        }
        self.removed.remove(&row.key);
        self.messages.insert(row.key, row);
    }

    // ---------------------------------------------------------------------------------------- the plan

    fn into_plan(self, outcomes: Vec<Outcome>) -> Plan {
        let Self {
            before,
            now: _,
            chats,
            messages,
            removed,
            aliases,
            by_uid: _,
            index,
        } = self;
        let mut plan = Plan {
            outcomes,
            index: index.into_iter().collect(),
            ..Plan::default()
        };
        let mut changes: BTreeMap<Counted, i64> = BTreeMap::new();
        for (key, row) in chats {
            let old = before.chats.get(&key);
            *changes.entry(Counted::ChatsOf(key.app)).or_default() +=
                difference(old.is_some_and(ChatRow::is_live), row.is_live());
            match old {
                None => plan.new_chats.push(row),
                Some(old) if *old != row => plan.changed_chats.push(row),
                Some(_) => {}
            }
        }
        for (key, row) in messages {
            let old = before.messages.get(&key);
            *changes.entry(Counted::MessagesOf(key.chat)).or_default() +=
                difference(old.is_some_and(MessageRow::is_live), row.is_live());
            match old {
                None => plan.new_messages.push(row),
                Some(old) if *old != row => plan.changed_messages.push(row),
                Some(_) => {}
            }
        }
        plan.removed_stubs = removed.into_iter().collect();
        plan.new_aliases = aliases
            .into_iter()
            .map(|(key, target)| Alias { key, target })
            .collect();
        plan.ledger = changes
            .into_iter()
            .filter(|(_, change)| *change != 0)
            .map(|(counted, change)| LedgerEntry { counted, change })
            .collect();
        plan
    }
}

fn difference(was_live: bool, is_live: bool) -> i64 {
    i64::from(is_live) - i64::from(was_live)
}

/// Writes a field iff `rev` is higher than the field's own; a deleted row keeps only the revision.
fn apply<T: Clone>(
    field: &mut Option<T>,
    field_rev: &mut Rev,
    rev: Rev,
    value: &Option<T>,
    live: bool,
) {
    if rev > *field_rev {
        *field_rev = rev;
        if live {
            field.clone_from(value);
        }
    }
}

fn blank(row: &mut MessageRow) {
    row.state = State::Deleted;
    row.content = None;
    row.author = None;
    row.metadata = None;
}

fn fill(row: &mut MessageRow, create: &CreateMessage, now: Millis) {
    row.uid = Some(create.uid);
    row.fingerprint = Some(create.fingerprint);
    row.reply_to = create.reply_to;
    row.created_at = create.created_at;
    row.accepted_at = create.accepted_at;
    row.stored_at = now;
    if row.rev == Rev::CREATED {
        row.updated_at = create.accepted_at;
    }
    if row.state == State::Deleted {
        return;
    }
    row.author.clone_from(&create.author);
    if row.content_rev == Rev::CREATED {
        row.content = Some(create.content.clone());
    }
    if row.metadata_rev == Rev::CREATED {
        row.metadata.clone_from(&create.metadata);
    }
}

/// What was done to a stub is done to the row its number turned out to mean.
fn merge(target: &mut MessageRow, stub: &MessageRow) {
    let live = target.state == State::Live;
    apply(
        &mut target.content,
        &mut target.content_rev,
        stub.content_rev,
        &stub.content,
        live,
    );
    apply(
        &mut target.metadata,
        &mut target.metadata_rev,
        stub.metadata_rev,
        &stub.metadata,
        live,
    );
    if stub.rev > target.rev {
        target.rev = stub.rev;
        target.updated_at = stub.updated_at;
    }
    if stub.state == State::Deleted {
        blank(target);
    }
}

fn chat_stub(key: ChatKey, at: Millis) -> ChatRow {
    ChatRow {
        key,
        uid: None,
        fingerprint: None,
        name: None,
        name_rev: Rev::CREATED,
        metadata: None,
        metadata_rev: Rev::CREATED,
        state: State::Live,
        rev: Rev::CREATED,
        created_at: at,
        updated_at: at,
    }
}

fn message_stub(key: MessageKey, at: Millis) -> MessageRow {
    MessageRow {
        key,
        uid: None,
        fingerprint: None,
        author: None,
        content: None,
        content_rev: Rev::CREATED,
        metadata: None,
        metadata_rev: Rev::CREATED,
        reply_to: None,
        state: State::Live,
        rev: Rev::CREATED,
        created_at: at,
        accepted_at: at,
        stored_at: at,
        updated_at: at,
    }
}
