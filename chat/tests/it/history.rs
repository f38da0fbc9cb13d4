//! A chat that goes on: one application with two chats, and batches of messages in the first.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use chat::adapters::sql::SqlStore;
use chat::event::{Command, CreateChat, CreateMessage, Queue};
use chat::model::{AppId, ChatKey, Content, Fingerprint, KeyId, Millis, Name, Number, Token, Uid};
use chat::ops::persist::{self, Fate};
use chat::ports::{KeyRecord, NewApplication, Tenants};
use chat::{clock, rows::Outcome};

pub(crate) struct History {
    pub(crate) app: AppId,
    /// Messages stored, numbered from 1.
    pub(crate) said: u64,
    /// Messages tried, stored or not.
    tried: u64,
}

impl History {
    pub(crate) async fn start(store: &SqlStore) -> Self {
        let app = Self::application(store).await;
        let chats: Vec<Command> = [1, 2].map(|n| create_chat(chat(app, n))).into();
        let (fates, _) = persist::store(store, Queue::Chats, &chats).await;
        assert!(fates.iter().all(is_new), "{fates:?}");
        Self {
            app,
            said: 0,
            tried: 0,
        }
    }

    /// An application without chats.
    pub(crate) async fn application(store: &SqlStore) -> AppId {
        let app = AppId::from_random(clock::random_u64());
        create_application(store, app).await;
        app
    }

    /// A batch of new messages, which all must be stored.
    pub(crate) async fn say(&mut self, store: &SqlStore, messages: u64) {
        let fates = self.try_to_say(store, messages, "text").await;
        assert!(fates.iter().all(is_new), "{fates:?}");
    }

    /// A batch of new messages, each under a number nobody tried before.
    pub(crate) async fn try_to_say(
        &mut self,
        store: &SqlStore,
        messages: u64,
        text: &str,
    ) -> Vec<Fate> {
        let numbers = self.tried + 1..=self.tried + messages;
        self.tried += messages;
        let commands: Vec<Command> = numbers
            .map(|n| create_message(chat(self.app, 1), n, text))
            .collect();
        let (fates, _) = persist::store(store, Queue::Messages, &commands).await;
        self.said += fates.iter().filter(|fate| is_new(fate)).count() as u64;
        fates
    }
}

/// An application under an id that is known beforehand.
pub(crate) async fn create_application(store: &SqlStore, app: AppId) {
    let new = NewApplication {
        app,
        token: Token::from_random(clock::random_bytes()),
        name: Name::parse("history").unwrap(),
        idem_salt: clock::random_bytes(),
        idem_key: None,
        key: KeyRecord {
            id: KeyId::from_random(clock::random_u64()),
            hash: clock::random_bytes(),
            created_at: Millis::new(0),
            revoked_at: None,
        },
        now: Millis::new(0),
    };
    store.create(new).await.unwrap();
}

fn is_new(fate: &Fate) -> bool {
    matches!(fate, Fate::Done(Outcome::New))
}

fn chat(app: AppId, number: u64) -> ChatKey {
    ChatKey {
        app,
        number: Number::new(number).unwrap(),
    }
}

fn create_chat(key: ChatKey) -> Command {
    Command::CreateChat(CreateChat {
        key,
        uid: Uid::from_digest(clock::random_bytes()),
        fingerprint: Fingerprint::of(&[]),
        name: None,
        metadata: None,
        accepted_at: Millis::new(0),
    })
}

fn create_message(chat: ChatKey, number: u64, text: &str) -> Command {
    Command::CreateMessage(CreateMessage {
        key: chat.message(Number::new(number).unwrap()),
        uid: Uid::from_digest(clock::random_bytes()),
        fingerprint: Fingerprint::of(&[]),
        content: Content::parse(text).unwrap(),
        author: None,
        metadata: None,
        reply_to: None,
        created_at: Millis::new(0),
        accepted_at: Millis::new(0),
    })
}
