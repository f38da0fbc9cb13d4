//! One command at a time, as typed by people.

use crate::chatctl::{Chatctl, Server, ended};
use e2e::eventually::eventually;
use e2e::program::Program;
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::Duration;

#[tokio::test]
async fn a_chat_is_held_from_the_command_line() {
    let server = Server::start().await;
    let chatctl = server.application("support");
    assert_eq!(
        chatctl.out(&[
            "chat",
            "create",
            "--name",
            "billing",
            "--metadata",
            "{\"a\":1}"
        ]),
        "chat 1\n"
    );
    assert_eq!(
        chatctl.out(&["send", "--chat", "1", "hello, world", "--author", "Ada"]),
        "message 1\n"
    );
    let piped = chatctl.run_with_input(
        &["send", "-c", "1", "-", "--reply-to", "1"],
        b"two\nlines\r\n",
    );
    assert_eq!((piped.code, piped.out.as_str()), (Some(0), "message 2\n"));

    let listed = chatctl.out(&["list", "--chat", "1"]);
    assert!(listed.starts_with("#1  Ada  20"), "{listed}");
    assert!(
        listed.ends_with(", reply to #1\n    two\n    lines\n"),
        "{listed}"
    );
    assert_eq!(chatctl.contents(1), ["hello, world", "two\nlines"]);

    assert_eq!(
        chatctl.out(&["edit", "--chat", "1", "2", "three lines"]),
        "message 2 edited\n"
    );
    let shown = chatctl.json(&["show", "--chat", "1", "2"]);
    assert_eq!(
        (&shown["content"], &shown["reply_to"]),
        (&"three lines".into(), &1.into())
    );

    assert_eq!(
        chatctl.out(&["delete", "--chat", "1", "1"]),
        "message 1 deleted\n"
    );
    let gone = chatctl.run(&["show", "--chat", "1", "1"]);
    assert_eq!((gone.code, gone.out.as_str()), (Some(1), ""));
    assert!(
        gone.err.contains("deleted") && gone.err.contains("status 410"),
        "{gone:?}"
    );

    assert_eq!(chatctl.json(&["chat", "show", "1"])["messages_count"], 1);
    assert_eq!(chatctl.json_lines(&["chat", "list"]).len(), 1);
    assert_eq!(chatctl.json(&["app", "rename", "help"])["name"], "help");
    assert!(
        chatctl
            .out(&["app", "list"])
            .contains("  help  1 chat, created")
    );

    assert!(
        chatctl
            .out(&["chat", "delete", "1"])
            .starts_with("chat 1 deleted")
    );
    assert_eq!(chatctl.run(&["chat", "show", "1"]).code, Some(1));
    let token = chatctl.token.clone().unwrap();
    assert!(
        chatctl
            .out(&["app", "delete", &token])
            .starts_with("application deleted")
    );
    assert_eq!(chatctl.run(&["app", "show"]).code, Some(1));
}

#[tokio::test]
async fn a_list_goes_on_to_the_end_or_says_how_to() {
    let server = Server::start().await;
    let chatctl = server.application("long");
    let lines: String = (1..=450)
        .map(|n| format!("{{\"chat\":{{\"name\":\"a\"}},\"content\":\"m{n}\"}}\n"))
        .collect();
    chatctl.out(&["import", &server.write("long.jsonl", lines)]);
    let page = chatctl.run(&["list", "--chat", "1", "--limit", "2", "--after", "10"]);
    assert!(page.out.contains("m11") && page.out.contains("m12") && !page.out.contains("m13"));
    assert_eq!(page.err, "more: --after 12\n");
    assert_eq!(
        chatctl.json_lines(&["list", "--chat", "1", "--before", "100", "--limit", "3"])[0]["number"],
        97
    );
    let expected: Vec<_> = (1..=450).map(|n| format!("m{n}")).collect();
    assert_eq!(chatctl.contents(1), expected);
}

#[tokio::test]
async fn a_word_is_found_with_a_typo_and_shown_in_colour() {
    let server = Server::start().await;
    let chatctl = server.application("search");
    chatctl.out(&["chat", "create"]);
    chatctl.out(&["send", "--chat", "1", "a <b>bold</b> hello & more"]);
    let search = || async { chatctl.run(&["search", "helo"]) };
    let found = eventually(Duration::from_secs(10), search, |ran| !ran.out.is_empty()).await;
    assert!(found.out.starts_with("chat 1 #1  20"), "{found:?}");
    assert!(
        found.out.ends_with("\n    a <b>bold</b> *hello* & more\n"),
        "{found:?}"
    );
    assert_eq!(found.err, "1 message, page 1 of 1\n");
    let coloured = chatctl.out(&["search", "--color", "always", "helo"]);
    assert!(coloured.contains("\x1b[1;33mhello\x1b[0m"), "{coloured:?}");
    let page = chatctl.json(&["search", "--chat", "1", "hello", "--sort", "number"]);
    assert_eq!(page["total"], 1);
    assert_eq!(
        page["messages"][0]["highlight"],
        "a &lt;b&gt;bold&lt;/b&gt; <em>hello</em> &amp; more"
    );
    assert_eq!(chatctl.run(&["search", "nowhere"]).err, "nothing found\n");
}

#[tokio::test]
async fn control_characters_do_not_reach_the_terminal() {
    let server = Server::start().await;
    let chatctl = server.application("control");
    chatctl.out(&["chat", "create", "--name", "n\u{1b}[31m"]);
    chatctl.out(&[
        "send",
        "--chat",
        "1",
        "a\u{1b}[2Jb\u{9b}c\r",
        "--author",
        "x\u{7}",
    ]);
    for arguments in [
        &["list", "--chat", "1"][..],
        &["chat", "list"],
        &["tail", "--chat", "1"],
    ] {
        let out = chatctl.out(arguments);
        assert!(out.chars().all(|c| c == '\n' || !c.is_control()), "{out:?}");
    }
    assert_eq!(chatctl.contents(1), ["a\u{1b}[2Jb\u{9b}c\r"]);
}

#[tokio::test]
async fn a_refusal_names_the_field_and_the_fix() {
    let server = Server::start().await;
    let chatctl = server.application("errors");
    chatctl.out(&["chat", "create"]);
    let refused = chatctl.run(&["send", "--chat", "1", "", "--author", " "]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    for part in [
        "content: is empty; send",
        "author: is blank; send",
        "status 400",
    ] {
        assert!(refused.err.contains(part), "{refused:?}");
    }
    let refused = chatctl.run(&["send", "--chat", "1", "", "--json"]);
    let problem: serde_json::Value = serde_json::from_str(&refused.err).unwrap();
    assert_eq!(problem["errors"][0]["field"], "content");
    for (arguments, code) in [
        (&["send", "--chat", "2", "hi"][..], 1),
        (&["show", "--chat", "1", "7"], 1),
        (&["--token", "nonsense", "chat", "list"], 1),
        (&["--token", "../../x", "chat", "list"], 1),
        (&["import", "/nowhere/at.all"], 1),
        (&["--token", "", "chat", "list"], 2),
        (&["--url", "nonsense", "app", "list"], 2),
        (&["send", "hi"], 2),
        (&["dance"], 2),
    ] {
        let ran = chatctl.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:?}");
        assert!(!ran.err.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn an_absent_server_is_said_in_one_sentence() {
    let chatctl = Chatctl {
        url: "http://127.0.0.1:1".into(),
        token: Some("T".into()),
        key: None,
    };
    let ran = chatctl.run(&["chat", "list", "--retry-for", "0"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err
            .starts_with("chatctl: no answer from http://127.0.0.1:1/api/v1: Connection refused"),
        "{ran:?}"
    );
    assert_eq!(ran.err.lines().count(), 1);
}

#[tokio::test]
async fn keys_are_given_made_and_revoked() {
    let files = tempfile::tempdir().unwrap();
    let program = Program::start_with_keys(&files.path().join("data")).await;
    let stranger = Chatctl::of(&program.place);
    let refused = stranger.run(&["app", "create", "x"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("--key-file or CHATCTL_KEY"),
        "{refused:?}"
    );

    let file = files.path().join("key");
    std::fs::write(&file, format!("{}\n", e2e::program::ADMIN_KEY)).unwrap();
    let made = stranger.json(&["app", "create", "x", "--key-file", file.to_str().unwrap()]);
    let text = |field: &str| Some(made[field].as_str().unwrap().to_owned());
    let chatctl = Chatctl {
        token: text("token"),
        key: text("api_key"),
        ..stranger
    };
    chatctl.out(&["chat", "create"]);

    let second = chatctl.json(&["app", "rotate-key"])["api_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let keys = chatctl.json_lines(&["app", "keys"]);
    assert_eq!(keys.len(), 2);
    let newer = Chatctl {
        key: Some(second),
        ..chatctl.clone()
    };
    newer.out(&["app", "revoke-key", keys[0]["id"].as_str().unwrap()]);
    let list = || async { chatctl.run(&["chat", "list"]) };
    eventually(Duration::from_secs(10), list, |ran| ran.code == Some(1)).await;
    newer.out(&["chat", "list"]);
}

#[tokio::test]
async fn tail_shows_the_last_ones_and_then_what_comes() {
    let server = Server::start().await;
    let chatctl = server.application("tail");
    chatctl.out(&["chat", "create"]);
    for content in ["one", "two", "three"] {
        chatctl.out(&["send", "--chat", "1", content]);
    }
    let last = chatctl.json_lines(&["tail", "--chat", "1", "-n", "2"]);
    assert_eq!(
        last.iter()
            .map(|message| &message["content"])
            .collect::<Vec<_>>(),
        ["two", "three"]
    );

    let follow = [
        "tail",
        "--chat",
        "1",
        "-f",
        "-n",
        "1",
        "--interval",
        "50",
        "--json",
    ];
    let mut child = Following(chatctl.command(&follow).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut next = || {
        let message: serde_json::Value =
            serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        message["content"].as_str().unwrap().to_owned()
    };
    assert_eq!(next(), "three");
    for content in ["four", "five"] {
        chatctl.out(&["send", "--chat", "1", content]);
        assert_eq!(next(), content);
    }
}

struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure() {
    let server = Server::start().await;
    let chatctl = server.application("pipe");
    let lines = "{\"chat\":{\"name\":\"a\"},\"content\":\"x\"}\n".repeat(300);
    chatctl.out(&["import", &server.write("pipe.jsonl", lines)]);
    for arguments in [&["list", "--chat", "1", "--all"][..], &["export", "-"]] {
        let mut child = chatctl.command(arguments).spawn().unwrap();
        drop(child.stdout.take());
        let ran = ended(child);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    }
}
