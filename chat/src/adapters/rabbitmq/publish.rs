//! Publishing with confirms (PROTOCOLS B4 and B5): room first, then a message, then what became of it.
//!
//! Each channel has one task. Only it publishes there, because the broker counts messages in the order
//! in which they arrive and the library would number two at once in another; and only it reads confirms,
//! because they mean something only together (`confirms.rs`).

use super::confirms::{Confirm, Decision, Window};
use super::connection::{Link, describe};
use super::keeper::Keeper;
use super::message::Outgoing;
use super::pulse::Pulse;
use super::rooms::{Room, Rooms};
use super::woken::{PLACES, Woken};
use futures::FutureExt;
use futures::future::BoxFuture;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// From asking for room to the confirm.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);
/// How long a publisher waits for room.
const ROOM_WAIT: Duration = Duration::from_millis(200);
pub(super) const CHANNELS: usize = 8;
/// Publishes under way on one channel: as many as can be told apart (`woken.rs`), 64.
pub(super) const WINDOW: usize = PLACES;
/// Between a channel that the broker closed and the next.
const REOPEN_PAUSE: Duration = Duration::from_millis(100);

/// Before what was never handed to the broker is tried again.
const NOT_SENT_PAUSE: Duration = Duration::from_millis(20);

/// What became of a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Decided(Decision),
    /// It was never handed to the broker.
    NotSent(Arc<str>),
}

/// All channels for publishing, of one connection after the other.
#[derive(Clone)]
pub(super) struct Channels {
    requests: Arc<[mpsc::UnboundedSender<Request>]>,
    rooms: Arc<Rooms>,
    pulse: Arc<Pulse>,
    link: Link,
}

struct Request {
    message: Outgoing,
    waiting: Waiting,
}

/// Whoever waits for an outcome.
struct Waiting {
    reply: oneshot::Sender<Outcome>,
    /// Kept until the confirm, also when nobody waits any more: what is under way is bounded.
    _room: Room,
}

impl Channels {
    /// They end with the last clone of this.
    pub(super) fn open(link: Link, topology: Keeper) -> Self {
        let pulse = Arc::new(Pulse::default());
        let requests = (0..CHANNELS).map(|_| {
            let (sender, receiver) = mpsc::unbounded_channel();
            let (link, topology) = (link.clone(), topology.clone());
            tokio::spawn(run(link, topology, receiver, pulse.clone()));
            sender
        });
        Self {
            requests: requests.collect(),
            rooms: Arc::default(),
            pulse,
            link,
        }
    }

    /// Why nothing can be published now, if so.
    pub(super) fn obstacle(&self) -> Option<String> {
        let place = &self.link.place;
        let connection = match self.link.now() {
            Ok(connection) => connection,
            Err(why) => return Some(format!("no connection to {place}: {why}")),
        };
        if connection.status().blocked() {
            return Some(format!(
                "{place} takes nothing: it is short of memory or disk, see its alarms"
            ));
        }
        self.pulse
            .is_stalled()
            .then(|| format!("{place} confirms nothing"))
    }

    /// Room for one publish, or why there is none.
    pub(super) async fn room(&self) -> Result<Room, String> {
        if let Some(obstacle) = self.obstacle() {
            return Err(obstacle);
        }
        if let Some(room) = Rooms::try_enter(&self.rooms) {
            return Ok(room);
        }
        match timeout(ROOM_WAIT, Rooms::enter(&self.rooms)).await {
            Ok(room) => Ok(room),
            Err(_) => Err(format!(
                "{} messages wait for their confirms already",
                CHANNELS * WINDOW
            )),
        }
    }

    /// Publishes. The outcome is `Unknown` at the deadline; whatever the broker says later is harmless.
    pub(super) async fn publish(&self, room: Room, message: Outgoing, by: Instant) -> Outcome {
        if let Some(obstacle) = self.obstacle() {
            return Outcome::NotSent(obstacle.into());
        }
        let (reply, outcome) = oneshot::channel();
        let channel = &self.requests[room.channel];
        let sent = channel.send(Request {
            message,
            waiting: Waiting { reply, _room: room },
        });
        if sent.is_err() {
            return Outcome::NotSent("publishing has ended".into());
        }
        match timeout_at(by, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Outcome::Decided(Decision::Unknown),
        }
    }

    /// Publishes what a worker has in hand already: waits for room, and for a channel that is being opened, as
    /// long as it takes to be confirmed.
    pub(super) async fn publish_patiently(&self, message: Outgoing) -> Outcome {
        let by = Instant::now() + DEADLINE;
        loop {
            let Ok(room) = timeout_at(by, Rooms::enter(&self.rooms)).await else {
                return Outcome::NotSent("there is no room".into());
            };
            match self.publish(room, message.clone(), by).await {
                Outcome::NotSent(_) if Instant::now() + NOT_SENT_PAUSE < by => {
                    tokio::time::sleep(NOT_SENT_PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }
}

// ----------------------------------------------------------------------------------------------- channel

/// Keeps one channel open and publishes what is asked for, until nobody can ask any more.
async fn run(
    link: Link,
    topology: Keeper,
    mut requests: mpsc::UnboundedReceiver<Request>,
    pulse: Arc<Pulse>,
) {
    loop {
        let mut opening = std::pin::pin!(open(link.clone()));
        let opened = loop {
            tokio::select! {
                biased;
                opened = &mut opening => break opened,
                request = requests.recv() => match request {
                    Some(request) => not_sent(request, "the channel is being opened"),
                    None => return,
                },
            }
        };
        if let Ok(channel) = opened
            && serve(&channel, &mut requests, &pulse).await == Ended::NobodyAsks
        {
            return;
        }
        // A missing exchange closes the channel with each publish.
        topology.suspect();
        let pause = tokio::time::sleep(REOPEN_PAUSE);
        let mut pause = std::pin::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                request = requests.recv() => match request {
                    Some(request) => not_sent(request, "the channel was closed"),
                    None => return,
                },
            }
        }
    }
}

fn not_sent(request: Request, why: &str) {
    // Whoever gave up waiting needs no answer.
    let _ = request.waiting.reply.send(Outcome::NotSent(why.into()));
}

async fn open(mut link: Link) -> lapin::Result<Channel> {
    let connection = link.up().await;
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    Ok(channel)
}

struct InFlight {
    confirm: BoxFuture<'static, lapin::Result<Confirmation>>,
    waiting: Waiting,
}

#[derive(PartialEq)]
enum Ended {
    ChannelClosed,
    NobodyAsks,
}

/// Publishes and tells outcomes until the channel closes.
async fn serve(
    channel: &Channel,
    requests: &mut mpsc::UnboundedReceiver<Request>,
    pulse: &Pulse,
) -> Ended {
    let mut window = Window::default();
    let woken = Woken::default();
    let ended = poll_fn(|context| {
        woken.register(context.waker());
        let mut nobody_asks = false;
        loop {
            match requests.poll_recv(context) {
                Poll::Ready(Some(request)) if channel.status().connected() => {
                    pulse.started();
                    let Request { message, waiting } = request;
                    let sequence = window.next_sequence();
                    let confirm = start(channel.clone(), sequence, message);
                    window.push(InFlight { confirm, waiting });
                    woken.wake(sequence);
                }
                Poll::Ready(Some(request)) => not_sent(request, "the channel was closed"),
                Poll::Ready(None) => {
                    nobody_asks = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        look(&mut window, &woken);
        while let Some((publish, decision)) = window.decided() {
            pulse.ended();
            tell(publish, decision);
        }
        if nobody_asks && window.is_empty() {
            return Poll::Ready(Ended::NobodyAsks);
        }
        match channel.status().connected() {
            true => Poll::Pending,
            false => Poll::Ready(Ended::ChannelClosed),
        }
    })
    .await;
    for publish in window.abandon() {
        pulse.ended();
        tell(publish, Decision::Unknown);
    }
    ended
}

/// The message, numbered, on its way; the future ends with its confirm.
fn start(
    channel: Channel,
    sequence: u64,
    message: Outgoing,
) -> BoxFuture<'static, lapin::Result<Confirmation>> {
    let Outgoing {
        exchange,
        routing_key,
        properties,
        body,
    } = message;
    let properties = properties.with_correlation_id(sequence.to_string().into());
    async move {
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let confirm = channel
            .basic_publish(
                exchange.into(),
                routing_key.into(),
                options,
                &body,
                properties,
            )
            .await?;
        confirm.await
    }
    .boxed()
}

/// Reads confirms until there is none left to read: then everything is known that came before the last.
fn look(window: &mut Window<InFlight>, woken: &Woken) {
    while let Some(now) = woken.take() {
        let mut returned = Vec::new();
        window.look(|sequence, publish| {
            if !now.holds(sequence) {
                return None;
            }
            let polled = publish.confirm.poll_unpin(&mut woken.context(sequence));
            let Poll::Ready(outcome) = polled else {
                return None;
            };
            Some(match outcome {
                Ok(confirmation) => {
                    let is_nack = confirmation.is_nack();
                    returned.extend(confirmation.take_message().as_ref().and_then(numbered));
                    if is_nack { Confirm::Nack } else { Confirm::Ack }
                }
                Err(error) => {
                    tracing::debug!(error = describe(&error), "a publish has no outcome");
                    Confirm::Lost
                }
            })
        });
        for sequence in returned {
            window.returned(sequence);
        }
    }
}

/// Which publish came back.
fn numbered(message: &BasicReturnMessage) -> Option<u64> {
    let sequence = message.delivery.properties.correlation_id().as_ref()?;
    sequence.as_str().parse().ok()
}

fn tell(publish: InFlight, decision: Decision) {
    // Whoever gave up waiting has said that it does not know.
    let _ = publish.waiting.reply.send(Outcome::Decided(decision));
}
