//! One consumer of one queue: deliveries, a batch, the rules, and a settlement for each.
//!
//! Nothing is acked before its effect is committed and its index command is confirmed (I10, W25).

use crate::batch::{self, BatchLimits};
use crate::retry::Backoff;
use chat::backends::Work;
use chat::error::Error;
use chat::event::{Command, Envelope, IndexRows, Origin, Queue, VERSION};
use chat::metrics;
use chat::model::MessageKey;
use chat::ops::index;
use chat::ops::persist::{self, Fate};
use chat::ports::{BuryReason, Delivery};
use chat::rows::Outcome;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long a worker that met a newer command leaves it to others.
const NEWER_COMMAND_WAIT: Duration = Duration::from_secs(1);

/// How one queue is consumed.
#[derive(Clone, Copy, Debug)]
pub struct Consuming {
    pub limits: BatchLimits,
    /// How long deliveries are held, and tried again, while a backend is away. Nobody waits for a delivery
    /// of a queue that lasts, and one that is given back again and again looks like poison. Zero where a
    /// publisher waits for the outcome.
    pub hold: Duration,
}

/// Consumes until `stop`, then finishes everything already delivered.
pub async fn consume(
    work: Work,
    queue: Queue,
    consuming: Consuming,
    stop: CancellationToken,
) -> Result<(), Error> {
    let limits = consuming.limits;
    let mut deliveries = work.subscriber.consume(queue).await?;
    let mut worker = Worker {
        work,
        queue,
        hold: consuming.hold,
        stop: stop.clone(),
        backoff: Backoff::default(),
    };
    let mut before = batch::Before::default();
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = batch::gather(&mut *deliveries, limits, before, &mut batch) => {}
        }
        let (size, started) = (batch.len(), std::time::Instant::now());
        let wait = worker
            .carry_out(std::mem::take(&mut batch))
            .await
            .max(limits.pause);
        before = batch::Before {
            size,
            took: started.elapsed(),
        };
        if !wait.is_zero() {
            // A stop ends the wait, not the work.
            let _ = tokio::time::timeout(wait, stop.cancelled()).await;
        }
    }
    deliveries.cancel().await;
    loop {
        batch::gather(&mut *deliveries, limits, before, &mut batch).await;
        if batch.is_empty() {
            return Ok(());
        }
        let wait = worker.carry_out(std::mem::take(&mut batch)).await;
        if !wait.is_zero() {
            // The backend is away: what is left was given back, and will be again.
            return Ok(());
        }
    }
}

/// What carries batches of one queue out.
struct Worker {
    work: Work,
    queue: Queue,
    hold: Duration,
    stop: CancellationToken,
    backoff: Backoff,
}

/// How much longer a batch is held.
struct Hold<'a> {
    until: Instant,
    stop: &'a CancellationToken,
    backoff: Backoff,
    queue: Queue,
}

impl Hold<'_> {
    /// Waits before the next try; false when it is time to give the batch back.
    async fn again(&mut self, why: &Error) -> bool {
        if Instant::now() >= self.until || self.stop.is_cancelled() {
            return false;
        }
        let pause = self.backoff.failed();
        tracing::warn!(queue = self.queue.name(), %why, pause_ms = pause.as_millis(), "a batch is held");
        tokio::time::timeout(pause, self.stop.cancelled())
            .await
            .is_err()
    }
}

impl Worker {
    fn hold(&self) -> Hold<'_> {
        Hold {
            until: Instant::now() + self.hold,
            stop: &self.stop,
            backoff: Backoff::default(),
            queue: self.queue,
        }
    }
    /// Carries out a batch and settles each of its deliveries. Returns how long to wait before the next:
    /// nothing, unless a backend was away.
    async fn carry_out(&mut self, batch: Vec<Delivery>) -> Duration {
        let queue = self.queue;
        let mut commands = Vec::with_capacity(batch.len());
        let mut readable = Vec::with_capacity(batch.len());
        let mut wait = Duration::ZERO;
        for mut delivery in batch {
            match take_command(&mut delivery) {
                Ok(command) => {
                    commands.push(command);
                    readable.push(delivery);
                }
                Err(chat::event::DecodeError::Newer(version)) => {
                    tracing::warn!(
                        queue = queue.name(),
                        version,
                        "a command of a newer version is left to a newer worker"
                    );
                    delivery
                        .nack(Error::Busy(
                            "the command's version is newer than this worker".into(),
                        ))
                        .await;
                    wait = NEWER_COMMAND_WAIT;
                }
                Err(malformed) => {
                    bury(queue, delivery, BuryReason::Decode, malformed.to_string()).await
                }
            }
        }
        let failure = match queue {
            Queue::Indexing => self.index(commands, readable).await,
            Queue::Chats | Queue::Messages => self.store(commands, readable).await,
        };
        match failure {
            None => self.backoff.succeeded(),
            Some(error) => {
                let pause = self.backoff.failed();
                tracing::warn!(queue = queue.name(), %error, pause_ms = pause.as_millis(), "a batch was given back");
                wait = wait.max(pause);
            }
        }
        wait
    }

    /// Returns why deliveries had to be given back, if any.
    async fn store(&self, commands: Vec<Command>, batch: Vec<Delivery>) -> Option<Error> {
        if batch.is_empty() {
            return None;
        }
        let (work, queue) = (&self.work, self.queue);
        let mut hold = self.hold();
        let (mut fates, mut rows) = persist::store(&*work.writer, queue, &commands).await;
        while let Some(error) = fates.iter().find_map(not_done)
            && hold.again(error).await
        {
            let open: Vec<usize> = (0..fates.len())
                .filter(|place| not_done(&fates[*place]).is_some())
                .collect();
            let again: Vec<Command> = open.iter().map(|place| commands[*place].clone()).collect();
            let (settled, more) = persist::store(&*work.writer, queue, &again).await;
            for (place, fate) in open.into_iter().zip(settled) {
                fates[place] = fate;
            }
            rows.extend(more);
        }
        let indexed = loop {
            match publish_rows(work, rows.clone()).await {
                Err(error) if hold.again(&error).await => {}
                outcome => break outcome,
            }
        };
        settle(queue, batch, fates, indexed).await
    }

    /// All rows of a batch share one commit of the index.
    async fn index(&self, commands: Vec<Command>, batch: Vec<Delivery>) -> Option<Error> {
        let mut keys = BTreeSet::new();
        let mut deliveries = Vec::with_capacity(batch.len());
        for (command, delivery) in commands.into_iter().zip(batch) {
            if let Command::IndexRows(IndexRows { rows }) = command {
                keys.extend(rows.iter().copied());
                deliveries.push((rows, delivery));
            } else {
                let detail = format!("{} is not for the index", command.kind());
                bury(Queue::Indexing, delivery, BuryReason::Decode, detail).await;
            }
        }
        let mut open: Vec<MessageKey> = keys.into_iter().collect();
        let mut hold = self.hold();
        let outcome = loop {
            if open.is_empty() {
                break Ok(Vec::new());
            }
            let outcome = index::index_rows(&*self.work.across, &*self.work.search, &open).await;
            let why = match &outcome {
                Ok(again) if again.is_empty() => break outcome,
                Ok(again) => Error::Busy(format!("{} rows were not indexed", again.len())),
                Err(error) => Error::Busy(error.to_string()),
            };
            if !hold.again(&why).await {
                break outcome;
            }
            if let Ok(again) = outcome {
                open = again;
            }
        };
        settle_indexed(deliveries, outcome).await
    }
}

/// The command is taken out of the delivery; what is left is its settlement.
fn take_command(delivery: &mut Delivery) -> Result<Command, chat::event::DecodeError> {
    let taken = Err(chat::event::DecodeError::Malformed("taken already".into()));
    std::mem::replace(&mut delivery.envelope, taken).map(|envelope| envelope.command)
}

async fn bury(queue: Queue, delivery: Delivery, reason: BuryReason, detail: String) {
    metrics::buried(queue, reason);
    if let Err(error) = delivery.bury(reason, detail).await {
        tracing::error!(queue = queue.name(), reason = reason.as_str(), %error, "a delivery could not be set aside; it comes again");
    }
}

fn not_done(fate: &Fate) -> Option<&Error> {
    match fate {
        Fate::NotDone(error) => Some(error),
        _ => None,
    }
}

async fn settle(
    queue: Queue,
    batch: Vec<Delivery>,
    fates: Vec<Fate>,
    indexed: Result<(), Error>,
) -> Option<Error> {
    let mut failure = None;
    for (delivery, fate) in batch.into_iter().zip(fates) {
        match (fate, &indexed) {
            (Fate::Done(Outcome::Collision), _) => {
                let detail = "another message lives under this number".to_owned();
                bury(queue, delivery, BuryReason::Collision, detail).await;
            }
            (Fate::Done(_), Ok(())) => delivery.ack().await,
            // Stored, but the index was not told: the same delivery again finds the row and tells it.
            (Fate::Done(_), Err(error)) => {
                delivery
                    .nack(Error::OutcomeUnknown {
                        number: None,
                        uid: None,
                    })
                    .await;
                failure.get_or_insert_with(|| Error::Busy(error.to_string()));
            }
            (Fate::Refused(detail), _) => bury(queue, delivery, BuryReason::Refused, detail).await,
            (Fate::NotDone(error), _) => {
                failure.get_or_insert_with(|| Error::Busy(error.to_string()));
                delivery.nack(error).await;
            }
        }
    }
    failure
}

async fn publish_rows(work: &Work, rows: Vec<MessageKey>) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let command = Command::IndexRows(IndexRows { rows });
    let envelope = Envelope {
        version: VERSION,
        command,
        origin: Origin::default(),
    };
    work.publisher.slot().await?.publish(envelope).await
}

type Indexed = (Vec<MessageKey>, Delivery);

async fn settle_indexed(
    deliveries: Vec<Indexed>,
    outcome: Result<Vec<MessageKey>, Error>,
) -> Option<Error> {
    match outcome {
        Ok(again) => {
            for (rows, delivery) in deliveries {
                match rows.iter().any(|row| again.contains(row)) {
                    false => delivery.ack().await,
                    true => {
                        delivery
                            .nack(Error::Busy("the index did not take every row".into()))
                            .await
                    }
                }
            }
            (!again.is_empty())
                .then(|| Error::Busy(format!("{} rows were not indexed", again.len())))
        }
        Err(error) => {
            for (_, delivery) in deliveries {
                delivery.nack(Error::Busy(error.to_string())).await;
            }
            Some(error)
        }
    }
}
