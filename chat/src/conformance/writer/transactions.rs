//! One transaction: what it sees, that nobody changes it meanwhile, and that it is all or nothing.

use crate::conformance::fixture::{
    NOW, Store, Tenant, again, content, create_message, delete_message, edit_message, live,
    new_uid, number,
};
use crate::error::Error;
use crate::event::{Command, CreateMessage};
use crate::model::{AppId, Rev, State};
use crate::ops::persist;
use crate::ports::{Found, Planner};
use crate::rows::{Alias, Counted, Existing, Keys, LedgerEntry, MessageRow, Outcome, Plan};
use futures::future::join_all;
use std::collections::BTreeSet;
use std::sync::Mutex;

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
        apps: [tenant.app(), AppId::from_random(rand::random())].into(),
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
        let planner: &Planner = &look;
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
