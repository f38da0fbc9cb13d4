//! An application to write for, and one command.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use chat::adapters::sql::SqlStore;
use chat::clock;
use chat::error::Result;
use chat::event::{Command, CreateChat, Queue};
use chat::model::{AppId, ChatKey, Fingerprint, KeyId, Millis, Name, Number, Token, Uid};
use chat::ops::persist::{self, Fate};
use chat::ports::{KeyRecord, NewApplication, Tenants, Writer};
use chat::rows::{Existing, Outcome, Plan};

pub(super) fn application() -> NewApplication {
    NewApplication {
        app: AppId::from_random(rand::random()),
        token: Token::from_random(rand::random()),
        name: Name::parse("name").unwrap(),
        idem_salt: rand::random(),
        idem_key: None,
        key: KeyRecord {
            id: KeyId::from_random(rand::random()),
            hash: rand::random(),
            created_at: Millis::new(0),
            revoked_at: None,
        },
        now: Millis::new(0),
    }
}

/// The create of the first chat of a new application.
pub(super) async fn create_chat(store: &SqlStore) -> Command {
    let application = application();
    let key = ChatKey {
        app: application.app,
        number: Number::new(1).unwrap(),
    };
    store.create(application).await.unwrap();
    Command::CreateChat(CreateChat {
        key,
        uid: Uid::from_digest(rand::random()),
        fingerprint: Fingerprint::of(&[b"chat"]),
        name: None,
        metadata: None,
        accepted_at: Millis::new(0),
    })
}

/// Once, whatever comes of it.
pub(super) async fn apply(store: &SqlStore, command: &Command) -> Result<Plan> {
    let commands = std::slice::from_ref(command);
    let plan = |existing: &Existing| persist::plan(commands, existing, clock::now());
    store.apply(&persist::keys(commands), &plan).await
}

/// As a worker does it.
pub(super) async fn carry_out(store: &SqlStore, command: &Command) -> Outcome {
    let commands = std::slice::from_ref(command);
    let (mut fates, _) = persist::store(store, Queue::Chats, commands).await;
    match fates.pop() {
        Some(Fate::Done(outcome)) => outcome,
        other => panic!("it was not carried out: {other:?}"),
    }
}
