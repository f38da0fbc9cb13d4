//! Sixteen clients on a system that goes down and comes up again, and the judgement in the end.

use e2e::checker::{Ending, Expectations, Kind, Op, Outcome, check};
use e2e::client::Client;
use e2e::ending::ending;
use e2e::eventually::eventually;
use e2e::load::{Load, Writer};
use e2e::program::{Program, command};
use e2e::seed::Seed;
use futures::future::join_all;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const CLIENTS: u32 = 16;
/// A kill wastes at most a block in each chat. Small ones, because each wasted number is asked for.
const SETTINGS: [(&str, &str); 1] = [("CHAT_NUMBER_BLOCK", "64")];
/// For some hundred creates, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How much is written where.
pub(crate) struct Size {
    pub(crate) applications: usize,
    pub(crate) chats_each: usize,
    pub(crate) creates: u64,
}

/// Sixteen clients that write until there is enough.
pub(crate) struct Writers {
    pub(crate) load: Arc<Load>,
    tell: watch::Sender<Option<Client>>,
    writing: Vec<JoinHandle<()>>,
}

impl Writers {
    pub(crate) async fn start(client: &Client, seed: Seed, size: Size) -> Self {
        let mut load = Load::new(size.creates);
        load.prepare(client, size.applications, size.chats_each)
            .await;
        Self::of(load, client, seed)
    }

    /// On the chats of the load.
    pub(crate) fn of(load: Load, client: &Client, seed: Seed) -> Self {
        let (tell, up) = watch::channel(Some(client.clone()));
        let load = Arc::new(load);
        let writing = (0..CLIENTS).map(|client| {
            let dice = seed.dice(u64::from(client));
            let writer = Writer::new(Arc::clone(&load), up.clone(), client, dice);
            tokio::spawn(writer.run())
        });
        Self {
            writing: writing.collect(),
            load,
            tell,
        }
    }

    /// Returns once so many creates were accepted.
    pub(crate) async fn accepted(&self, creates: u64) {
        let load = &self.load;
        eventually(PATIENCE, async || load.accepted(), |now| *now >= creates).await;
    }

    /// Tells everybody how to ask from now on; None: the system is down.
    pub(crate) fn tell(&self, client: Option<Client>) {
        self.tell.send_replace(client);
    }

    /// Returns once so many more creates were accepted.
    pub(crate) async fn accepted_more(&self, creates: u64) {
        self.accepted(self.load.accepted() + creates).await;
    }

    /// Returns once so many more creates were accepted, or all that there are to be.
    pub(crate) async fn accepted_more_or_all(&self, creates: u64) {
        let load = &self.load;
        let enough = load.accepted() + creates;
        let is_enough = |now: &u64| *now >= enough || load.is_over();
        eventually(PATIENCE, async || load.accepted(), is_enough).await;
    }

    /// Waits for them to be done; what is left is what they wrote down.
    pub(crate) async fn finish(self) -> Vec<Op> {
        for writer in join_all(self.writing).await {
            writer.expect("a client does not panic");
        }
        self.load.history()
    }
}

/// `chat-standalone` with clients on it.
pub(crate) struct UnderLoad {
    data: PathBuf,
    pub(crate) program: Program,
    client: Client,
    pub(crate) writers: Writers,
}

impl UnderLoad {
    pub(crate) async fn start(data: &Path, seed: Seed, size: Size) -> Self {
        let program = Program::start_with(data, &SETTINGS).await;
        let client = Client::new(&program.place).await;
        Self {
            data: data.to_owned(),
            program,
            writers: Writers::start(&client, seed, size).await,
            client,
        }
    }

    /// Returns once so many creates were accepted.
    pub(crate) async fn accepted(&self, creates: u64) {
        self.writers.accepted(creates).await;
    }

    /// `kill -9`, with requests under way.
    pub(crate) fn kill(&mut self) {
        self.program.kill();
        self.writers.tell(None);
    }

    /// Kills a start after this long, wherever it is by then.
    pub(crate) async fn start_and_kill(&self, after: Duration) {
        let mut command = command(&self.data, &SETTINGS);
        let output = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = output.spawn().expect("the program can be started");
        tokio::time::sleep(after).await;
        child.kill().expect("a child can be killed");
        child.wait().expect("a child can be waited for");
    }

    /// SIGTERM, with requests under way; it must end in time and without complaint.
    pub(crate) async fn stop(&mut self) {
        self.program.terminate();
        let (status, took) = self.program.ended().await;
        self.writers.tell(None);
        assert!(
            status.success(),
            "{status} after {took:?}\n{}",
            self.program.log()
        );
    }

    /// After `kill` or `stop`.
    pub(crate) async fn start_again(&mut self) {
        self.program = Program::start_with(&self.data, &SETTINGS).await;
        self.client = self.client.at(&self.program.place);
    }

    /// The clients go on.
    pub(crate) fn let_in(&self) {
        self.writers.tell(Some(self.client.clone()));
    }

    /// Waits for the clients to be done; what is left is the program, at rest, and what they wrote down.
    pub(crate) async fn finish(self) -> (Program, Client, Vec<Op>) {
        let history = self.writers.finish().await;
        (self.program, self.client, history)
    }
}

/// Panics when any promise was broken. Returns what the system said.
pub(crate) async fn judge(client: &Client, history: &[Op], seed: Seed) -> Ending {
    let said = ending(client, history).await;
    let expectations = Expectations {
        stored_on_accept: client.stores_on_accept(),
    };
    let broken = history
        .iter()
        .find(|op| op.outcome == Outcome::Fail { status: 500 });
    assert_eq!(broken, None, "{seed:?}: nothing goes wrong inside");
    let violations = check(history, &said, expectations);
    let shown: Vec<String> = violations
        .iter()
        .take(50)
        .map(ToString::to_string)
        .collect();
    assert!(
        violations.is_empty(),
        "{seed:?}: {} violations\n{}",
        violations.len(),
        shown.join("\n")
    );
    said
}

/// So that a run that tested nothing is seen.
pub(crate) fn summary(history: &[Op]) -> String {
    let count = |what: fn(&Op) -> bool| history.iter().filter(|op| what(op)).count();
    let creates = count(|op| matches!(op.kind, Kind::Create { .. }));
    let keyed = count(|op| matches!(op.kind, Kind::Create { key: Some(_), .. }));
    let edits = count(|op| matches!(op.kind, Kind::Edit { .. }));
    let deletes = count(|op| matches!(op.kind, Kind::Delete { .. }));
    let unknown = count(|op| matches!(op.outcome, Outcome::Unknown));
    let mut refused: BTreeMap<u16, u32> = BTreeMap::new();
    for op in history {
        if let Outcome::Fail { status } = op.outcome {
            *refused.entry(status).or_default() += 1;
        }
    }
    let all = history.len();
    format!(
        "{all} requests, {creates} creates ({keyed} with a key), {edits} edits, {deletes} deletes; \
         {unknown} of them unknown, refused by status: {refused:?}"
    )
}
