//! What every `Writer` promises, one function per promise.
//!
//! What commands do to rows is the rules' business and tested there; here it is that a store reads,
//! locks, writes and commits as the rules need it.

mod transactions;

pub use transactions::*;

use super::fixture::{
    NOW, Store, Tenant, content, create_chat, create_message, delete_chat, delete_message,
    edit_message, live, number,
};
use crate::event::{Command, CreateMessage, EditChat};
use crate::model::{Author, Chat, Content, Message, Metadata, Name, Rev};
use crate::ports::Found;
use crate::rows::Outcome;

pub async fn a_message_reads_back_as_it_was_written(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let texts = [
        "x",
        "'; DROP TABLE messages; --",
        "日本語 👩‍👩‍👧 \n\t end",
        "%_\\\"",
    ];
    let long = "é".repeat(10_000);
    for (n, text) in texts.into_iter().chain([long.as_str()]).enumerate() {
        let n = n as u64 + 1;
        let create = CreateMessage {
            author: n
                .is_multiple_of(2)
                .then(|| Author::parse("Ödön 🚀").expect("it is an author")),
            metadata: Some(Metadata::parse(r#"{"b":[1,{"a":"'"}],"a":null}"#).expect("JSON")),
            reply_to: (n > 1).then(|| number(n - 1)),
            created_at: NOW.plus(-1_000),
            accepted_at: NOW.plus(3),
            ..create_message(tenant.message(1, n), text)
        };
        let outcomes = tenant
            .carry_out([Command::CreateMessage(create.clone())])
            .await;
        assert_eq!(outcomes, [Outcome::New]);
        let stored = live(tenant.read(1, n).await);
        let expected = Message {
            number: create.key.number,
            uid: create.uid,
            chat: number(1),
            content: create.content,
            author: create.author,
            metadata: create.metadata,
            reply_to: create.reply_to,
            rev: Rev::CREATED,
            created_at: create.created_at,
            stored_at: stored.stored_at,
            accepted_at: create.accepted_at,
            updated_at: create.accepted_at,
        };
        assert_eq!(stored, expected);
    }
}

pub async fn any_text_reads_back_to_the_last_bit(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let mut creates = Vec::new();
    for n in 1..=200 {
        let length = rand::random_range(1..40);
        let text: String = (0..length).map(|_| rand::random::<char>()).collect();
        let object = serde_json::json!({ "text": text }).to_string();
        let author: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
        creates.push(CreateMessage {
            // What is no valid text never gets as far as a store.
            content: Content::parse(text).unwrap_or_else(|_| content("-")),
            author: Author::parse(author).ok(),
            metadata: Metadata::parse(object).ok(),
            ..create_message(tenant.message(1, n), "-")
        });
    }
    let commands = creates.iter().cloned().map(Command::CreateMessage);
    tenant.carry_out(commands).await;
    for create in creates {
        let stored = live(tenant.read(1, create.key.number.get()).await);
        let read = (stored.content, stored.author, stored.metadata);
        assert_eq!(read, (create.content, create.author, create.metadata));
    }
}

pub async fn a_chat_reads_back_as_it_was_written(store: Store) {
    let tenant = Tenant::new(&store).await;
    let mut create = create_chat(tenant.chat(3));
    create.metadata = Some(Metadata::parse(r#"{"topic":"ünïcode"}"#).expect("JSON"));
    let edit = EditChat {
        key: create.key,
        rev: Rev::from_stored(4),
        name: Some(Some(Name::parse("new name").expect("it is a name"))),
        metadata: Some(None),
        accepted_at: NOW.plus(9),
    };
    tenant
        .carry_out([Command::CreateChat(create.clone())])
        .await;
    let read = || async { live(store.reader.chat(tenant.id, number(3)).await.expect("chat")) };
    let mut expected = Chat {
        number: number(3),
        uid: create.uid,
        name: create.name.clone(),
        metadata: create.metadata.clone(),
        messages_count: 0,
        rev: Rev::CREATED,
        created_at: NOW,
        updated_at: NOW,
    };
    assert_eq!(read().await, expected);
    tenant.carry_out([Command::EditChat(edit.clone())]).await;
    expected.name = edit.name.flatten();
    expected.metadata = None;
    expected.rev = edit.rev;
    expected.updated_at = edit.accepted_at;
    assert_eq!(read().await, expected);
}

pub async fn a_large_batch_is_stored_whole(store: Store) {
    let words = |n: u64| "word ".repeat(usize::try_from(n).expect("it is small"));
    let tenant = Tenant::new(&store).await;
    let chats = (1..=70).map(|n| Command::CreateChat(create_chat(tenant.chat(n))));
    let messages: Vec<Command> = (1..=300)
        .map(|n| create_message(tenant.message(n % 70 + 1, n), &words(n)))
        .map(Command::CreateMessage)
        .collect();
    let outcomes = tenant.carry_out(chats.chain(messages)).await;
    assert_eq!(outcomes, [Outcome::New; 370]);
    for n in 1..=300 {
        let stored = live(tenant.read(n % 70 + 1, n).await);
        assert_eq!(stored.content, content(&words(n)));
    }
    assert_eq!(tenant.chats_count().await, 70);
}

pub async fn a_command_carried_out_twice_is_one_row_counted_once(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let create = Command::CreateMessage(create_message(tenant.message(1, 1), "once"));
    let first = tenant.carry_out([create.clone(), create.clone()]).await;
    assert_eq!(first, [Outcome::New, Outcome::Same]);
    assert_eq!(tenant.carry_out([create]).await, [Outcome::Same]);
    assert_eq!(tenant.messages_count(1).await, 1);
    let delete = delete_message(tenant.message(1, 1), 1);
    let gone = tenant.carry_out([delete.clone(), delete.clone()]).await;
    assert_eq!(gone, [Outcome::Applied, Outcome::Unchanged]);
    assert_eq!(tenant.carry_out([delete]).await, [Outcome::Unchanged]);
    assert_eq!(tenant.messages_count(1).await, 0);
}

pub async fn a_message_before_its_chat_is_kept_and_not_counted_as_a_chat(store: Store) {
    let tenant = Tenant::new(&store).await;
    tenant.say(1, [1]).await;
    assert_eq!(tenant.chats_count().await, 0);
    let chat = store.reader.chat(tenant.id, number(1)).await.expect("chat");
    assert_eq!(chat, Found::Absent);
    let create = Command::CreateChat(create_chat(tenant.chat(1)));
    assert_eq!(tenant.carry_out([create]).await, [Outcome::Filled]);
    assert_eq!(tenant.chats_count().await, 1);
    assert_eq!(tenant.messages_count(1).await, 1);
}

pub async fn a_change_before_its_create_waits_for_it(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let (edited, deleted) = (tenant.message(1, 1), tenant.message(1, 2));
    tenant
        .carry_out([
            edit_message(edited, 1, "edited"),
            delete_message(deleted, 2),
        ])
        .await;
    assert_eq!(tenant.read(1, 1).await, Found::Absent);
    assert_eq!(tenant.read(1, 2).await, Found::Absent);
    assert_eq!(tenant.messages_count(1).await, 0);
    let creates = [edited, deleted].map(|key| Command::CreateMessage(create_message(key, "old")));
    let outcomes = tenant.carry_out(creates).await;
    assert_eq!(outcomes, [Outcome::Filled, Outcome::Filled]);
    assert_eq!(live(tenant.read(1, 1).await).content, content("edited"));
    assert_eq!(tenant.read(1, 2).await, Found::Deleted);
    assert_eq!(tenant.messages_count(1).await, 1);
}

pub async fn a_uid_under_a_second_number_becomes_an_alias_and_takes_its_stub_along(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let create = create_message(tenant.message(1, 1), "text");
    let again = CreateMessage {
        key: tenant.message(1, 5),
        ..create.clone()
    };
    tenant
        .carry_out([Command::CreateMessage(create.clone())])
        .await;
    tenant
        .carry_out([edit_message(again.key, 3, "edited")])
        .await;
    let outcomes = tenant
        .carry_out([Command::CreateMessage(again.clone())])
        .await;
    assert_eq!(outcomes, [Outcome::Aliased]);
    let (by_first, by_second) = (tenant.read(1, 1).await, tenant.read(1, 5).await);
    assert_eq!(by_first, by_second);
    let message = live(by_first);
    assert_eq!((message.number, message.uid), (number(1), create.uid));
    assert_eq!(message.content, content("edited"));
    assert_eq!(tenant.messages_count(1).await, 1);
    // From now on the second number is as good as the first.
    tenant
        .carry_out([edit_message(again.key, 4, "later")])
        .await;
    assert_eq!(live(tenant.read(1, 1).await).content, content("later"));
    let outcomes = tenant.carry_out([Command::CreateMessage(again)]).await;
    assert_eq!(outcomes, [Outcome::Same]);
}

pub async fn a_number_with_another_uid_stays_as_it_was(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let first = tenant.say(1, [1]).await;
    let other = create_message(tenant.message(1, 1), "other");
    let outcomes = tenant.carry_out([Command::CreateMessage(other)]).await;
    assert_eq!(outcomes, [Outcome::Collision]);
    let chat = create_chat(tenant.chat(1));
    let outcomes = tenant.carry_out([Command::CreateChat(chat)]).await;
    assert_eq!(outcomes, [Outcome::Collision]);
    let stored = live(tenant.read(1, 1).await);
    assert_eq!(
        (stored.uid, stored.content),
        (first[0].uid, first[0].content.clone())
    );
    assert_eq!(tenant.messages_count(1).await, 1);
}

pub async fn a_uid_of_another_tenant_moves_nothing(store: Store) {
    let (own, other) = (
        Tenant::with_chats(&store, 1).await,
        Tenant::with_chats(&store, 1).await,
    );
    let theirs = own.say(1, [1]).await.remove(0);
    let forged = CreateMessage {
        key: other.message(1, 1),
        ..theirs
    };
    let outcomes = other.carry_out([Command::CreateMessage(forged)]).await;
    assert_eq!(outcomes, [Outcome::Collision]);
    assert_eq!(other.read(1, 1).await, Found::Absent);
    assert_eq!(other.messages_count(1).await, 0);
    assert_eq!(own.messages_count(1).await, 1);
}

pub async fn nothing_is_stored_for_a_deleted_application(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    tenant.delete().await;
    let create = create_message(tenant.message(1, 1), "too late");
    let commands = [
        Command::CreateMessage(create.clone()),
        Command::CreateChat(create_chat(tenant.chat(2))),
        delete_chat(tenant.chat(1), 1),
    ];
    let outcomes = tenant.carry_out(commands).await;
    assert_eq!(outcomes, [Outcome::ApplicationDeleted; 3]);
    let stored = store.reader.message_by_uid(tenant.id, create.uid).await;
    assert_eq!(stored.expect("message_by_uid"), None);
}
