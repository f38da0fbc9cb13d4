//! What every `Writer` promises, one function per promise.
//!
//! What commands do to rows is the rules' business and tested there; here it is that a store reads,
//! locks, writes and commits as the rules need it.

use super::fixture::{
    NOW, Store, Tenant, again, content, create_chat, create_message, delete_chat, delete_message,
    edit_message, live, new_uid, number,
};
use crate::error::Error;
use crate::event::{Command, CreateMessage, EditChat};
use crate::model::{Author, Chat, Content, Message, Metadata, Name, Rev, State};
use crate::ops::persist;
use crate::ports::Found;
use crate::rows::{Alias, Counted, Existing, Keys, LedgerEntry, MessageRow, Outcome, Plan};
use futures::future::join_all;
use std::collections::BTreeSet;
use std::sync::Mutex;

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

pub async fn many_writers_of_the_same_commands_store_each_once(store: Store) {
    let tenant = Tenant::with_chats(&store, 2).await;
    let commands: Vec<Command> = (1..=60)
        .flat_map(|n| {
            let key = tenant.message(n % 2 + 1, n);
            let mut commands = vec![Command::CreateMessage(create_message(key, "first"))];
            if n % 3 == 0 {
                let rev = i64::try_from(n).expect("it is small");
                commands.push(edit_message(key, rev, "second"));
            }
            if n % 5 == 0 {
                let rev = 100 + i64::try_from(n).expect("it is small");
                commands.push(delete_message(key, rev));
            }
            commands
        })
        .collect();
    let writers = (0..8).map(|writer| {
        let (store, mut commands) = (store.clone(), commands.clone());
        commands.rotate_left(writer * 11);
        if writer % 2 == 1 {
            commands.reverse();
        }
        tokio::spawn(async move {
            let mut outcomes = Vec::new();
            for batch in commands.chunks(13) {
                outcomes.extend(store.carry_out(batch).await);
            }
            outcomes
        })
    });
    let outcomes: Vec<Outcome> = join_all(writers)
        .await
        .into_iter()
        .flat_map(|outcomes| outcomes.expect("no writer panics"))
        .collect();
    let stored = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Outcome::New | Outcome::Filled));
    assert_eq!(stored.count(), 60, "each message became a row once");
    for n in 1..=60 {
        let found = tenant.read(n % 2 + 1, n).await;
        match (n % 5 == 0, n % 3 == 0) {
            (true, _) => assert_eq!(found, Found::Deleted),
            (false, edited) => {
                let text = if edited { "second" } else { "first" };
                assert_eq!(live(found).content, content(text));
            }
        }
    }
    let counts = (
        tenant.messages_count(1).await,
        tenant.messages_count(2).await,
    );
    assert_eq!(counts, (24, 24));
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

pub async fn a_plan_sees_exactly_what_its_keys_name(store: Store) {
    let tenant = Tenant::with_chats(&store, 2).await;
    let said = tenant.say(1, [1, 2, 3]).await;
    let alias = CreateMessage {
        key: tenant.message(1, 7),
        ..said[0].clone()
    };
    tenant.carry_out([Command::CreateMessage(alias)]).await;
    tenant
        .carry_out([edit_message(tenant.message(1, 9), 1, "stub")])
        .await;
    let foreign = Tenant::with_chats(&store, 1).await;
    foreign.say(1, [1]).await;
    let keys = Keys {
        apps: [
            tenant.app(),
            crate::model::AppId::from_random(rand::random()),
        ]
        .into(),
        chats: [tenant.chat(2), tenant.chat(3)].into(),
        messages: [7, 9, 11].map(|n| tenant.message(1, n)).into(),
        uids: [said[1].uid, new_uid()].into(),
    };
    let seen = Mutex::new(Existing::default());
    let look = |existing: &Existing| {
        *seen.lock().expect("no panic under this lock") = existing.clone();
        Plan::default()
    };
    let seen = {
        let planner: &crate::ports::Planner = &look;
        again(|| store.writer.apply(&keys, planner)).await;
        seen.lock().expect("no panic under this lock").clone()
    };
    assert_eq!(seen.apps, [(tenant.app(), State::Live)].into());
    assert_eq!(seen.chats.keys().collect::<Vec<_>>(), [&tenant.chat(2)]);
    let messages: BTreeSet<_> = seen.messages.keys().copied().collect();
    // The target of the alias, the row of the uid, and the stub.
    assert_eq!(messages, [1, 2, 9].map(|n| tenant.message(1, n)).into());
    assert_eq!(seen.aliases, [(tenant.message(1, 7), number(1))].into());
    let stub = &seen.messages[&tenant.message(1, 9)];
    assert_eq!((stub.uid, &stub.content), (None, &Some(content("stub"))));
}

pub async fn what_a_plan_decides_on_does_not_change_under_it(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    tenant.say(1, [1]).await;
    let key = tenant.message(1, 1);
    let keys = Keys {
        messages: [key].into(),
        ..Keys::default()
    };
    // Not how edits work: a lost update would show in the sum.
    let raise = move |existing: &Existing| {
        let mut row = existing.messages[&key].clone();
        row.rev = row.rev.next();
        Plan {
            changed_messages: vec![row],
            ..Plan::default()
        }
    };
    let writers = (0..8).map(|_| {
        let (store, keys) = (store.clone(), keys.clone());
        tokio::spawn(async move {
            for _ in 0..10 {
                again(|| store.writer.apply(&keys, &raise)).await;
            }
        })
    });
    for writer in join_all(writers).await {
        writer.expect("no writer panics");
    }
    assert_eq!(live(tenant.read(1, 1).await).rev, Rev::from_stored(80));
}

pub async fn a_plan_that_clashes_writes_nothing_at_all(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    let create = create_message(tenant.message(1, 1), "text");
    let keys = persist::keys(&[Command::CreateMessage(create.clone())]);
    let counted = Counted::MessagesOf(tenant.chat(1));
    let clash = |existing: &Existing| {
        let mut plan = persist::plan(&[Command::CreateMessage(create.clone())], existing, NOW);
        let same_uid = MessageRow {
            key: tenant.message(1, 2),
            ..plan.new_messages[0].clone()
        };
        plan.new_messages.push(same_uid);
        plan.new_aliases.push(Alias {
            key: tenant.message(1, 3),
            target: number(1),
        });
        plan.ledger.push(LedgerEntry { counted, change: 5 });
        plan
    };
    let refused = store.writer.apply(&keys, &clash).await;
    assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
    for n in 1..=3 {
        assert_eq!(tenant.read(1, n).await, Found::Absent);
    }
    assert_eq!(tenant.messages_count(1).await, 0);
    tenant.say(1, [1, 2, 3]).await;
    assert_eq!(tenant.messages_count(1).await, 3);
}

pub async fn a_write_that_is_dropped_half_way_leaves_all_or_nothing(store: Store) {
    let tenant = Tenant::with_chats(&store, 1).await;
    const BATCH: u64 = 20;
    for round in 0..24 {
        let first = round * BATCH + 1;
        let creates: Vec<Command> = (first..first + BATCH)
            .map(|n| Command::CreateMessage(create_message(tenant.message(1, n), "text")))
            .collect();
        let writing = tokio::spawn({
            let store = store.clone();
            async move { store.carry_out(&creates).await }
        });
        // A few steps further each time, from before the first statement on.
        for _ in 0..round * 3 {
            tokio::task::yield_now().await;
        }
        writing.abort();
        let _ = writing.await;
    }
    // The next writer finds no lock left behind, and waits for none of the dropped ones.
    tenant.say(1, [10_000]).await;
    let mut stored = 1;
    for round in 0..24 {
        let first = round * BATCH + 1;
        let mut there = 0;
        for n in first..first + BATCH {
            there += u64::from(tenant.read(1, n).await != Found::Absent);
        }
        assert!(there == 0 || there == BATCH, "{there} of {BATCH} rows");
        stored += there;
    }
    assert_eq!(tenant.messages_count(1).await, stored);
}
