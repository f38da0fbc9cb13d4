//! From the start to the end of a process, and over restarts.

use crate::chat::{KEY, Running};
use crate::http;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use tempfile::tempdir;

#[test]
fn a_fresh_start_answers_where_the_banner_says() {
    let dir = tempdir().unwrap();
    let chat = Running::start(&dir.path().join("data"));
    assert!(
        chat.banner
            .contains(&format!("  Data     {}", dir.path().join("data").display()))
    );
    assert_eq!(chat.get("/docs/").status, 200);
    for path in ["/livez", "/readyz", "/readyz?verbose", "/metrics"] {
        assert_eq!(
            http::get(chat.admin, path, None).unwrap().status,
            200,
            "{path}"
        );
    }
    let messages = chat.new_chat();
    assert_eq!(chat.say(&messages, "hello"), 1);
    assert_eq!(chat.get(&format!("{messages}/1")).field("content"), "hello");
    chat.stop();
}

#[test]
fn interrupt_stops_it_like_terminate() {
    let dir = tempdir().unwrap();
    let chat = Running::start(&dir.path().join("data"));
    chat.signal("INT");
    assert!(chat.ended().0.success());
}

#[test]
fn ten_clean_restarts_leave_numbers_without_a_hole() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let chat = Running::start(&data);
    let messages = chat.new_chat();
    chat.stop();
    for round in 0..10 {
        let chat = Running::start(&data);
        for message in 1..=3 {
            assert_eq!(chat.say(&messages, "again"), round * 3 + message);
        }
        chat.stop();
    }
}

#[test]
fn what_was_answered_before_terminate_is_there_after_it() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let chat = Running::start(&data);
    let messages = chat.new_chat();
    let said = said_until_terminated(&chat, &messages);
    let (status, took) = chat.ended();
    assert!(
        status.success() && took.as_secs() < 10,
        "{status} after {took:?}"
    );

    let chat = Running::start(&data);
    for number in said {
        let answer = chat.get(&format!("{messages}/{number}"));
        assert_eq!(
            (answer.status, answer.field("content")),
            (200, "under load"),
            "{number}"
        );
    }
}

/// Four clients write until the server does not answer any more; the signal comes when some messages
/// are in. Returns every number that was answered.
fn said_until_terminated(chat: &Running, messages: &str) -> Vec<u64> {
    std::thread::scope(|scope| {
        let client = || {
            let mut said = Vec::new();
            while let Some(number) = chat.try_say(messages, "under load") {
                said.push(number);
                if number == 50 {
                    chat.signal("TERM");
                }
            }
            said
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    })
}

#[test]
fn a_client_that_hangs_does_not_keep_it_from_stopping_in_time() {
    let dir = tempdir().unwrap();
    let chat = Running::start(&dir.path().join("data"));
    let mut client = TcpStream::connect(chat.api).unwrap();
    let head = "POST /applications HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\
                Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    client.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    chat.stop();
}

#[test]
fn no_secret_and_no_text_is_in_the_log() {
    let dir = tempdir().unwrap();
    let chat = Running::with_keys(
        &dir.path().join("data"),
        &[
            ("CHAT_LOG", "trace"),
            ("CHAT_LOG_FORMAT", "json"),
            ("CHAT_LISTN", "misspelt"),
        ],
    );
    let messages = chat.new_chat();
    chat.say(&messages, "what nobody else may read");
    let token = messages.split('/').nth(2).unwrap();
    let log = chat.log();
    for secret in [KEY, token, "what nobody else may read"] {
        assert!(!log.contains(secret), "{secret:?} is in\n{log}");
    }
    assert!(
        log.lines()
            .all(|line| line.starts_with('{') && line.ends_with('}')),
        "{log}"
    );
    assert!(log.contains("CHAT_LISTN"), "{log}");
    chat.stop();
}

#[test]
fn a_second_process_on_the_same_directory_is_refused() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let chat = Running::start(&data);
    let (code, _, said) = crate::chat::output(crate::chat::chat(&data, &[]));
    assert_eq!(code, Some(1));
    assert!(said.contains(&said_by_lock(&data)), "{said}");
    chat.say(&chat.new_chat(), "still here");
    chat.stop();
}

fn said_by_lock(data: &Path) -> String {
    format!(
        "the data directory {} is in use by another chat-standalone",
        data.display()
    )
}
