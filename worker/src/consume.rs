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
use chat::traces;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How long a worker that met a newer command leaves it to others.
const NEWER_COMMAND_WAIT: Duration = Duration::from_secs(1);

/// Consumes until `stop`, then finishes everything already delivered.
pub async fn consume(
    work: Work,
    queue: Queue,
    limits: BatchLimits,
    stop: CancellationToken,
) -> Result<(), Error> {
    let mut deliveries = work.subscriber.consume(queue).await?;
    let mut backoff = Backoff::default();
    let mut before = batch::Before::default();
    let mut batch = Vec::new();
    let mut under_way = FuturesUnordered::new();
    let mut rests_until = None;
    loop {
        let may_begin = rests_until.is_none() && under_way.len() < limits.at_once;
        let alone = under_way.is_empty();
        let gathering = async {
            match alone {
                true => batch::gather(&mut *deliveries, limits, before, &mut batch).await,
                false => batch::gather_all(&mut *deliveries, limits, &mut batch).await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = gathering, if may_begin => {
                under_way.push(carry_out(&work, queue, std::mem::take(&mut batch)));
            }
            Some(carried) = under_way.next() => {
                before = carried.size_and_time;
                let rest = carried.rest(queue, &mut backoff).max(limits.pause);
                rests_until = (!rest.is_zero()).then(|| Instant::now() + rest);
            }
            () = sleep_until(rests_until.unwrap_or_else(Instant::now)), if rests_until.is_some() => {
                rests_until = None;
            }
        }
    }
    let (last, ()) = tokio::join!(under_way.collect::<Vec<_>>(), deliveries.cancel());
    for carried in last {
        carried.rest(queue, &mut backoff);
    }
    loop {
        batch::gather(&mut *deliveries, limits, before, &mut batch).await;
        if batch.is_empty() {
            return Ok(());
        }
        let carried = carry_out(&work, queue, std::mem::take(&mut batch)).await;
        if !carried.rest(queue, &mut backoff).is_zero() {
            // The backend is away: what is left was given back, and will be again.
            return Ok(());
        }
    }
}

/// What became of a batch.
struct Carried {
    size_and_time: batch::Before,
    /// Why deliveries were given back, if any were.
    failure: Option<Error>,
    /// Whether a command was left to a newer worker.
    met_newer: bool,
}

impl Carried {
    /// How long to wait before the next: nothing, unless a backend was away.
    fn rest(self, queue: Queue, backoff: &mut Backoff) -> Duration {
        let newer = match self.met_newer {
            true => NEWER_COMMAND_WAIT,
            false => Duration::ZERO,
        };
        let Some(error) = self.failure else {
            backoff.succeeded();
            return newer;
        };
        let pause = backoff.failed();
        tracing::warn!(queue = queue.name(), %error, pause_ms = pause.as_millis(), "a batch was given back");
        newer.max(pause)
    }
}

/// Carries out a batch and settles each of its deliveries.
async fn carry_out(work: &Work, queue: Queue, batch: Vec<Delivery>) -> Carried {
    let (size, started) = (batch.len(), Instant::now());
    let envelopes = batch.iter().filter_map(|one| one.envelope.as_ref().ok());
    let span = traces::batch(queue, batch.len(), envelopes.map(|one| &one.origin));
    // A queue may hold what another had no place for: the command says what is to be done.
    let (mut commands, mut to_store) = (Vec::new(), Vec::new());
    let mut to_index = Vec::new();
    let mut met_newer = false;
    for mut delivery in batch {
        match take_command(&mut delivery) {
            Ok(Command::IndexRows(IndexRows { rows })) => to_index.push((rows, delivery)),
            Ok(command) => {
                commands.push(command);
                to_store.push(delivery);
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
                met_newer = true;
            }
            Err(malformed) => {
                bury(queue, delivery, BuryReason::Decode, malformed.to_string()).await
            }
        }
    }
    let origin = Origin {
        request_id: None,
        traceparent: span.traceparent(),
    };
    let not_stored = store_batch(work, queue, commands, to_store, origin).await;
    let not_indexed = index_batch(work, to_index).await;
    let failure = not_stored.or(not_indexed);
    span.ended(failure.as_ref());
    Carried {
        size_and_time: batch::Before {
            size,
            took: started.elapsed(),
        },
        failure,
        met_newer,
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

// ------------------------------------------------------------------------------------------------ store

/// `origin` is this batch, as the cause of what follows from it. Returns why deliveries had to be given back,
/// if any.
async fn store_batch(
    work: &Work,
    queue: Queue,
    commands: Vec<Command>,
    batch: Vec<Delivery>,
    origin: Origin,
) -> Option<Error> {
    if batch.is_empty() {
        return None;
    }
    let (fates, rows) = persist::store(&*work.writer, queue, &commands).await;
    let indexed = publish_rows(work, rows, origin).await;
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

async fn publish_rows(work: &Work, rows: Vec<MessageKey>, origin: Origin) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let command = Command::IndexRows(IndexRows { rows });
    let envelope = Envelope {
        version: VERSION,
        command,
        origin,
    };
    work.publisher.slot().await?.publish(envelope).await
}

// ------------------------------------------------------------------------------------------------ index

/// All rows of a batch share one commit of the index.
async fn index_batch(work: &Work, batch: Vec<(Vec<MessageKey>, Delivery)>) -> Option<Error> {
    if batch.is_empty() {
        return None;
    }
    let keys: BTreeSet<MessageKey> = batch
        .iter()
        .flat_map(|(rows, _)| rows.iter().copied())
        .collect();
    let keys: Vec<MessageKey> = keys.into_iter().collect();
    match index::index_rows(&*work.across, &*work.search, &keys).await {
        Ok(again) => {
            for (rows, delivery) in batch {
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
            for (_, delivery) in batch {
                delivery.nack(Error::Busy(error.to_string())).await;
            }
            Some(error)
        }
    }
}
