//! What commands do to rows does not depend on the order they come in, on how often they come, or on
//! how they are cut into batches.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::history::create_application;
use crate::memory_rows::MemoryRows;
use chat::adapters::sql::{SqlStore, open_sqlite};
use chat::event::{
    Command, CreateChat, CreateMessage, DeleteChat, DeleteMessage, EditChat, EditMessage,
};
use chat::model::{
    AppId, Author, ChatKey, Content, Fingerprint, MessageKey, Metadata, Millis, Name, Number, Rev,
    State, Uid,
};
use chat::ops::persist;
use chat::ports::Writer;
use chat::rows::{ChatRow, Existing, Keys, MessageRow, Plan};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

const APP: i64 = 7;
const CHATS: u64 = 2;
const MESSAGES: u64 = 3;
/// Where the second number of a message is that was accepted twice.
const SECOND: u64 = 10;

fn chat_key(chat: u64) -> ChatKey {
    ChatKey {
        app: AppId::from_stored(APP),
        number: Number::new(chat).unwrap(),
    }
}

fn message_key(chat: u64, message: u64) -> MessageKey {
    chat_key(chat).message(Number::new(message).unwrap())
}

fn at(moment: i64) -> Millis {
    Millis::new(1_700_000_000_000 + moment)
}

fn metadata(n: u8) -> Metadata {
    Metadata::parse(format!(r#"{{"n":{n}}}"#)).unwrap()
}

fn create_chat(chat: u64) -> Command {
    Command::CreateChat(CreateChat {
        key: chat_key(chat),
        uid: Uid::from_digest([u8::try_from(chat).unwrap(); 16]),
        fingerprint: Fingerprint::of(&[b"chat"]),
        name: Some(Name::parse("as created").unwrap()),
        metadata: None,
        accepted_at: at(1),
    })
}

/// The same message whichever of its two numbers it comes under.
fn create_message(chat: u64, message: u64, number: u64) -> Command {
    let uid = u8::try_from(100 + chat * MESSAGES + message).unwrap();
    Command::CreateMessage(CreateMessage {
        key: message_key(chat, number),
        uid: Uid::from_digest([uid; 16]),
        fingerprint: Fingerprint::of(&[b"message"]),
        content: Content::parse("as created").unwrap(),
        author: Some(Author::parse("somebody").unwrap()),
        metadata: Some(metadata(0)),
        reply_to: Number::new(1),
        created_at: at(-5),
        accepted_at: at(2),
    })
}

/// What is wanted of one chat or message; revs are given out afterwards.
#[derive(Clone, Debug)]
enum Wish {
    CreateChat(u64),
    EditChat(u64, Option<Option<u8>>, Option<Option<u8>>),
    DeleteChat(u64),
    CreateMessage(u64, u64),
    /// Chat, message, number it is known by.
    EditMessage(u64, u64, Option<u8>, Option<Option<u8>>),
    DeleteMessage(u64, u64),
}

fn command(wish: &Wish, rev: i64) -> Command {
    let (rev, accepted_at) = (Rev::from_stored(rev), at(rev));
    match *wish {
        Wish::CreateChat(chat) => create_chat(chat),
        Wish::EditChat(chat, name, edited) => Command::EditChat(EditChat {
            key: chat_key(chat),
            rev,
            name: name.map(|name| name.map(|n| Name::parse(format!("name {n}")).unwrap())),
            metadata: edited.map(|edited| edited.map(metadata)),
            accepted_at,
        }),
        Wish::DeleteChat(chat) => Command::DeleteChat(DeleteChat {
            key: chat_key(chat),
            rev,
            accepted_at,
        }),
        Wish::CreateMessage(chat, number) => create_message(chat, number % SECOND, number),
        Wish::EditMessage(chat, number, text, edited) => Command::EditMessage(EditMessage {
            key: message_key(chat, number),
            rev,
            content: text.map(|n| Content::parse(format!("edit {n}")).unwrap()),
            metadata: edited.map(|edited| edited.map(metadata)),
            accepted_at,
        }),
        Wish::DeleteMessage(chat, number) => Command::DeleteMessage(DeleteMessage {
            key: message_key(chat, number),
            rev,
            accepted_at,
        }),
    }
}

/// Commands on few chats and messages, each edit and delete with a rev of its own. `second`: messages
/// have a second number too.
fn commands(second: bool) -> impl Strategy<Value = Vec<Command>> {
    let chat = 1..=CHATS;
    let number = (1..=MESSAGES, 0..=u64::from(second)).prop_map(|(n, extra)| n + extra * SECOND);
    let value = || prop::option::of(prop::option::of(0..3u8));
    let wish = prop_oneof![
        2 => chat.clone().prop_map(Wish::CreateChat),
        2 => (chat.clone(), value(), value()).prop_map(|(c, n, m)| Wish::EditChat(c, n, m)),
        1 => chat.clone().prop_map(Wish::DeleteChat),
        6 => (chat.clone(), number.clone()).prop_map(|(c, n)| Wish::CreateMessage(c, n)),
        6 => (chat.clone(), number.clone(), prop::option::of(0..3u8), value())
            .prop_map(|(c, n, t, m)| Wish::EditMessage(c, n, t, m)),
        2 => (chat, number).prop_map(|(c, n)| Wish::DeleteMessage(c, n)),
    ];
    prop::collection::vec(wish, 1..24).prop_map(|wishes| {
        let numbered = wishes.iter().zip(1..);
        numbered.map(|(wish, rev)| command(wish, rev)).collect()
    })
}

/// Every command once, in any order, and any of them again anywhere.
fn any_order(commands: Vec<Command>) -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(any::<Index>(), 0..20)
        .prop_map(move |again| {
            let repeated = again.iter().map(|index| index.get(&commands).clone());
            commands.iter().cloned().chain(repeated).collect::<Vec<_>>()
        })
        .prop_shuffle()
}

/// Two orders of the same commands.
fn two_orders(second: bool) -> impl Strategy<Value = (Vec<Command>, Vec<Command>)> {
    commands(second).prop_flat_map(|commands| (any_order(commands.clone()), any_order(commands)))
}

/// Carries the commands out in batches of these sizes, over and over; at `now`.
fn carry_out(commands: &[Command], sizes: &[usize], now: Millis) -> MemoryRows {
    let rows = MemoryRows::with_application(AppId::from_stored(APP));
    let mut sizes = sizes.iter().copied().cycle();
    let mut left = commands;
    while !left.is_empty() {
        let size = sizes.next().unwrap().min(left.len());
        let (batch, rest) = left.split_at(size);
        left = rest;
        let keys = persist::keys(batch);
        let planner = |existing: &chat::rows::Existing| persist::plan(batch, existing, now);
        let applied = rows.apply(&keys, &planner);
        let plan = futures::executor::block_on(applied).unwrap();
        assert_eq!(plan.outcomes.len(), batch.len());
        assert!(rows.counts_are_exact(), "after {batch:?}");
    }
    rows
}

/// A chat's row without the times of a stub, which say only when somebody first spoke of it.
fn chats(rows: &MemoryRows) -> BTreeMap<ChatKey, ChatRow> {
    let mut chats = rows.chats();
    for row in chats.values_mut().filter(|row| row.uid.is_none()) {
        row.created_at = at(0);
        if row.rev == Rev::CREATED {
            row.updated_at = at(0);
        }
    }
    chats
}

/// Likewise; and without the time of storing, which is the worker's clock.
fn timeless(mut row: MessageRow) -> MessageRow {
    row.stored_at = at(0);
    if row.uid.is_none() {
        row.created_at = at(0);
        row.accepted_at = at(0);
        if row.rev == Rev::CREATED {
            row.updated_at = at(0);
        }
    }
    row
}

fn messages(rows: &MemoryRows) -> BTreeMap<MessageKey, MessageRow> {
    let messages = rows.messages().into_iter();
    messages.map(|(key, row)| (key, timeless(row))).collect()
}

/// Each message with every number that leads to it. Which of its numbers holds the row is a matter of
/// which came first; what it says is not.
fn messages_with_their_numbers(rows: &MemoryRows) -> Vec<(MessageRow, BTreeSet<MessageKey>)> {
    let aliases = rows.aliases();
    let rows = messages(rows).into_values();
    let mut all: Vec<_> = rows
        .map(|mut row| {
            let leads_here =
                |(key, target): &(&MessageKey, &Number)| key.chat.message(**target) == row.key;
            let mut numbers: BTreeSet<MessageKey> = aliases
                .iter()
                .filter(leads_here)
                .map(|(key, _)| *key)
                .collect();
            numbers.insert(row.key);
            row.key = *numbers.first().unwrap();
            (row, numbers)
        })
        .collect();
    all.sort_by_key(|(row, _)| row.key);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_order_and_repetition_of_the_same_commands_leads_to_the_same_rows(
        (first, second) in two_orders(false),
        sizes in prop::collection::vec(1..8usize, 1..4),
    ) {
        let (first, second) = (carry_out(&first, &sizes, at(50)), carry_out(&second, &[1], at(90)));
        prop_assert_eq!(chats(&first), chats(&second));
        prop_assert_eq!(messages(&first), messages(&second));
    }

    #[test]
    fn a_message_accepted_under_two_numbers_is_one_whatever_comes_first(
        (first, second) in two_orders(true),
        sizes in prop::collection::vec(1..8usize, 1..4),
    ) {
        let (first, second) = (carry_out(&first, &sizes, at(50)), carry_out(&second, &[2, 1], at(90)));
        prop_assert_eq!(chats(&first), chats(&second));
        prop_assert_eq!(messages_with_their_numbers(&first), messages_with_their_numbers(&second));
    }

    #[test]
    fn batches_cut_anywhere_do_what_one_batch_does(
        commands in commands(true).prop_flat_map(any_order),
        sizes in prop::collection::vec(1..8usize, 1..4),
    ) {
        let (whole, cut) = (carry_out(&commands, &[1_000], at(50)), carry_out(&commands, &sizes, at(50)));
        prop_assert_eq!(whole.chats(), cut.chats());
        prop_assert_eq!(whole.messages(), cut.messages());
        prop_assert_eq!(whole.aliases(), cut.aliases());
    }

    #[test]
    fn a_deleted_row_keeps_what_names_it_and_nothing_it_said(
        commands in commands(true).prop_flat_map(any_order),
    ) {
        let rows = carry_out(&commands, &[3], at(50));
        for row in rows.messages().values().filter(|row| row.state == State::Deleted) {
            prop_assert_eq!((&row.content, &row.author, &row.metadata), (&None, &None, &None));
            prop_assert!(row.rev > Rev::CREATED);
        }
        for row in rows.chats().values().filter(|row| row.state == State::Deleted) {
            prop_assert_eq!((&row.name, &row.metadata), (&None, &None));
        }
    }
}

/// What a writer holds of everything these tests speak of.
async fn everything(writer: &dyn Writer) -> Existing {
    let numbers = (1..=MESSAGES).flat_map(|n| [n, n + SECOND]);
    let messages = (1..=CHATS).flat_map(|chat| numbers.clone().map(move |n| message_key(chat, n)));
    let keys = Keys {
        apps: [AppId::from_stored(APP)].into(),
        chats: (1..=CHATS).map(chat_key).collect(),
        messages: messages.collect(),
        uids: BTreeSet::new(),
    };
    let seen = Mutex::new(Existing::default());
    let look = |existing: &Existing| {
        *seen.lock().unwrap() = existing.clone();
        Plan::default()
    };
    writer.apply(&keys, &look).await.unwrap();
    seen.into_inner().unwrap()
}

async fn on_sqlite(store: &SqlStore, commands: &[Command], sizes: &[usize], now: Millis) {
    create_application(store, AppId::from_stored(APP)).await;
    let mut sizes = sizes.iter().copied().cycle();
    let mut left = commands;
    while !left.is_empty() {
        let (batch, rest) = left.split_at(sizes.next().unwrap().min(left.len()));
        left = rest;
        let planner = |existing: &Existing| persist::plan(batch, existing, now);
        store.apply(&persist::keys(batch), &planner).await.unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_database_holds_what_the_rules_decided_to_the_last_field(
        commands in commands(true).prop_flat_map(any_order),
        sizes in prop::collection::vec(1..8usize, 1..4),
    ) {
        let memory = carry_out(&commands, &sizes, at(50));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = open_sqlite(&dir.path().join("chat.db"), None).await.unwrap();
            on_sqlite(&store, &commands, &sizes, at(50)).await;
            assert_eq!(everything(&store).await, everything(&memory).await);
            store.close().await;
        });
    }
}
