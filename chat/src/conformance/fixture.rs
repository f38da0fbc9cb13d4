//! What the promises of the store are tried on: tenants nobody used before, and short ways to write for
//! them.
//!
//! Every promise makes its own tenants and speaks of their rows only, so it holds on a store that is in
//! use. Commands are carried out as a worker does it, through `persist::store`.

use crate::error::{Error, Result};
use crate::event::{
    Command, CreateChat, CreateMessage, DeleteChat, DeleteMessage, EditMessage, Queue,
};
use crate::model::{
    AppId, ChatKey, Content, Fingerprint, KeyId, Message, MessageKey, Millis, Name, Number, Rev,
    TenantId, Token, Uid,
};
use crate::ops::persist::{self, Fate};
use crate::ports::{
    AcrossTenants, Creation, Found, GapLedger, KeyRecord, NewApplication, Reader, Sequences,
    Tenants, Upkeep, Writer,
};
use crate::rows::Outcome;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long something may take that happens in the background.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The time in which everything here happens.
pub(super) const NOW: Millis = Millis::new(1_700_000_000_000);

/// The ports of one store, whatever is behind them.
#[derive(Clone)]
pub struct Store {
    pub tenants: Arc<dyn Tenants>,
    pub reader: Arc<dyn Reader>,
    pub across: Arc<dyn AcrossTenants>,
    pub writer: Arc<dyn Writer>,
    pub sequences: Arc<dyn Sequences>,
    pub upkeep: Arc<dyn Upkeep>,
    pub gaps: Arc<dyn GapLedger>,
}

impl Store {
    pub fn of<S>(store: S) -> Self
    where
        S: Tenants
            + Reader
            + AcrossTenants
            + Writer
            + Sequences
            + Upkeep
            + GapLedger
            + Send
            + Sync
            + 'static,
    {
        let store = Arc::new(store);
        Self {
            tenants: store.clone(),
            reader: store.clone(),
            across: store.clone(),
            writer: store.clone(),
            sequences: store.clone(),
            upkeep: store.clone(),
            gaps: store,
        }
    }

    pub(super) async fn create(&self, new: &NewApplication) -> Creation {
        again(|| self.tenants.create(new.clone())).await
    }

    /// As a worker does it; what became of each command.
    pub(super) async fn carry_out(&self, commands: &[Command]) -> Vec<Outcome> {
        let (fates, _) = persist::store(&*self.writer, Queue::Messages, commands).await;
        let done = fates.into_iter().map(|fate| match fate {
            Fate::Done(outcome) => outcome,
            other => panic!("a working store carries out every command: {other:?}"),
        });
        done.collect()
    }

    pub(super) async fn fold(&self) {
        while again(|| self.upkeep.fold(7)).await > 0 {}
    }

    /// The whole ledger in one transaction.
    pub(super) async fn fold_all_at_once(&self) {
        again(|| self.upkeep.fold(5_000)).await;
    }
}

/// An application nobody used before.
#[derive(Clone)]
pub(super) struct Tenant {
    pub(super) store: Store,
    pub(super) id: TenantId,
    pub(super) token: Token,
}

impl Tenant {
    pub(super) async fn new(store: &Store) -> Self {
        let new = new_application();
        assert_eq!(store.create(&new).await, Creation::Created);
        Self {
            store: store.clone(),
            id: TenantId::authenticated(new.app),
            token: new.token,
        }
    }

    /// With chats 1 to `chats`.
    pub(super) async fn with_chats(store: &Store, chats: u64) -> Self {
        let tenant = Self::new(store).await;
        let commands: Vec<Command> = (1..=chats)
            .map(|n| Command::CreateChat(create_chat(tenant.chat(n))))
            .collect();
        tenant.store.carry_out(&commands).await;
        tenant
    }

    pub(super) fn app(&self) -> AppId {
        self.id.app()
    }

    pub(super) fn chat(&self, chat: u64) -> ChatKey {
        ChatKey {
            app: self.app(),
            number: number(chat),
        }
    }

    pub(super) fn message(&self, chat: u64, message: u64) -> MessageKey {
        self.chat(chat).message(number(message))
    }

    pub(super) async fn carry_out(
        &self,
        commands: impl IntoIterator<Item = Command>,
    ) -> Vec<Outcome> {
        let commands: Vec<Command> = commands.into_iter().collect();
        self.store.carry_out(&commands).await
    }

    /// Stores messages under these numbers; each says its number.
    pub(super) async fn say(
        &self,
        chat: u64,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Vec<CreateMessage> {
        let creates: Vec<CreateMessage> = numbers
            .into_iter()
            .map(|n| create_message(self.message(chat, n), &format!("message {n}")))
            .collect();
        self.carry_out(creates.iter().cloned().map(Command::CreateMessage))
            .await;
        creates
    }

    /// Deletes these messages, with revs in the order given, starting with `rev`.
    pub(super) async fn take_back(
        &self,
        chat: u64,
        rev: i64,
        numbers: impl IntoIterator<Item = u64>,
    ) {
        let deletes = numbers
            .into_iter()
            .zip(rev..)
            .map(|(n, rev)| delete_message(self.message(chat, n), rev));
        self.carry_out(deletes).await;
    }

    pub(super) async fn read(&self, chat: u64, message: u64) -> Found<Message> {
        let found = self
            .store
            .reader
            .message(self.id, number(chat), number(message));
        found.await.expect("a message can be asked for")
    }

    /// How many messages the chat says it has.
    pub(super) async fn messages_count(&self, chat: u64) -> u64 {
        match self.store.reader.chat(self.id, number(chat)).await {
            Ok(Found::Live(chat)) => chat.messages_count,
            other => panic!("chat {chat} is live: {other:?}"),
        }
    }

    /// How many chats the application says it has.
    pub(super) async fn chats_count(&self) -> u64 {
        let shown = self.store.tenants.show(self.id).await;
        shown
            .expect("an application can be asked for")
            .expect("the application is live")
            .chats_count
    }

    pub(super) async fn delete(&self) {
        let deleted = again(|| self.store.tenants.delete(self.id, NOW)).await;
        assert!(deleted, "a live application can be deleted");
    }
}

pub(super) fn number(value: u64) -> Number {
    Number::new(value).expect("numbers in these promises are small and not 0")
}

pub(super) fn new_uid() -> Uid {
    Uid::from_digest(rand::random())
}

pub(super) fn new_application() -> NewApplication {
    NewApplication {
        app: AppId::from_random(rand::random()),
        token: Token::from_random(rand::random()),
        name: Name::parse("conformance").expect("it is a name"),
        idem_salt: rand::random(),
        idem_key: None,
        key: new_key(),
        now: NOW,
    }
}

pub(super) fn new_key() -> KeyRecord {
    KeyRecord {
        id: KeyId::from_random(rand::random()),
        hash: rand::random(),
        created_at: NOW,
        revoked_at: None,
    }
}

pub(super) fn content(text: &str) -> Content {
    Content::parse(text).expect("contents in these promises are short")
}

pub(super) fn create_chat(key: ChatKey) -> CreateChat {
    CreateChat {
        key,
        uid: new_uid(),
        fingerprint: Fingerprint::of(&[b"chat"]),
        name: Some(Name::parse(format!("chat {}", key.number)).expect("it is a name")),
        metadata: None,
        accepted_at: NOW,
    }
}

pub(super) fn create_message(key: MessageKey, text: &str) -> CreateMessage {
    CreateMessage {
        key,
        uid: new_uid(),
        fingerprint: Fingerprint::of(&[text.as_bytes()]),
        content: content(text),
        author: None,
        metadata: None,
        reply_to: None,
        created_at: NOW,
        accepted_at: NOW,
    }
}

pub(super) fn edit_message(key: MessageKey, rev: i64, text: &str) -> Command {
    Command::EditMessage(EditMessage {
        key,
        rev: Rev::from_stored(rev),
        content: Some(content(text)),
        metadata: None,
        accepted_at: NOW.plus(rev),
    })
}

pub(super) fn delete_message(key: MessageKey, rev: i64) -> Command {
    Command::DeleteMessage(DeleteMessage {
        key,
        rev: Rev::from_stored(rev),
        accepted_at: NOW.plus(rev),
    })
}

pub(super) fn delete_chat(key: ChatKey, rev: i64) -> Command {
    Command::DeleteChat(DeleteChat {
        key,
        rev: Rev::from_stored(rev),
        accepted_at: NOW.plus(rev),
    })
}

/// The live value; anything else breaks a promise.
pub(super) fn live<T: Debug>(found: Found<T>) -> T {
    match found {
        Found::Live(value) => value,
        other => panic!("live, not {other:?}"),
    }
}

/// Tries again where the ports say that it is worth it.
pub(super) async fn again<T, F: Future<Output = Result<T>>>(mut attempt: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Err(Error::Conflict | Error::Busy(_)) if Instant::now() < deadline => {
                tokio::task::yield_now().await;
            }
            done => return done.expect("the store works"),
        }
    }
}

/// Asks again and again until the answer is yes.
pub(super) async fn eventually<F: Future<Output = bool>>(what: &str, probe: impl FnMut() -> F) {
    eventually_within(PATIENCE, what, probe).await;
}

pub(super) async fn eventually_within<F: Future<Output = bool>>(
    patience: Duration,
    what: &str,
    mut probe: impl FnMut() -> F,
) {
    let deadline = Instant::now() + patience;
    while !probe().await {
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
