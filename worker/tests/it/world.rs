//! A whole chat in one process on one directory: rules, store, queue, index and worker, without HTTP.

use chat::backends::{Embedded, EmbeddedSettings, open_embedded};
use chat::error::{Error, Result};
use chat::event::Origin;
use chat::model::{Accepted, Content, IdempotencyKey, Message, Name, Number, TenantId};
use chat::ops::{ChatEdit, Credential, NewChat, NewMessage, Ops, Presence, SearchInput};
use chat::ports::{MessagePage, Sort, Window};
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};
use worker::{Running, UpkeepSettings};

/// How long something may take that happens in the background.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two folds.
const FOLD: Duration = Duration::from_millis(50);

pub(crate) struct World {
    pub(crate) embedded: Embedded,
    running: Running,
}

impl World {
    pub(crate) async fn start(dir: &Path) -> Self {
        Self::start_with(dir, None, |_| {}).await
    }

    /// `change` may put other ports in the place of the worker's.
    pub(crate) async fn start_with(
        dir: &Path,
        max_pages: Option<u32>,
        change: impl FnOnce(&mut Embedded),
    ) -> Self {
        let settings = EmbeddedSettings {
            data_dir: dir.to_owned(),
            number_block: 256,
            max_pages,
        };
        let mut embedded = open_embedded(&settings).await.unwrap();
        change(&mut embedded);
        let running = worker::start(&embedded.work, &embedded.dirty, UpkeepSettings::every(FOLD))
            .await
            .unwrap();
        Self { embedded, running }
    }

    /// As a process that is asked to end.
    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
        self.embedded.close().await.unwrap();
    }

    pub(crate) fn ops(&self) -> &Ops {
        &self.embedded.ops
    }

    /// A new application.
    pub(crate) async fn tenant(&self) -> TenantId {
        let name = Name::parse("a tenant").unwrap();
        let created = self.ops().create_application(name, None).await.unwrap();
        self.let_in(created.application.token.as_str()).await
    }

    pub(crate) async fn let_in(&self, token: &str) -> TenantId {
        self.ops()
            .authenticate(token, Credential::Open)
            .await
            .unwrap()
    }

    /// A new application with one chat.
    pub(crate) async fn chat(&self) -> Chat {
        let tenant = self.tenant().await;
        Chat::create(self.ops(), tenant).await.unwrap()
    }
}

/// A chat and how one speaks in it.
#[derive(Clone)]
pub(crate) struct Chat {
    pub(crate) ops: Ops,
    pub(crate) tenant: TenantId,
    pub(crate) number: Number,
}

impl Chat {
    pub(crate) async fn create(ops: &Ops, tenant: TenantId) -> Result<Self> {
        let accepted = ops
            .create_chat(tenant, NewChat::default(), None, Origin::default())
            .await?;
        Ok(Self {
            ops: ops.clone(),
            tenant,
            number: accepted.number,
        })
    }

    /// The same chat after a restart.
    pub(crate) fn again(&self, world: &World) -> Self {
        Self {
            ops: world.ops().clone(),
            ..self.clone()
        }
    }

    pub(crate) async fn say(&self, text: &str) -> Result<Accepted> {
        self.say_once(text, None).await
    }

    pub(crate) async fn say_once(&self, text: &str, key: Option<&str>) -> Result<Accepted> {
        let new = NewMessage {
            content: Content::parse(text).unwrap(),
            author: None,
            metadata: None,
            reply_to: None,
            created_at: None,
        };
        let key = key.map(|key| IdempotencyKey::parse(key).unwrap());
        let origin = Origin::default();
        self.ops
            .create_message(self.tenant, self.number, new, key, origin)
            .await
    }

    /// Says so many things, one after the other; their numbers.
    pub(crate) async fn say_many(&self, text: &str, count: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        for _ in 0..count {
            numbers.push(self.say(text).await.unwrap().number.get());
        }
        numbers
    }

    pub(crate) async fn read(&self, number: u64) -> Result<Message> {
        let number = Number::new(number).unwrap();
        match self
            .ops
            .message(self.tenant, self.number, number, Duration::ZERO)
            .await?
        {
            Presence::Here(message) => Ok(message),
            Presence::Processing => panic!("an answered message is stored already"),
        }
    }

    pub(crate) async fn page(&self, after: u64) -> MessagePage {
        let window = Window::After(after);
        let page = self.ops.messages(self.tenant, self.number, window, 100);
        page.await.unwrap()
    }

    pub(crate) async fn count(&self) -> u64 {
        match self.ops.chat(self.tenant, self.number).await.unwrap() {
            Presence::Here(chat) => chat.messages_count,
            Presence::Processing => panic!("an answered chat is stored already"),
        }
    }

    pub(crate) async fn rename(&self, name: &str) -> Result<Accepted> {
        let edit = ChatEdit {
            name: Some(Some(Name::parse(name).unwrap())),
            metadata: None,
        };
        let origin = Origin::default();
        self.ops
            .edit_chat(self.tenant, self.number, edit, None, origin)
            .await
    }

    pub(crate) async fn delete(&self) {
        self.ops
            .delete_chat(self.tenant, self.number, Origin::default())
            .await
            .unwrap();
    }

    /// The numbers of the messages that a search in this chat finds.
    pub(crate) async fn find(&self, query: &str) -> Result<Vec<u64>> {
        let input = SearchInput {
            query: query.into(),
            page: 1,
            per_page: 100,
            sort: Sort::Number,
            author: None,
            since: None,
            until: None,
        };
        let page = self
            .ops
            .search(self.tenant, Some(self.number), input)
            .await?;
        let numbers = page.messages.iter().map(|found| found.message.number.get());
        Ok(numbers.collect())
    }

    pub(crate) async fn expect_to_find(&self, query: &str, expected: &[u64]) {
        eventually(&format!("'{query}' finds {expected:?}"), || async {
            self.find(query).await.unwrap() == expected
        })
        .await;
    }
}

/// Asks again and again until the answer is yes.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut probe: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !probe().await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn is_unknown(error: &Error) -> bool {
    matches!(error, Error::OutcomeUnknown { .. })
}
