//! The commands of model X2b, and what is left of them in the end.

use super::rows::{NOW, Row};
use chat::event::{
    Command, CreateChat, CreateMessage, DeleteChat, DeleteMessage, EditChat, EditMessage,
};
use chat::model::{
    AppId, ChatKey, Content, Fingerprint, MessageKey, Metadata, Name, Number, Rev, Uid,
};

/// The field an edit sets: the text is a chat's name or a message's content.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Field {
    Text,
    Metadata,
}

/// What a create sets; an edit sets a value made from its rev.
const CREATED: u8 = 1;

pub(super) fn create_chat() -> Command {
    Command::CreateChat(CreateChat {
        key: chat(),
        uid: uid(1),
        fingerprint: fingerprint(),
        name: Some(name(CREATED)),
        metadata: Some(metadata(CREATED)),
        accepted_at: NOW,
    })
}

pub(super) fn edit_chat(rev: u8, field: Field) -> Command {
    Command::EditChat(EditChat {
        key: chat(),
        rev: Rev::from_stored(rev.into()),
        name: (field == Field::Text).then(|| Some(name(edited(rev)))),
        metadata: (field == Field::Metadata).then(|| Some(metadata(edited(rev)))),
        accepted_at: NOW,
    })
}

pub(super) fn delete_chat(rev: u8) -> Command {
    Command::DeleteChat(DeleteChat {
        key: chat(),
        rev: Rev::from_stored(rev.into()),
        accepted_at: NOW,
    })
}

/// Always the same message, whatever its number.
pub(super) fn create_message(number: u8) -> Command {
    Command::CreateMessage(CreateMessage {
        key: message(number),
        uid: uid(2),
        fingerprint: fingerprint(),
        content: content(CREATED),
        author: None,
        metadata: Some(metadata(CREATED)),
        reply_to: None,
        created_at: NOW,
        accepted_at: NOW,
    })
}

pub(super) fn edit_message(number: u8, rev: u8, field: Field) -> Command {
    Command::EditMessage(EditMessage {
        key: message(number),
        rev: Rev::from_stored(rev.into()),
        content: (field == Field::Text).then(|| content(edited(rev))),
        metadata: (field == Field::Metadata).then(|| Some(metadata(edited(rev)))),
        accepted_at: NOW,
    })
}

pub(super) fn delete_message(number: u8, rev: u8) -> Command {
    let rev = Rev::from_stored(rev.into());
    Command::DeleteMessage(DeleteMessage {
        key: message(number),
        rev,
        accepted_at: NOW,
    })
}

/// The chat and the message after all commands, as somebody reads it out of the rules: of each field the
/// value with the highest rev, and nothing of what was deleted.
pub(super) fn in_order(commands: &[Command]) -> (Row, Row) {
    let (mut chat, mut message) = (Row::default(), Row::default());
    for command in commands {
        match command {
            Command::CreateChat(_) => chat = created(chat),
            Command::CreateMessage(_) => message = created(message),
            Command::EditChat(edit) => set(
                &mut chat,
                edit.rev,
                edit.name.is_some(),
                edit.metadata.is_some(),
            ),
            Command::EditMessage(edit) => set(
                &mut message,
                edit.rev,
                edit.content.is_some(),
                edit.metadata.is_some(),
            ),
            Command::DeleteChat(delete) => {
                set(&mut chat, delete.rev, false, false);
                chat.deleted = true;
                message.deleted = true;
            }
            Command::DeleteMessage(delete) => {
                set(&mut message, delete.rev, false, false);
                message.deleted = true;
            }
            Command::IndexRows(_) => {}
        }
    }
    for row in [&mut chat, &mut message] {
        if row.deleted {
            (row.text, row.metadata) = (0, 0);
        }
    }
    (chat, message)
}

fn created(row: Row) -> Row {
    let text = if row.text_rev == 0 { CREATED } else { row.text };
    let metadata = if row.metadata_rev == 0 {
        CREATED
    } else {
        row.metadata
    };
    Row {
        created: true,
        text,
        metadata,
        ..row
    }
}

fn set(row: &mut Row, rev: Rev, text: bool, metadata: bool) {
    let rev = small(rev);
    if text && rev > row.text_rev {
        (row.text, row.text_rev) = (edited(rev), rev);
    }
    if metadata && rev > row.metadata_rev {
        (row.metadata, row.metadata_rev) = (edited(rev), rev);
    }
    row.rev = row.rev.max(rev);
}

// ----------------------------------------------------------------------------------- values, there and back

fn edited(rev: u8) -> u8 {
    10 + rev
}

pub(super) fn chat() -> ChatKey {
    ChatKey {
        app: AppId::from_stored(1),
        number: number(1),
    }
}

pub(super) fn message(place: u8) -> MessageKey {
    chat().message(number(place))
}

pub(super) fn number(value: u8) -> Number {
    Number::new(value.into()).expect("numbers here are small and above 0")
}

pub(super) fn uid(of: u8) -> Uid {
    Uid::from_digest([of; 16])
}

pub(super) fn fingerprint() -> Fingerprint {
    Fingerprint::of(&[])
}

pub(super) fn name(value: u8) -> Name {
    Name::parse(value.to_string()).expect("digits are a name")
}

pub(super) fn content(value: u8) -> Content {
    Content::parse(value.to_string()).expect("digits are content")
}

pub(super) fn metadata(value: u8) -> Metadata {
    Metadata::parse(format!("{{\"value\":{value}}}")).expect("this is a JSON object")
}

pub(super) fn value_of(metadata: &Metadata) -> u8 {
    let digits: String = metadata
        .as_str()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().expect("metadata was made from a value")
}

pub(super) fn small(rev: Rev) -> u8 {
    rev.get().try_into().expect("revs here are small")
}
