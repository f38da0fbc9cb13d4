//! Files in: everything once, whatever happens on the way.

use crate::chatctl::{Chatctl, Server, ended};
use e2e::eventually::eventually;
use serde_json::{Value, json};
use std::time::Duration;

const CHATS: usize = 40;
const LINES: usize = 4000;

/// The same text in many lines, some with numbers, spread over many chats.
fn long_file() -> String {
    let line = |n: usize| {
        let mut line = json!({ "chat": { "name": format!("chat {}", n % CHATS) }, "content": format!("text {}", n / CHATS / 10) });
        if n.is_multiple_of(3) {
            line["number"] = json!(n + 1);
        }
        line.to_string() + "\n"
    };
    (0..LINES).map(line).collect()
}

/// Every chat holds exactly its lines, in their order.
#[track_caller]
fn assert_everything_once(chatctl: &Chatctl) {
    let chats = chatctl.json_lines(&["chat", "list", "--all"]);
    assert_eq!(chats.len(), CHATS);
    for (index, chat) in chats.iter().enumerate() {
        assert_eq!(
            chat["name"],
            format!("chat {index}"),
            "chats have the order of the file"
        );
        assert_eq!(chat["messages_count"], LINES / CHATS);
        let expected: Vec<_> = (0..LINES)
            .filter(|n| n % CHATS == index)
            .map(|n| format!("text {}", n / CHATS / 10))
            .collect();
        assert_eq!(chatctl.contents(chat["number"].as_u64().unwrap()), expected);
    }
}

#[tokio::test]
async fn importing_again_after_the_server_was_killed_adds_nothing_twice() {
    let mut server = Server::start().await;
    let mut chatctl = server.application("killed");
    let file = server.write("history.jsonl", long_file());
    for _ in 0..3 {
        let import = chatctl
            .command(&["import", &file, "--retry-for", "0"])
            .spawn()
            .unwrap();
        let before = messages(&chatctl);
        let count = || async { messages(&chatctl) };
        eventually(Duration::from_secs(30), count, |now| *now >= before + 300).await;
        server.program.kill();
        let ran = ended(import);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(
            ran.err.contains("run the same command again to continue"),
            "{ran:?}"
        );
        server.restart(&[]).await;
        chatctl.url = server.program.place.apis[0].clone();
    }
    let counts = chatctl.json(&["import", &file]);
    assert_eq!(
        sum(&counts, &["imported", "already_there"]),
        LINES as u64,
        "{counts}"
    );
    assert!(counts["already_there"].as_u64().unwrap() >= 900, "{counts}");
    assert_eq!(
        (&counts["refused"], &counts["lines"]),
        (&json!(0), &json!(LINES))
    );
    assert_everything_once(&chatctl);

    let counts = chatctl.json(&["import", &file]);
    assert_eq!(counts["already_there"], LINES);
    assert_eq!(counts["chats_already_there"], CHATS);
    assert_everything_once(&chatctl);
}

#[tokio::test]
async fn an_import_outlasts_a_restart_of_the_server() {
    let mut server = Server::start().await;
    let chatctl = server.application("restarted");
    let file = server.write("history.jsonl", long_file());
    let import = chatctl
        .command(&["import", &file, "--json"])
        .spawn()
        .unwrap();
    let count = || async { messages(&chatctl) };
    eventually(Duration::from_secs(30), count, |now| *now >= 300).await;
    server.program.kill();
    let address = chatctl.url.trim_start_matches("http://").to_owned();
    server.restart(&[("CHAT_LISTEN", &address)]).await;
    let ran = ended(import);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let counts: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(counts["imported"], LINES);
    assert_everything_once(&chatctl);
}

/// How many messages the application holds; 0 while nobody answers.
fn messages(chatctl: &Chatctl) -> u64 {
    let ran = chatctl.run(&["chat", "list", "--all", "--json"]);
    let chats = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    chats
        .map(|chat| chat["messages_count"].as_u64().unwrap())
        .sum()
}

fn sum(counts: &Value, fields: &[&str]) -> u64 {
    fields
        .iter()
        .map(|field| counts[field].as_u64().unwrap())
        .sum()
}

#[tokio::test]
async fn refused_lines_are_reported_and_the_others_written() {
    let server = Server::start().await;
    let chatctl = server.application("bad lines");
    let mut file = Vec::new();
    file.extend(b"\xEF\xBB\xBF{\"chat\":{\"name\":\"a\"},\"content\":\"one\"}\r\n");
    file.extend(b"\r\n");
    file.extend(b"nonsense\r\n");
    file.extend(b"{\"chat\":{\"name\":\"a\"},\"content\":\"");
    file.extend(vec![b'x'; 3 << 20]);
    file.extend(b"\"}\n");
    file.extend(b"{\"chat\":{\"name\":\"a\"},\"content\":\"\xFF\"}\n");
    file.extend(b"{\"chat\":{\"name\":\"a\"},\"content\":\"\"}\n");
    file.extend(b"{\"chat\":{\"name\":\"a\"},\"content\":\"two\",\"created_at\":\"2999-01-01T00:00:00Z\"}\n");
    file.extend(b"{\"chat\":{\"name\":\"  \"},\"content\":\"three\"}\n");
    file.extend(b"{\"chat\":{\"name\":\"a\"},\"content\":\"four\"}");
    let ran = chatctl.run(&["import", &server.write("bad.jsonl", file)]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.out,
        "8 lines: 2 messages imported, 0 already there, 6 refused; 1 chat created, 0 already there\n"
    );
    let mut reasons: Vec<_> = ran.err.lines().collect();
    reasons.sort_unstable();
    let expected = [
        "line 3: not JSON: expected ident at column 2",
        "line 4: longer than 1048576 bytes",
        "line 5: not UTF-8 at byte 33",
        "line 6: content: is empty;",
        "line 7: created_at: is in the future;",
        "line 8: its chat was refused: name: is blank;",
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:#?}");
    for (reason, start) in reasons.iter().zip(expected) {
        assert!(reason.starts_with(start), "{reason}");
    }
    assert_eq!(chatctl.contents(1), ["one", "four"]);
}

#[tokio::test]
async fn a_mended_line_is_written_and_the_others_stay_alone() {
    let server = Server::start().await;
    let chatctl = server.application("mended");
    let line = |number: u64, content: &str| {
        json!({ "chat": { "number": 9 }, "number": number, "content": content }).to_string()
    };
    let write = |lines: &[String]| server.write("mended.jsonl", lines.join("\n"));
    let file = write(&[line(1, "one"), line(2, ""), line(3, "three")]);
    assert_eq!(chatctl.run(&["import", &file]).code, Some(1));
    let file = write(&[
        "".into(),
        line(1, "one"),
        line(2, "two"),
        line(3, "three"),
        line(4, "four"),
    ]);
    let counts = chatctl.json(&["import", &file]);
    assert_eq!(
        (&counts["imported"], &counts["already_there"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(chatctl.contents(1), ["one", "three", "two", "four"]);
}

#[tokio::test]
async fn the_same_file_under_another_name_is_another_import() {
    let server = Server::start().await;
    let chatctl = server.application("twice");
    let line = b"{\"chat\":{\"name\":\"a\"},\"content\":\"x\"}\n";
    for _ in 0..2 {
        for name in ["first", "second"] {
            let ran =
                chatctl.run_with_input(&["import", "--import-id", name, "-"], &line.repeat(2));
            assert_eq!(ran.code, Some(0), "{ran:?}");
        }
    }
    assert_eq!(chatctl.contents(1), ["x", "x"]);
    assert_eq!(chatctl.contents(2), ["x", "x"]);
    assert_eq!(chatctl.json_lines(&["chat", "list"]).len(), 2);
}

#[tokio::test]
async fn replies_find_the_new_numbers() {
    let server = Server::start().await;
    let chatctl = server.application("replies");
    let line = |number: u64, reply_to: Value| {
        json!({ "chat": { "number": 1 }, "number": number, "content": "x", "reply_to": reply_to })
            .to_string()
    };
    let lines = [
        line(70, Value::Null),
        line(80, json!(70)),
        line(90, json!(5)),
        line(95, json!(80)),
    ]
    .join("\n");
    let file = server.write("replies.jsonl", lines);
    let ran = chatctl.run(&["import", &file]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err
            .starts_with("line 3: reply_to: no imported line above it in this chat has number 5;"),
        "{ran:?}"
    );
    let replies = |chat: &str| -> Vec<Value> {
        chatctl
            .json_lines(&["list", "--chat", chat])
            .iter()
            .map(|message| message["reply_to"].clone())
            .collect()
    };
    assert_eq!(replies("1"), [Value::Null, json!(1), json!(2)]);
    chatctl.out(&[
        "import",
        &file,
        "--import-id",
        "lenient",
        "--orphan-replies",
        "detach",
    ]);
    assert_eq!(replies("2"), [Value::Null, json!(1), Value::Null, json!(2)]);
}

#[tokio::test]
async fn a_wrong_token_is_one_error_and_not_one_for_each_line() {
    let server = Server::start().await;
    let chatctl = Chatctl {
        token: Some("nonsense".into()),
        ..server.application("x")
    };
    let ran = chatctl.run(&["import", &server.write("a.jsonl", long_file())]);
    assert_eq!((ran.code, ran.err.lines().count()), (Some(1), 1), "{ran:?}");
}
