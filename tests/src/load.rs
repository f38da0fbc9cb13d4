//! Clients that write, edit, delete, read and count all at once, and write down what they were told.
//!
//! They know when the system is down and wait then, but not when it goes down: a request under way is
//! `Unknown`, and one with an idempotency key is repeated until it has an answer. What they write down
//! is for `checker`; what the system says in the end is read by `ending`.

use crate::checker::{Kind, Op, Outcome, Scope};
use crate::client::{Answer, Call, Client};
use rand::RngExt;
use rand::rngs::SmallRng;
use reqwest::Method;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How to ask the system right now; none while it is down.
pub type Up = watch::Receiver<Option<Client>>;

/// What all clients have in common.
pub struct Load {
    /// The chats they write to, made before.
    pub chats: Vec<Scope>,
    /// They stop when this many creates were accepted.
    target: u64,
    /// Of the requests, how many are given up while they are under way.
    hang_ups: f64,
    ended: AtomicBool,
    accepted: AtomicU64,
    unsent: AtomicU64,
    start: Instant,
    history: Mutex<Vec<Op>>,
}

impl Load {
    pub fn new(target: u64) -> Self {
        Self {
            chats: Vec::new(),
            target,
            hang_ups: 0.0,
            ended: AtomicBool::new(false),
            accepted: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            start: Instant::now(),
            history: Mutex::default(),
        }
    }

    /// Clients hang up in the middle of some requests: the fraction of them.
    pub fn with_hang_ups(self, hang_ups: f64) -> Self {
        Self { hang_ups, ..self }
    }

    /// How many creates were accepted up to now.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many requests could not be sent up to now, as nobody took the connection.
    pub fn unsent(&self) -> u64 {
        self.unsent.load(Ordering::Relaxed)
    }

    pub fn is_over(&self) -> bool {
        self.accepted() >= self.target || self.ended.load(Ordering::Relaxed)
    }

    /// The clients stop, each after what it is doing.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// What was written down up to now, in the order in which requests ended.
    pub fn history(&self) -> Vec<Op> {
        self.history.lock().expect(NO_PANIC).clone()
    }

    /// Makes applications with chats for the clients to write to.
    pub async fn prepare(&mut self, client: &Client, applications: usize, chats_each: usize) {
        for place in 0..applications {
            let name = json!({ "name": format!("application {place}") });
            let created = client.post("/api/v1/applications", name).await.expect(201);
            let app = created.body["token"].as_str().expect("a token is text");
            for chat in 0..chats_each {
                let scope = Scope {
                    app: app.to_owned(),
                    chat: None,
                };
                let content = format!("chat{chat} of application{place}");
                let path = path_of(&scope, None);
                let kind = Kind::Create { key: None, content };
                let asked = self.now();
                let answer = client
                    .call(Method::POST, &path)
                    .json(&body_of(&scope, &kind));
                let outcome = outcome_of(&kind, &answer.send().await);
                let Outcome::Ok { number, .. } = outcome else {
                    panic!("a chat is accepted while nothing is wrong: {outcome:?}");
                };
                self.note(u32::MAX, &scope, kind, asked, outcome);
                self.chats.push(Scope {
                    chat: Some(number),
                    ..scope
                });
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).expect("a run ends within 500 years")
    }

    fn note(&self, client: u32, scope: &Scope, kind: Kind, invoked_at: u64, outcome: Outcome) {
        if matches!((&kind, &outcome), (Kind::Create { .. }, Outcome::Ok { .. })) {
            self.accepted.fetch_add(1, Ordering::Relaxed);
        }
        let op = Op {
            client,
            scope: scope.clone(),
            kind,
            invoked_at,
            completed_at: self.now(),
            outcome,
        };
        self.history.lock().expect(NO_PANIC).push(op);
    }
}

/// How long a client waits to be told that what it cannot reach is down.
const TOLD_BY: Duration = Duration::from_millis(50);
const NO_PANIC: &str = "nothing panics while holding this lock";

/// How long a client stays away that was told to come back later.
const BUSY_PAUSE: Duration = Duration::from_millis(50);
/// Whoever hangs up does so before this: what a request takes on a busy machine.
const HANGS_UP_WITHIN_US: u64 = 20_000;

/// One client with a chance and a memory of its own.
pub struct Writer {
    pub load: Arc<Load>,
    pub up: Up,
    pub client: u32,
    pub dice: SmallRng,
    written: u64,
    /// Messages it knows to be accepted.
    messages: Vec<(Scope, u64)>,
    /// Chats of its own, which nobody else writes to.
    own_chats: Vec<(Scope, u64)>,
}

impl Writer {
    pub fn new(load: Arc<Load>, up: Up, client: u32, dice: SmallRng) -> Self {
        Self {
            load,
            up,
            client,
            dice,
            written: 0,
            messages: Vec::new(),
            own_chats: Vec::new(),
        }
    }

    /// Until enough creates were accepted.
    pub async fn run(mut self) {
        while !self.load.is_over() {
            match self.dice.random_range(0..100) {
                0..70 => self.create_message().await,
                70..72 => self.create_chat().await,
                72..80 => self.edit().await,
                80..84 => self.delete().await,
                84..95 => self.read().await,
                _ => self.count().await,
            }
        }
    }

    async fn create_message(&mut self) {
        let scope = match self.dice.random_bool(0.1) {
            true => self.own_chat(),
            false => None,
        };
        let scope = scope.unwrap_or_else(|| {
            let chat = self.dice.random_range(0..self.load.chats.len());
            self.load.chats[chat].clone()
        });
        if let Some(number) = self.create(&scope).await {
            self.messages.push((scope, number));
        }
    }

    /// It may be deleted by now.
    fn own_chat(&mut self) -> Option<Scope> {
        if self.own_chats.is_empty() {
            return None;
        }
        let place = self.dice.random_range(0..self.own_chats.len());
        let (chats, number) = &self.own_chats[place];
        Some(Scope {
            app: chats.app.clone(),
            chat: Some(*number),
        })
    }

    async fn create_chat(&mut self) {
        let chat = self.dice.random_range(0..self.load.chats.len());
        let app = self.load.chats[chat].app.clone();
        let scope = Scope { app, chat: None };
        if let Some(number) = self.create(&scope).await {
            self.own_chats.push((scope, number));
        }
    }

    /// With a key half of the time, and then until it is certain what became of it.
    async fn create(&mut self, scope: &Scope) -> Option<u64> {
        let content = self.next_content();
        let keyed = self.dice.random_bool(0.5);
        let key = keyed.then(|| format!("{content} {}", self.client));
        let kind = Kind::Create { key, content };
        let mut number = None;
        loop {
            match self.ask(scope, None, kind.clone()).await {
                Some(Outcome::Ok { number: given, .. }) => {
                    number = Some(given);
                    // Some clients do not believe it.
                    if !keyed || self.dice.random_bool(0.9) {
                        return number;
                    }
                }
                // Never sent, or told to try again.
                None
                | Some(
                    Outcome::Unknown | Outcome::Processing | Outcome::Fail { status: 409 | 503 },
                ) if keyed => {}
                _ => return number,
            }
        }
    }

    async fn edit(&mut self) {
        let Some((scope, number)) = self.something() else {
            return;
        };
        let content = self.next_content();
        self.ask(&scope, Some(number), Kind::Edit { number, content })
            .await;
    }

    async fn delete(&mut self) {
        if let Some((scope, number)) = self.something() {
            self.ask(&scope, Some(number), Kind::Delete { number })
                .await;
        }
    }

    async fn read(&mut self) {
        if let Some((scope, number)) = self.something() {
            self.ask(&scope, Some(number), Kind::Read { number }).await;
        }
    }

    async fn count(&mut self) {
        let chat = self.dice.random_range(0..self.load.chats.len());
        let mut scope = self.load.chats[chat].clone();
        if self.dice.random_bool(0.2) {
            scope.chat = None;
        }
        self.ask(&scope, None, Kind::Count).await;
    }

    /// A message it wrote, sometimes a chat.
    fn something(&mut self) -> Option<(Scope, u64)> {
        let among = match self.dice.random_bool(0.1) {
            true => &self.own_chats,
            false => &self.messages,
        };
        if among.is_empty() {
            return None;
        }
        let place = self.dice.random_range(0..among.len());
        Some(among[place].clone())
    }

    /// Unlike anything else that is written in this run; the last word says who wrote it.
    fn next_content(&mut self) -> String {
        self.written += 1;
        let (client, written) = (self.client, self.written);
        format!("u{client}x{written} writer{client}")
    }

    /// Waits until the system is up, asks, and writes it down. None: the request was never sent.
    async fn ask(&mut self, scope: &Scope, number: Option<u64>, kind: Kind) -> Option<Outcome> {
        let up = self.up.wait_for(Option::is_some).await;
        let client = up
            .expect("whoever starts the system outlives the load")
            .clone();
        let client = client.expect("this was waited for");
        let invoked_at = self.load.now();
        let asked = request(&client, scope, number, &kind).try_send();
        let answer = match self.dice.random_bool(self.load.hang_ups) {
            true => {
                let patience = self.dice.random_range(0..HANGS_UP_WITHIN_US);
                tokio::time::timeout(Duration::from_micros(patience), asked).await
            }
            false => Ok(asked.await),
        };
        let outcome = match answer {
            Ok(Ok(answer)) => outcome_of(&kind, &answer),
            Ok(Err(error)) if error.is_connect() => {
                self.load.unsent.fetch_add(1, Ordering::Relaxed);
                // It went down, and nobody has said so yet.
                tokio::time::timeout(TOLD_BY, self.up.changed()).await.ok();
                return None;
            }
            Ok(Err(_)) | Err(_) => Outcome::Unknown,
        };
        self.load
            .note(self.client, scope, kind, invoked_at, outcome.clone());
        if matches!(outcome, Outcome::Fail { status: 409 | 503 }) {
            tokio::time::sleep(BUSY_PAUSE).await;
        }
        Some(outcome)
    }
}

fn request<'a>(client: &'a Client, scope: &Scope, number: Option<u64>, kind: &Kind) -> Call<'a> {
    let path = path_of(scope, number);
    match kind {
        Kind::Create { key, .. } => {
            let call = client.call(Method::POST, &path).json(&body_of(scope, kind));
            match key {
                Some(key) => call.idempotency_key(key),
                None => call,
            }
        }
        Kind::Edit { .. } => client
            .call(Method::PATCH, &path)
            .json(&body_of(scope, kind)),
        Kind::Delete { .. } => client.call(Method::DELETE, &path),
        Kind::Read { .. } => client.call(Method::GET, &path),
        Kind::Count => client.call(Method::GET, &parent_of(scope)),
    }
}

/// The application or chat that counts what is in the scope.
pub fn parent_of(scope: &Scope) -> String {
    match scope.chat {
        Some(chat) => format!("/api/v1/applications/{}/chats/{chat}", scope.app),
        None => format!("/api/v1/applications/{}", scope.app),
    }
}

/// The list of a scope, or one thing in it.
pub fn path_of(scope: &Scope, number: Option<u64>) -> String {
    let list = if scope.chat.is_some() {
        "messages"
    } else {
        "chats"
    };
    let parent = parent_of(scope);
    match number {
        Some(number) => format!("{parent}/{list}/{number}"),
        None => format!("{parent}/{list}"),
    }
}

/// What the text of a message or of a chat is called in JSON.
pub fn text_field(scope: &Scope) -> &'static str {
    if scope.chat.is_some() {
        "content"
    } else {
        "name"
    }
}

fn body_of(scope: &Scope, kind: &Kind) -> serde_json::Value {
    match kind {
        Kind::Create { content, .. } | Kind::Edit { content, .. } => {
            json!({ text_field(scope): content })
        }
        Kind::Delete { .. } | Kind::Read { .. } | Kind::Count => json!(null),
    }
}

fn outcome_of(kind: &Kind, answer: &Answer) -> Outcome {
    let numbered = || (answer.number(), answer.id().to_owned(), rev_of(answer));
    match (kind, answer.status) {
        (Kind::Count, 200) => {
            let counts = ["messages_count", "chats_count"].map(|name| &answer.body[name]);
            let count = counts.into_iter().find_map(serde_json::Value::as_u64);
            Outcome::Counted(count.expect("a parent counts what is in it"))
        }
        (Kind::Read { .. }, 200) => {
            let (number, id, rev) = numbered();
            Outcome::Row { number, id, rev }
        }
        (Kind::Read { .. } | Kind::Count, 202) => Outcome::Processing,
        (_, 503) if answer.problem_slug() == Some("not-yet-stored") => Outcome::Processing,
        (_, 201 | 202) => {
            let (number, id, rev) = numbered();
            Outcome::Ok { number, id, rev }
        }
        // These two say so themselves: it may have been done.
        (_, 503 | 504) if matches!(answer.problem_slug(), Some("outcome-unknown" | "timeout")) => {
            Outcome::Unknown
        }
        (_, status) => Outcome::Fail { status },
    }
}

fn rev_of(answer: &Answer) -> u64 {
    answer.body["rev"].as_u64().expect("the answer has a rev")
}
