use super::*;
use axum::routing::get;
use hyper_util::rt::TokioTimer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::timeout;

const GET: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn serving() -> Serving {
    let mut http1 = http1::Builder::new();
    http1.timer(TokioTimer::new());
    Serving {
        router: Router::new().route("/", get(async || "here")),
        http1,
        http2: http2::Builder::new(TokioExecutor::new()),
        park_after: Duration::from_millis(1),
        closing: CancellationToken::new(),
        stop: CancellationToken::new(),
    }
}

/// Client and server.
async fn a_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

async fn serve(serving: &Serving, stream: TcpStream, unread: Bytes) -> Option<(TcpStream, Bytes)> {
    let long = Duration::from_secs(20);
    let peer = stream.peer_addr().unwrap().ip();
    timeout(
        long,
        serving.serve_http1(stream, unread, peer, Instant::now() + long),
    )
    .await
    .expect("it is parked or ends")
}

async fn answered(client: &mut TcpStream) {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\nhere") {
        text.push(client.read_u8().await.unwrap());
    }
}

#[tokio::test]
async fn a_connection_is_given_back_after_each_answer() {
    let serving = serving();
    let (mut client, mut stream) = a_pair().await;
    for _ in 0..3 {
        client.write_all(GET.as_bytes()).await.unwrap();
        let (parked, unread) = serve(&serving, stream, Bytes::new()).await.unwrap();
        assert_eq!(unread, "");
        answered(&mut client).await;
        stream = parked;
    }
}

#[tokio::test]
async fn half_a_head_that_was_read_is_given_back_and_understood_later() {
    let serving = serving();
    let (mut client, stream) = a_pair().await;
    let (first, rest) = GET.split_at(9);
    let sent = format!("{GET}{first}");
    client.write_all(sent.as_bytes()).await.unwrap();
    let (stream, unread) = serve(&serving, stream, Bytes::new()).await.unwrap();
    assert_eq!(unread, first);
    answered(&mut client).await;

    client.write_all(rest.as_bytes()).await.unwrap();
    let (_stream, unread) = serve(&serving, stream, unread).await.unwrap();
    assert_eq!(unread, "");
    answered(&mut client).await;
}

#[tokio::test]
async fn a_connection_that_the_client_closes_is_not_given_back() {
    let serving = serving();
    let (client, stream) = a_pair().await;
    drop(client);
    assert!(serve(&serving, stream, Bytes::new()).await.is_none());
}
