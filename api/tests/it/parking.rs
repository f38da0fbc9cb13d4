//! Connections that are parked between requests, over real sockets on loopback: nobody notices.

use crate::serving::{answer, send};
use api::ServeLimits;
use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// More than the buffers of both sockets.
const LARGE: usize = 8 * 1024 * 1024;
const PARK_AFTER: Duration = Duration::from_millis(1);
/// Many times what a connection is parked after.
const LONG: Duration = Duration::from_millis(50);

const SOON: Duration = Duration::from_secs(5);

const GET: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
const LAST: &str = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

async fn served() -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let large = Bytes::from(large());
    let router = Router::new()
        .route("/", get(async || "here"))
        .route("/echo", post(async |body: String| body))
        .route(
            "/deaf",
            post(async |body: Body| {
                // When the server looks whether to park the connection.
                tokio::time::sleep(3 * PARK_AFTER).await;
                drop(body);
                "heard nothing"
            }),
        )
        .route("/large", get(async move || large.clone()));
    let limits = ServeLimits {
        park_after: PARK_AFTER,
        ..ServeLimits::connections(10)
    };
    let stop = CancellationToken::new();
    let serving = tokio::spawn(api::serve(listener, router, limits, stop.clone()));
    Served {
        address,
        stop,
        serving,
    }
}

impl Served {
    /// A connection on which one request was answered, and then nothing happened for long.
    async fn parked(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        send(&mut stream, GET).await;
        assert!(answer(&mut stream).await.ends_with("\r\n\r\nhere"));
        nothing_comes(&mut stream).await;
        stream
    }
}

/// Bytes that show when one is missing or in a wrong place.
fn large() -> Vec<u8> {
    (0..LARGE / 8)
        .flat_map(|place| place.to_be_bytes())
        .collect()
}

async fn nothing_comes(stream: &mut TcpStream) {
    let read = timeout(LONG, stream.read_u8()).await;
    assert!(read.is_err(), "the server said {read:?}");
}

#[tokio::test]
async fn a_parked_connection_answers_the_next_request_again_and_again() {
    let served = served().await;
    let mut stream = served.parked().await;
    for _ in 0..3 {
        send(&mut stream, GET).await;
        let text = answer(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("\r\n\r\nhere"));
        assert!(!text.contains("connection: close"), "{text}");
        nothing_comes(&mut stream).await;
    }
}

#[tokio::test]
async fn a_request_that_comes_in_pieces_to_a_parked_connection_is_answered() {
    let served = served().await;
    let mut stream = served.parked().await;
    let request = "POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 8\r\n\r\nwhat now";
    // In the first letter, in the method (which HTTP/2 begins with, too), in a header, before the body, in it.
    for at in [1, 2, 30, request.len() - 8, request.len() - 3] {
        let (first, rest) = request.split_at(at);
        send(&mut stream, first).await;
        nothing_comes(&mut stream).await;
        send(&mut stream, rest).await;
        let text = answer(&mut stream).await;
        assert!(text.ends_with("\r\n\r\nwhat now"), "{at}: {text}");
        nothing_comes(&mut stream).await;
    }
}

/// What comes after the answer belongs to the request, whatever it looks like.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_of_a_request_that_was_answered_early_is_no_request() {
    const HALF: &str = "POST /deaf HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nhalf";
    let served = served().await;
    for _ in 0..300 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        send(&mut stream, HALF).await;
        let mut said = vec![0; 4096];
        let read = stream.read(&mut said).await.unwrap();
        said.truncate(read);
        // It may have been closed by now.
        stream.write_all(GET.as_bytes()).await.ok();
        let end = timeout(SOON, stream.read_to_end(&mut said)).await;
        assert!(end.is_ok(), "it is still open");
        let said = String::from_utf8_lossy(&said);
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
    }
}

#[tokio::test]
async fn what_follows_a_request_in_the_same_packet_is_answered_after_it() {
    let served = served().await;
    let mut stream = served.parked().await;
    send(&mut stream, &format!("{GET}{GET}{}", &GET[..9])).await;
    let mut text = String::new();
    while text.matches("\r\n\r\nhere").count() < 2 {
        text.push_str(&answer(&mut stream).await);
    }
    nothing_comes(&mut stream).await;
    send(&mut stream, &GET[9..]).await;
    assert!(answer(&mut stream).await.ends_with("\r\n\r\nhere"));
}

#[tokio::test]
async fn a_first_request_that_begins_like_http_2_is_answered() {
    let served = served().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    nothing_comes(&mut stream).await;
    send(&mut stream, "P").await;
    nothing_comes(&mut stream).await;
    let rest = "OST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\nping";
    send(&mut stream, rest).await;
    assert!(answer(&mut stream).await.ends_with("\r\n\r\nping"));
}

#[tokio::test]
async fn who_reads_slowly_gets_every_byte() {
    let served = served().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stream = socket.connect(served.address).await.unwrap();
    send(
        &mut stream,
        "GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n",
    )
    .await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    // The rest can be sent only as it is taken.
    let mut body = vec![0; LARGE];
    stream.read_exact(&mut body).await.unwrap();
    assert!(body == large(), "the answer is not what was sent");
    nothing_comes(&mut stream).await;
    send(&mut stream, GET).await;
    assert!(answer(&mut stream).await.ends_with("\r\n\r\nhere"));
}

#[tokio::test]
async fn a_client_that_wants_no_more_is_closed_at_once() {
    let served = served().await;
    let mut stream = served.parked().await;
    send(&mut stream, LAST).await;
    let mut text = String::new();
    timeout(Duration::from_secs(5), stream.read_to_string(&mut text))
        .await
        .expect("closed long before the deadline for a next request")
        .unwrap();
    assert!(text.ends_with("\r\n\r\nhere"), "{text}");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_parked_connections() {
    let served = served().await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    let mut parked = served.parked().await;
    served.stop.cancel();
    timeout(Duration::from_secs(5), served.serving)
        .await
        .expect("the end, and not the deadline for requests in flight")
        .unwrap();
    for stream in [&mut silent, &mut parked] {
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_client_that_leaves_a_parked_connection_makes_room_for_another() {
    let served = served().await;
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(served.parked().await);
    }
    let mut waiting = TcpStream::connect(served.address).await.unwrap();
    waiting.write_all(GET.as_bytes()).await.unwrap();
    nothing_comes(&mut waiting).await;
    streams.pop();
    assert!(answer(&mut waiting).await.ends_with("\r\n\r\nhere"));
}
