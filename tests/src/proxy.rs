//! Stands between a program and a server, and holds back what either says to the other: whoever waits for
//! it can then be killed at a known step.

use crate::eventually::eventually;
use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Class and method of a frame of AMQP, as its payload starts.
pub const CONSUME: &[u8] = &[0, 60, 0, 20];
pub const PUBLISH: &[u8] = &[0, 60, 0, 40];
/// Of a worker to the broker: done. Of the broker to a publisher: confirmed.
pub const ACK: &[u8] = &[0, 60, 0, 80];

/// What is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    ToServer,
    ToClient,
    /// To the server, on connections that consume; those that publish go on.
    ByConsumer,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    hold: Option<Hold>,
    /// Connections of earlier ones end, with whatever is held on them.
    generation: u64,
}

pub struct Proxy {
    port: u16,
    state: watch::Sender<State>,
    held: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    /// `server` is a host and a port.
    pub async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (state, seen) = watch::channel(State::default());
        let held = Arc::new(Mutex::new(Vec::new()));
        let (server, noted) = (server.to_owned(), held.clone());
        tokio::spawn(async move {
            // Ends with the proxy, of which it sees no more states.
            let mut alive = seen.clone();
            loop {
                let client = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = gone(&mut alive) => return,
                };
                let (Ok((client, _)), Ok(server)) = (client, TcpStream::connect(&server).await)
                else {
                    continue;
                };
                tokio::spawn(pass_on(client, server, seen.clone(), noted.clone()));
            }
        });
        Self { port, state, held }
    }

    /// `url` with this proxy in the place of its server.
    pub fn instead_of(&self, url: &str) -> String {
        let (place, port) = (place(url), self.port);
        url.replacen(place, &format!("127.0.0.1:{port}"), 1)
    }

    /// From now on, until `cut`.
    pub fn hold(&self, hold: Hold) {
        self.held.lock().expect(NO_PANIC).clear();
        self.state.send_modify(|state| state.hold = Some(hold));
    }

    pub fn holds_back(&self) -> bool {
        self.state.borrow().hold.is_some()
    }

    /// Returns once such bytes are held back.
    pub async fn holds(&self, bytes: &[u8], within: Duration) {
        let looks = async || {
            let held = self.held.lock().expect(NO_PANIC);
            contains(&held, bytes)
        };
        eventually(within, looks, |held| *held).await;
    }

    /// Holds back from now on, and returns once such bytes are held. Where a part of a message had passed before,
    /// its sender waits for the answer and says nothing more: then the rest of it may pass, and the next is held.
    pub async fn reach(&self, hold: Hold, bytes: &[u8], within: Duration) {
        self.hold(hold);
        let since = Cell::new(Instant::now());
        let looks = async || {
            if !self.holds_back() {
                self.hold(hold);
            } else if since.get().elapsed() > A_MESSAGE {
                self.let_go();
                since.set(Instant::now());
            }
            contains(&self.held.lock().expect(NO_PANIC), bytes)
        };
        eventually(within, looks, |held| *held).await;
    }

    /// Passes on what was held back, and everything else.
    pub fn let_go(&self) {
        self.state.send_modify(|state| state.hold = None);
    }

    /// Ends every connection, and nobody ever hears what was held back. New ones pass.
    pub fn cut(&self) {
        self.state.send_modify(|state| {
            state.hold = None;
            state.generation += 1;
        });
    }
}

/// By then a message that began to be sent is there.
const A_MESSAGE: Duration = Duration::from_secs(3);
const NO_PANIC: &str = "nothing panics while holding this lock";

/// Host and port in the address of a server.
pub fn place(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

async fn gone(state: &mut watch::Receiver<State>) {
    while state.changed().await.is_ok() {}
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Until either side closes its connection, or all of them are cut.
async fn pass_on(
    client: TcpStream,
    server: TcpStream,
    state: watch::Receiver<State>,
    held: Arc<Mutex<Vec<u8>>>,
) {
    let (consumes, consumed) = watch::channel(false);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let asks = Direction {
        holds: |hold, consumes| hold == Hold::ToServer || hold == Hold::ByConsumer && consumes,
        state: state.clone(),
        held: held.clone(),
        consumed: consumed.clone(),
        consumes: Some(consumes),
    };
    let answers = Direction {
        holds: |hold, _| hold == Hold::ToClient,
        state,
        held,
        consumed,
        consumes: None,
    };
    tokio::select! {
        () = asks.run(from_client, to_server) => {}
        () = answers.run(from_server, to_client) => {}
    }
}

struct Direction {
    /// Whether this is held back, on a connection that consumes or not.
    holds: fn(Hold, bool) -> bool,
    state: watch::Receiver<State>,
    held: Arc<Mutex<Vec<u8>>>,
    consumed: watch::Receiver<bool>,
    consumes: Option<watch::Sender<bool>>,
}

impl Direction {
    fn is_held(&self) -> bool {
        let hold = self.state.borrow().hold;
        hold.is_some_and(|hold| (self.holds)(hold, *self.consumed.borrow()))
    }

    async fn run(mut self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let generation = self.state.borrow_and_update().generation;
        let (mut waiting, mut read) = (Vec::new(), [0; 16 * 1024]);
        loop {
            if !waiting.is_empty() && !self.is_held() {
                if to.write_all(&waiting).await.is_err() {
                    return;
                }
                waiting.clear();
            }
            tokio::select! {
                length = from.read(&mut read) => {
                    let bytes = length.ok().and_then(|length| read.get(..length));
                    let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { return };
                    if contains(bytes, CONSUME) && let Some(consumes) = &self.consumes {
                        consumes.send_replace(true);
                    }
                    waiting.extend_from_slice(bytes);
                    if self.is_held() {
                        self.held.lock().expect(NO_PANIC).extend_from_slice(bytes);
                    }
                }
                changed = self.state.changed() => {
                    if changed.is_err() || self.state.borrow_and_update().generation != generation {
                        return;
                    }
                }
            }
        }
    }
}
