//! Numbers out of blocks that are reserved in SQL and given by scripts inside Redis (PROTOCOLS A, model
//! X1). Only SQL says which numbers are free; Redis's process id in each record tells whether the record
//! may be trusted.

mod answer;
mod turns;

use super::RedisServer;
use super::gather::Gather;
use super::script::{Call, Script};
use crate::adapters::reserver::Reserver;
use crate::error::{Error, Result};
use crate::metrics;
use crate::model::{ChatKey, Scope, State, Uid};
use crate::ports::{Claim, Numbers, Reserve, Sequences, Taken};
use answer::{Answer, Lease};
use async_trait::async_trait;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use turns::Turns;

/// How long `take` may wait for a block.
const PATIENCE: Duration = Duration::from_secs(2);
/// When whoever waits for a reservation under way asks again, at first and in the long run.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(10));
/// How long `close` waits for what is being reserved.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// How long one caller alone may reserve, in milliseconds.
const LEASE_MS: u32 = 1_000;
/// How long claims are kept: rows answer afterwards.
const KEEP_CLAIMS_MS: u32 = 24 * 60 * 60 * 1_000;
/// How long deleted chats are kept, in milliseconds: the store knows them too.
const KEEP_DELETED_MS: u32 = 7 * 24 * 60 * 60 * 1_000;

static ALLOCATE: LazyLock<Script> =
    LazyLock::new(|| Script::fenced(include_str!("numbers/allocate.lua")));
static INSTALL: LazyLock<Script> =
    LazyLock::new(|| Script::fenced(include_str!("numbers/install.lua")));
static LAST: LazyLock<Script> = LazyLock::new(|| Script::fenced(include_str!("numbers/last.lua")));
static SETTLE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("numbers/settle.lua")));
static MARK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("numbers/mark.lua")));

/// Numbers shared by any number of processes. The age of a claim and of a reservation is told by Redis's
/// clock alone; `Claim::now` is not looked at.
pub struct RedisNumbers {
    shared: Arc<Shared>,
    /// Requests for numbers of the same scope.
    together: Gather<Scope, (), Result<Answer>>,
    turns: Turns,
    reserving: TaskTracker,
}

struct Shared {
    server: RedisServer,
    sequences: Arc<dyn Sequences>,
    reserver: Reserver,
    block: u32,
    publish_deadline_ms: u64,
}

impl RedisNumbers {
    /// `block`: how many numbers are reserved at a time, the same in all processes. `publish_deadline`:
    /// how long after a claim took its number its publish has certainly ended. Must be called inside a
    /// tokio runtime.
    pub fn new(
        server: RedisServer,
        sequences: Arc<dyn Sequences>,
        block: u32,
        publish_deadline: Duration,
    ) -> Self {
        let deadline = publish_deadline.as_millis();
        Self {
            shared: Arc::new(Shared {
                server,
                reserver: Reserver::start(sequences.clone()),
                sequences,
                block,
                publish_deadline_ms: u64::try_from(deadline).unwrap_or(u64::MAX),
            }),
            together: Gather::default(),
            turns: Turns::default(),
            reserving: TaskTracker::new(),
        }
    }

    /// A claim is nobody else's; numbers without one are taken together.
    async fn allocate(&self, scope: Scope, claim: Option<&Claim>) -> Result<Answer> {
        if claim.is_some() {
            return self.shared.allocate(scope, claim, 1).await;
        }
        let shared = self.shared.clone();
        let allocate = move |requests: Vec<()>| {
            let shared = shared.clone();
            async move { shared.allocate_each(scope, requests.len()).await }
        };
        let answer = self.together.ask(scope, (), allocate).await;
        answer.unwrap_or_else(|| Err(Error::internal("nobody was told a number")))
    }

    /// Reserves in a task of its own: a caller that gives up leaves no lease behind that others wait for.
    async fn refill(&self, scope: Scope, lease: Lease) -> Result<()> {
        let shared = self.shared.clone();
        let task = self
            .reserving
            .spawn(async move { shared.refill(scope, lease).await });
        task.await.map_err(Error::internal)?
    }

    fn refill_early(&self, scope: Scope, lease: Lease) {
        let shared = self.shared.clone();
        self.reserving.spawn(async move {
            if let Err(error) = shared.refill(scope, lease).await {
                tracing::warn!(scope = scope.key(), %error, "the next numbers could not be reserved early");
            }
        });
    }
}

impl Shared {
    /// An answer to each of so many who ask.
    async fn allocate_each(&self, scope: Scope, asking: usize) -> Vec<Result<Answer>> {
        let mut answers = Vec::with_capacity(asking);
        while answers.len() < asking {
            let left = asking - answers.len();
            match self.allocate(scope, None, left).await {
                Ok(answer) => answers.extend(answer.among(left).into_iter().map(Ok)),
                Err(error) => {
                    answers.extend((1..left).map(|_| Err(error.told_again())));
                    answers.push(Err(error));
                }
            }
        }
        answers
    }

    /// At most so many numbers.
    async fn allocate(&self, scope: Scope, claim: Option<&Claim>, most: usize) -> Result<Answer> {
        let mut call = ALLOCATE.call().key(&self.server.sequence_key(scope));
        if let Some(claim) = claim {
            call = call.key(&self.server.claim_key(scope, claim.uid));
        }
        call = call
            .arg(kind(scope))
            .arg(self.block)
            .arg(LEASE_MS)
            .arg(most);
        if let Some(claim) = claim {
            call = call
                .arg(hex(claim.fingerprint.as_bytes()))
                .arg(self.publish_deadline_ms)
                .arg(KEEP_CLAIMS_MS);
        }
        // What takes effect twice costs numbers, or finds its own claim in flight.
        let answer: String = call.run(&self.server).await?;
        Answer::parse(&answer).ok_or_else(|| {
            Error::internal(format!(
                "redis gave '{answer}' where a number was asked for"
            ))
        })
    }

    async fn refill(&self, scope: Scope, lease: Lease) -> Result<()> {
        let want = Reserve {
            scope,
            size: self.block,
            expected_lo: lease.hi,
        };
        let block = self.reserver.reserve(want).await?;
        metrics::number_block_reserved(scope);
        let install = INSTALL
            .call()
            .key(&self.server.sequence_key(scope))
            .arg(kind(scope))
            .arg(block.lo)
            .arg(block.hi)
            .arg(lease.run_id);
        // Refused or lost, the block is a gap that the next reservation marks.
        install.run_once::<bool>(&self.server).await.map(drop)
    }

    async fn tell(&self, what: &'static str, scope: Scope, call: Call<'_>) {
        if let Err(error) = call.run::<()>(&self.server).await {
            tracing::warn!(scope = scope.key(), %error, "redis was not told {what}");
        }
    }
}

#[async_trait]
impl Numbers for RedisNumbers {
    async fn take(&self, scope: Scope, claim: Option<Claim>) -> Result<Taken> {
        let deadline = Instant::now() + PATIENCE;
        let late = |_| {
            let scope = scope.key();
            Error::Busy(format!("no numbers could be reserved in time for {scope}"))
        };
        let (mut pause, longest_pause) = ASK_AGAIN;
        let mut turn = None;
        loop {
            match self.allocate(scope, claim.as_ref()).await? {
                Answer::Given {
                    first: number,
                    early,
                    ..
                } => {
                    metrics::number_given(scope);
                    if let Some(lease) = early {
                        self.refill_early(scope, lease);
                    }
                    return Ok(Taken::Given(number));
                }
                Answer::Other(taken) => return Ok(taken),
                Answer::Need(lease) => {
                    let refill = timeout_at(deadline, self.refill(scope, lease));
                    refill.await.map_err(late)??;
                }
                // One caller of this process asks again, for all who wait in line behind it.
                Answer::Wait if turn.is_none() => {
                    let first = timeout_at(deadline, self.turns.wait(scope));
                    turn = Some(first.await.map_err(late)?);
                }
                Answer::Wait => {
                    timeout_at(deadline, sleep(pause)).await.map_err(late)?;
                    pause = longest_pause.min(pause * 2);
                }
            }
        }
    }

    async fn settle(&self, scope: Scope, uid: Uid) {
        let claim = self.shared.server.claim_key(scope, uid);
        let call = SETTLE.call().key(&claim).arg("A");
        self.shared
            .tell("that a create was confirmed", scope, call)
            .await;
    }

    async fn release(&self, scope: Scope, uid: Uid) {
        let claim = self.shared.server.claim_key(scope, uid);
        let call = SETTLE.call().key(&claim).arg("P");
        self.shared
            .tell("that a create was refused", scope, call)
            .await;
    }

    async fn mark(&self, chat: ChatKey, state: State) {
        let scope = Scope::Messages(chat);
        let state = match state {
            State::Live => "1",
            State::Deleted => "d",
        };
        let sequence = self.shared.server.sequence_key(scope);
        let call = MARK.call().key(&sequence).arg(state).arg(KEEP_DELETED_MS);
        self.shared.tell("whether a chat exists", scope, call).await;
    }

    async fn last_given(&self, scope: Scope) -> Result<u64> {
        let server = &self.shared.server;
        let call = LAST
            .call()
            .key(&server.sequence_key(scope))
            .arg(kind(scope));
        match call.try_run(server).await {
            Some(Some(last)) => Ok(last),
            // Redis has no block, or is away: none is beyond the last that was reserved.
            Some(None) | None => self.shared.sequences.high(scope).await,
        }
    }

    /// Waits for reservations under way, for five seconds at most: a block that is not put into use is a
    /// gap. Nothing is given back: other processes give from the same block.
    async fn close(&self) -> Result<()> {
        self.reserving.close();
        if timeout(CLOSE_WITHIN, self.reserving.wait()).await.is_err() {
            tracing::warn!("stopping while numbers are being reserved; they become a gap");
        }
        Ok(())
    }
}

/// Messages and revs of a chat share its key.
fn kind(scope: Scope) -> &'static str {
    match scope {
        Scope::Chats(_) => "c",
        Scope::Messages(_) => "m",
        Scope::Revs(_) => "r",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
