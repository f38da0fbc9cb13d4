//! Rows and plans of model X2b in a few bytes, and as the library knows them.

use super::commands;
use chat::event::Command;
use chat::model::{AppId, Content, Millis, Name, Number, Rev, State};
use chat::ops::persist;
use chat::rows::{ChatRow, Counted, Existing, MessageRow, Outcome, Plan};

/// Message numbers 1 and 2; number 0 stands for none.
pub(super) const NUMBERS: usize = 3;
/// The only moment there is: nothing here is about time.
pub(super) const NOW: Millis = Millis::new(1);

/// What is stored, or the part of it that somebody read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Rows {
    pub(super) chat: Option<Row>,
    pub(super) messages: [Option<Row>; NUMBERS],
    pub(super) aliases: [u8; NUMBERS],
}

/// A chat or a message; its text is its name or content. Text and metadata 0 stand for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Row {
    pub(super) created: bool,
    pub(super) deleted: bool,
    pub(super) text: u8,
    pub(super) text_rev: u8,
    pub(super) metadata: u8,
    pub(super) metadata_rev: u8,
    pub(super) rev: u8,
}

/// A plan.
#[derive(Clone, Copy, Default)]
pub(super) struct Writes {
    pub(super) inserted: Rows,
    pub(super) updated: Rows,
    pub(super) removed: [bool; NUMBERS],
    pub(super) chats: i64,
    pub(super) messages: i64,
    /// Bit n: message n.
    pub(super) index: u8,
    pub(super) collision: bool,
}

impl Row {
    pub(super) fn is_live(&self) -> bool {
        self.created && !self.deleted
    }

    /// As a cascade leaves it.
    pub(super) fn blank(self) -> Self {
        Self {
            deleted: true,
            text: 0,
            metadata: 0,
            ..self
        }
    }
}

impl Rows {
    /// What these commands read, by the keys the library names.
    pub(super) fn named_by(&self, commands: &[Command]) -> Self {
        let keys = persist::keys(commands);
        let mut seen = Self {
            chat: self.chat,
            ..Self::default()
        };
        for number in keys.messages.iter().map(|key| index(key.number)) {
            let target = self.aliases[number];
            seen.aliases[number] = target;
            seen.messages[number] = self.messages[number];
            seen.messages[usize::from(target)] = self.messages[usize::from(target)];
        }
        if let Some(home) = self.home().filter(|_| !keys.uids.is_empty()) {
            seen.messages[home] = self.messages[home];
        }
        seen
    }

    /// The number under which the message is stored.
    pub(super) fn home(&self) -> Option<usize> {
        self.messages
            .iter()
            .position(|row| row.is_some_and(|row| row.created))
    }

    /// The row a number leads to.
    pub(super) fn resolve(&self, number: Number) -> Option<Row> {
        match self.aliases[index(number)] {
            0 => self.messages[index(number)],
            target => self.messages[usize::from(target)],
        }
    }

    /// The rows after a transaction; `None` if it finds a row where it inserts one.
    pub(super) fn written(&self, writes: &Writes) -> Option<Self> {
        let mut rows = *self;
        write(&mut rows.chat, writes.inserted.chat, writes.updated.chat)?;
        for number in 1..NUMBERS {
            if writes.removed[number] {
                rows.messages[number] = None;
            }
            write(
                &mut rows.messages[number],
                writes.inserted.messages[number],
                writes.updated.messages[number],
            )?;
            let (alias, new) = (&mut rows.aliases[number], writes.inserted.aliases[number]);
            if *alias != 0 && new != 0 {
                return None;
            }
            *alias = (*alias).max(new);
        }
        // The unique index on the uid.
        let same_uid = rows
            .messages
            .iter()
            .flatten()
            .filter(|row| row.created)
            .count();
        (same_uid <= 1).then_some(rows)
    }

    pub(super) fn to_existing(self) -> Existing {
        let mut existing = Existing::default();
        existing.apps.insert(app(), State::Live);
        existing
            .chats
            .extend(self.chat.map(|row| (commands::chat(), row.to_chat())));
        for number in 1..=2 {
            let (key, place) = (commands::message(number), usize::from(number));
            existing
                .messages
                .extend(self.messages[place].map(|row| (key, row.to_message(number))));
            if self.aliases[place] != 0 {
                existing
                    .aliases
                    .insert(key, commands::number(self.aliases[place]));
            }
        }
        existing
    }
}

/// `None` if a row is inserted where one is; an update changes nothing where none is.
fn write(row: &mut Option<Row>, inserted: Option<Row>, updated: Option<Row>) -> Option<()> {
    if row.is_some() && inserted.is_some() {
        return None;
    }
    *row = inserted.or(*row);
    *row = row.and(updated.or(*row));
    Some(())
}

impl Writes {
    pub(super) fn of(plan: &Plan) -> Self {
        let Plan {
            new_chats,
            changed_chats,
            new_messages,
            changed_messages,
            removed_stubs,
            new_aliases,
            ledger,
            outcomes,
            index: to_index,
        } = plan;
        let mut writes = Self {
            collision: outcomes.contains(&Outcome::Collision),
            ..Self::default()
        };
        writes.inserted.chat = new_chats.first().map(Row::of_chat);
        writes.updated.chat = changed_chats.first().map(Row::of_chat);
        for row in new_messages {
            writes.inserted.messages[index(row.key.number)] = Some(Row::of_message(row));
        }
        for row in changed_messages {
            writes.updated.messages[index(row.key.number)] = Some(Row::of_message(row));
        }
        for key in removed_stubs {
            writes.removed[index(key.number)] = true;
        }
        for alias in new_aliases {
            writes.inserted.aliases[index(alias.key.number)] = small(alias.target);
        }
        for entry in ledger {
            match entry.counted {
                Counted::ChatsOf(_) => writes.chats += entry.change,
                Counted::MessagesOf(_) => writes.messages += entry.change,
            }
        }
        for key in to_index {
            writes.index |= 1 << small(key.number);
        }
        writes
    }
}

// ------------------------------------------------------------------------------------------ there and back

pub(super) fn index(number: Number) -> usize {
    small(number).into()
}

fn small(number: Number) -> u8 {
    number.get().try_into().expect("numbers here are small")
}

fn app() -> AppId {
    commands::chat().app
}

impl Row {
    fn to_chat(self) -> ChatRow {
        ChatRow {
            key: commands::chat(),
            uid: self.created.then(|| commands::uid(1)),
            fingerprint: self.created.then(commands::fingerprint),
            name: (self.text != 0).then(|| commands::name(self.text)),
            name_rev: Rev::from_stored(self.text_rev.into()),
            metadata: (self.metadata != 0).then(|| commands::metadata(self.metadata)),
            metadata_rev: Rev::from_stored(self.metadata_rev.into()),
            state: self.state(),
            rev: Rev::from_stored(self.rev.into()),
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn of_chat(row: &ChatRow) -> Self {
        Self {
            created: row.uid.is_some(),
            deleted: row.state == State::Deleted,
            text: row
                .name
                .as_ref()
                .map_or(0, |name| value(Name::as_str(name))),
            text_rev: commands::small(row.name_rev),
            metadata: row.metadata.as_ref().map_or(0, commands::value_of),
            metadata_rev: commands::small(row.metadata_rev),
            rev: commands::small(row.rev),
        }
    }

    fn to_message(self, number: u8) -> MessageRow {
        MessageRow {
            key: commands::message(number),
            uid: self.created.then(|| commands::uid(2)),
            fingerprint: self.created.then(commands::fingerprint),
            author: None,
            content: (self.text != 0).then(|| commands::content(self.text)),
            content_rev: Rev::from_stored(self.text_rev.into()),
            metadata: (self.metadata != 0).then(|| commands::metadata(self.metadata)),
            metadata_rev: Rev::from_stored(self.metadata_rev.into()),
            reply_to: None,
            state: self.state(),
            rev: Rev::from_stored(self.rev.into()),
            created_at: NOW,
            accepted_at: NOW,
            stored_at: NOW,
            updated_at: NOW,
        }
    }

    fn of_message(row: &MessageRow) -> Self {
        Self {
            created: row.uid.is_some(),
            deleted: row.state == State::Deleted,
            text: row
                .content
                .as_ref()
                .map_or(0, |content| value(Content::as_str(content))),
            text_rev: commands::small(row.content_rev),
            metadata: row.metadata.as_ref().map_or(0, commands::value_of),
            metadata_rev: commands::small(row.metadata_rev),
            rev: commands::small(row.rev),
        }
    }

    fn state(self) -> State {
        if self.deleted {
            State::Deleted
        } else {
            State::Live
        }
    }
}

fn value(digits: &str) -> u8 {
    digits.parse().expect("text was made from a value")
}
