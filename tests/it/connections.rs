//! Connections by hand, byte by byte: nobody holds one for ever, and nothing that is sent is too large,
//! too slow or too wrong to be answered or cut off.

use e2e::client::Client;
use e2e::program::Program;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, timeout};

/// For headers and for bodies; the rest is for the machine.
const CUT_OFF: Duration = Duration::from_secs(15);
const HEAD: &str =
    "POST /applications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

#[tokio::test]
async fn who_is_silent_or_slow_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start(&dir.path().join("data")).await;
    let place = program.place.address();
    let silent = async |sent: &str| said_after(place, sent.as_bytes()).await;
    let cut_body = format!("{HEAD}Content-Length: 100\r\n\r\n{{\"na");
    let (nothing, one_letter, half_a_head, next_head, half_a_body, drop_by_drop) = tokio::join!(
        silent(""),
        silent("P"),
        silent("GET /applications HTTP/1.1\r\nHost: loc"),
        silent("GET /applications HTTP/1.1\r\nHost: localhost\r\n\r\nGET /appl"),
        silent(&cut_body),
        dripping(place),
    );
    assert_eq!([nothing, one_letter, half_a_head], ["", "", ""]);
    assert_eq!(statuses(&next_head), ["200"]);
    assert_eq!(statuses(&half_a_body), ["504"]);
    assert_eq!(statuses(&drop_by_drop), ["504"]);
    program.stop().await;
}

/// Sends this, and then nothing; what is answered until the end of the connection.
async fn said_after(place: &str, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(place).await.expect("it listens");
    stream.write_all(sent).await.expect("it reads");
    rest_of(&mut stream).await
}

/// A body that never stops coming, a byte at a time.
async fn dripping(place: &str) -> String {
    let mut stream = TcpStream::connect(place).await.expect("it listens");
    let head = format!("{HEAD}Content-Length: 100000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let (mut read, mut write) = stream.split();
    let mut said = Vec::new();
    let mut drops = interval(Duration::from_millis(200));
    let deadline = Instant::now() + CUT_OFF;
    let end = loop {
        tokio::select! {
            end = read.read_buf(&mut said) => match end {
                Ok(0) | Err(_) => break true,
                Ok(_) => {}
            },
            // Writing fails once it has been cut off; what was said by then is what counts.
            _ = drops.tick() => drop(write.write_all(b" ").await),
            () = tokio::time::sleep_until(deadline) => break false,
        }
    };
    assert!(end, "it still listens after {CUT_OFF:?}");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn what_is_too_large_or_no_http_is_refused_and_the_next_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start(&dir.path().join("data")).await;
    let place = program.place.address();
    let get = "GET /applications HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let many: String = (0..500).map(|n| format!("X-{n}: a\r\n")).collect();
    let large = format!("X: {}\r\n", "a".repeat(100_000));
    let close = format!("{HEAD}Connection: close\r\n");
    for (sent, status) in [
        (format!("{get}\r\n"), "200"),
        (format!("{get}{many}\r\n"), "431"),
        (format!("{get}{large}\r\n"), "431"),
        ("\u{16}\u{3}\u{1}\u{2} this is TLS".to_owned(), "400"),
        (get.replace("localhost", "evil.example") + "\r\n", "403"),
        (get.replace("/applications", "/none") + "\r\n", "404"),
        (get.replace("GET", "BREW") + "\r\n", "405"),
        (
            format!("{close}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            "400",
        ),
        (
            close.replace("application/json", "text/plain") + "Content-Length: 1\r\n\r\n1",
            "415",
        ),
        (format!("{close}Content-Length: 2\r\n\r\n[]"), "400"),
        (
            format!(
                "{close}Content-Length: 262145\r\n\r\n{}",
                " ".repeat(262_145)
            ),
            "413",
        ),
    ] {
        let mut stream = TcpStream::connect(place).await.expect("it listens");
        // It may have heard enough before everything is sent.
        stream.write_all(sent.as_bytes()).await.ok();
        let said = rest_of(&mut stream).await;
        let shown: String = sent.chars().take(200).collect();
        assert_eq!(statuses(&said), [status], "{shown}: {said}");
    }
    let client = Client::new(&program.place).await;
    client
        .post("/apps", json!({ "name": "still here" }))
        .await
        .expect(201);
    let all = client.get("/apps").await.expect(200);
    assert_eq!(
        all.body["meta"]["total"], 1,
        "what was refused left nothing"
    );
    program.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_one_closes() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [("CHAT_MAX_CONNECTIONS", "3")];
    let program = Program::start_with(&dir.path().join("data"), &settings).await;
    let place = program.place.address();
    let ask = b"GET /applications HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut inside = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(place).await.unwrap();
        stream.write_all(ask).await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        inside.push(stream);
    }
    let mut waiting = TcpStream::connect(place).await.unwrap();
    waiting.write_all(ask).await.unwrap();
    let mut first = [0; 12];
    let early = timeout(Duration::from_millis(300), waiting.read_exact(&mut first)).await;
    assert!(early.is_err(), "a fourth connection is let in");
    drop(inside.pop());
    let let_in = timeout(CUT_OFF, waiting.read_exact(&mut first)).await;
    let_in.expect("there is room now").unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    drop((inside, waiting));
    program.stop().await;
}

/// Everything until the other side closes; panics when it does not.
async fn rest_of(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let end = timeout(CUT_OFF, stream.read_to_end(&mut said)).await;
    let shown = String::from_utf8_lossy(&said).into_owned();
    // A reset is an end as well.
    assert!(end.is_ok(), "it is still open after {CUT_OFF:?}: {shown}");
    shown
}

fn statuses(said: &str) -> Vec<&str> {
    let heads = said.split("HTTP/1.1 ").skip(1);
    heads
        .map(|head| head.split(' ').next().unwrap_or_default())
        .collect()
}
