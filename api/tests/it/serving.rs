//! The accept loop, over real sockets on loopback.

use crate::system::{System, a_system};
use api::ServeLimits;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    system: System,
}

async fn served(max_connections: u32) -> Served {
    let system = a_system().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let limits = ServeLimits::connections(max_connections);
    let serving = tokio::spawn(api::serve(
        listener,
        system.router.clone(),
        limits,
        stop.clone(),
    ));
    Served {
        address,
        stop,
        serving,
        system,
    }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Returns once nobody is accepted any more.
    async fn is_closed_to_others(&self) {
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Reads one answer with a content-length.
pub(crate) async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        let mut part = [0; 4096];
        let read = timeout(Duration::from_secs(20), stream.read(&mut part))
            .await
            .expect("an answer in time")
            .unwrap();
        assert_ne!(read, 0, "closed after {text:?}");
        bytes.extend_from_slice(&part[..read]);
    }
}

const GET: &str = "GET /applications HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn post(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_connection_carries_several_requests() {
    let served = served(10).await;
    let mut stream = served.connect().await;
    for _ in 0..3 {
        send(&mut stream, GET).await;
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn a_connection_that_is_kept_alive_hears_of_the_stop_in_its_last_answer() {
    let served = served(10).await;
    let mut stream = served.connect().await;
    send(&mut stream, GET).await;
    let kept = answer(&mut stream).await;
    assert!(!kept.contains("connection: close"), "{kept}");
    served.stop.cancel();
    served.is_closed_to_others().await;
    send(&mut stream, GET).await;
    let last = answer(&mut stream).await;
    assert!(last.starts_with("HTTP/1.1 200"), "{last}");
    assert!(last.contains("connection: close"), "{last}");
    served.serving.await.unwrap();
}

#[tokio::test]
async fn http_2_is_served_on_the_same_port() {
    let served = served(10).await;
    let mut stream = served.connect().await;
    // The connection preface and an empty SETTINGS frame (RFC 9113, 3.4); the server's own SETTINGS answer it.
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let mut head = [0; 9];
    timeout(Duration::from_secs(10), stream.read_exact(&mut head))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(head[3], 4, "a SETTINGS frame");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_one_ends() {
    let served = served(1).await;
    let mut first = served.connect().await;
    send(&mut first, GET).await;
    answer(&mut first).await;
    let mut second = served.connect().await;
    send(&mut second, GET).await;
    let mut byte = [0; 1];
    assert!(
        timeout(Duration::from_millis(300), second.read(&mut byte))
            .await
            .is_err(),
        "it was served beyond the limit"
    );
    drop(first);
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_answered_even_while_it_is_sent() {
    let served = served(10).await;
    let mut stream = served.connect().await;
    let body = "x".repeat(1024 * 1024);
    send(&mut stream, &post("/applications", body.len())).await;
    send(&mut stream, &body).await;
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 413"));
}

/// Takes as long as the deadline of a body and of a head.
#[tokio::test]
async fn a_slow_body_is_answered_with_a_timeout_and_a_slow_or_missing_head_is_cut_off() {
    let served = served(10).await;
    let started = Instant::now();
    let mut slow_body = served.connect().await;
    send(&mut slow_body, &post("/applications", 100)).await;
    send(&mut slow_body, "{").await;
    let mut slow_head = served.connect().await;
    send(&mut slow_head, "GET /applications HTTP/1.1\r\nhost: local").await;
    let silent = served.connect().await;
    let mut idle = served.connect().await;
    send(&mut idle, GET).await;
    answer(&mut idle).await;

    let timed_out = answer(&mut slow_body).await;
    assert!(
        timed_out.starts_with("HTTP/1.1 504")
            && timed_out.contains("urn:chatsystem:problem:timeout"),
        "{timed_out}"
    );
    for (mut stream, what) in [
        (slow_head, "a head that never ends"),
        (silent, "silence"),
        (idle, "silence after an answer"),
    ] {
        let mut rest = Vec::new();
        let closed = timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "{what} keeps its connection");
    }
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight_and_takes_nothing_new() {
    let served = served(10).await;
    let mut idle = served.connect().await;
    send(&mut idle, GET).await;
    answer(&mut idle).await;
    let mut busy = served.connect().await;
    let body = "{\"name\":\"a\"}";
    send(&mut busy, &post("/applications", body.len())).await;
    send(&mut busy, &body[..5]).await;
    // The request is in flight once the server has asked for nothing more: see that it holds a connection.
    let mut probe = served.connect().await;
    send(&mut probe, GET).await;
    answer(&mut probe).await;

    served.stop.cancel();
    let mut rest = Vec::new();
    timeout(Duration::from_secs(5), idle.read_to_end(&mut rest))
        .await
        .expect("an idle connection is closed")
        .unwrap();
    assert!(
        TcpStream::connect(served.address).await.is_err(),
        "the listener is closed"
    );
    send(&mut busy, &body[5..]).await;
    assert!(answer(&mut busy).await.starts_with("HTTP/1.1 201"));
    timeout(Duration::from_secs(5), served.serving)
        .await
        .expect("serving ends with its last request")
        .unwrap();
    assert_eq!(
        served.system.get("/applications").await.body["meta"]["total"],
        1
    );
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let served = served(10).await;
    let mut stuck = served.connect().await;
    send(&mut stuck, &post("/applications", 100)).await;
    send(&mut stuck, "{").await;
    let mut probe = served.connect().await;
    send(&mut probe, GET).await;
    answer(&mut probe).await;
    served.stop.cancel();
    timeout(Duration::from_secs(9), served.serving)
        .await
        .expect("serving ends in time")
        .unwrap();
}
