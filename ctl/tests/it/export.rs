//! Out and in again: what comes back is what was there.

use crate::chatctl::{Chatctl, Server};
use serde_json::{Value, json};
use std::collections::HashMap;

const TEXTS: [&str; 12] = [
    "plain",
    " \t leading and trailing \n",
    "two\r\nlines\n",
    "quotes \" ' ` and \\ and / and \u{0}",
    "'; DROP TABLE messages; --",
    "{\"content\":\"not a line\"}",
    "👩‍👩‍👧 é\u{301} ﷽",
    "שלום \u{202e}olleh\u{202c}",
    "\u{1b}[31mred\u{7f}\u{9b}",
    "\u{feff}mark and \u{2028} separators \u{2029}",
    "\u{fffd}\u{ffff}\u{10ffff}",
    "<em>not a match</em> &amp;",
];

/// Chats and messages with everything that they can have, and holes where something was deleted.
fn fill(server: &Server) -> Chatctl {
    let chatctl = server.application("original");
    chatctl.out(&["chat", "create", "--name", "deleted"]);
    chatctl.out(&[
        "chat",
        "create",
        "--name",
        "everything",
        "--metadata",
        r#"{"z":1,"a":{"b":[1.5,null,"x"]}}"#,
    ]);
    chatctl.out(&["chat", "create"]);
    chatctl.out(&["chat", "create", "--name", "everything"]);
    chatctl.out(&["chat", "create", "--name", "empty"]);
    chatctl.out(&["chat", "create", "--metadata", "{}"]);
    chatctl.out(&["send", "--chat", "1", "gone with its chat"]);
    chatctl.out(&["chat", "delete", "1"]);
    for (index, text) in TEXTS.iter().enumerate() {
        let text = text.replace('\0', "");
        let mut arguments = vec!["send", "--chat", "2", "--", text.as_str()];
        if index == 5 {
            arguments.splice(
                3..3,
                [
                    "--created-at",
                    "2001-02-03T04:05:06.789Z",
                    "--reply-to",
                    "3",
                ],
            );
        }
        if index == 6 {
            arguments.splice(
                3..3,
                [
                    "--author",
                    "Ada 👩‍💻",
                    "--metadata",
                    r#"{"k":"v"}"#,
                    "--reply-to",
                    "6",
                ],
            );
        }
        chatctl.out(&arguments);
    }
    chatctl.out(&["delete", "--chat", "2", "1"]);
    chatctl.out(&["delete", "--chat", "2", "5"]);
    chatctl.out(&[
        "edit",
        "--chat",
        "2",
        "3",
        "edited",
        "--metadata",
        r#"{"e":1}"#,
    ]);
    chatctl.out(&["send", "--chat", "3", "in a chat without name"]);
    chatctl.out(&["send", "--chat", "4", "in another chat of the same name"]);
    chatctl
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// With chats and messages counted from 1, as if nothing had ever been deleted.
fn renumbered(mut lines: Vec<Value>) -> Vec<Value> {
    let mut chats = Vec::<(u64, HashMap<u64, usize>)>::new();
    for line in &mut lines {
        let chat = line["chat"]["number"].as_u64().unwrap();
        if chats.last().is_none_or(|(last, _)| *last != chat) {
            chats.push((chat, HashMap::new()));
        }
        line["chat"]["number"] = json!(chats.len());
        let (_, messages) = chats.last_mut().unwrap();
        if let Some(number) = line["number"].as_u64() {
            let position = messages.len() + 1;
            messages.insert(number, position);
            line["number"] = json!(position);
        }
        if let Some(target) = line["reply_to"].as_u64() {
            line["reply_to"] = json!(messages[&target]);
        }
    }
    lines
}

#[tokio::test]
async fn what_was_exported_and_imported_is_the_same() {
    let server = Server::start().await;
    let original = fill(&server);
    let file = server.path("original.jsonl");
    original.out(&["export", file.to_str().unwrap()]);
    let exported = std::fs::read_to_string(&file).unwrap();
    let chats: Vec<_> = lines(&exported)
        .iter()
        .map(|line| line["chat"]["number"].as_u64().unwrap())
        .collect();
    assert!(
        chats.is_sorted() && chats[0] == 2 && chats.contains(&5),
        "{chats:?}"
    );
    assert_eq!(
        lines(&exported)
            .iter()
            .filter(|line| line["chat"]["number"] == 2)
            .count(),
        1 + TEXTS.len() - 2
    );

    let copy = server.application("copy");
    copy.out(&["import", file.to_str().unwrap()]);
    let again = copy.out(&["export", "-"]);
    assert_eq!(renumbered(lines(&again)), renumbered(lines(&exported)));

    // Numbers without holes, so the copy of the copy is the same text.
    let third = server.application("copy of the copy");
    third.out(&["import", &server.write("copy.jsonl", &again)]);
    assert_eq!(third.out(&["export"]), again);

    // And again into the same: nothing is added.
    third.out(&["import", &server.write("copy.jsonl", &again)]);
    assert_eq!(third.out(&["export"]), again);
}

#[tokio::test]
async fn one_chat_may_be_exported_alone() {
    let server = Server::start().await;
    let original = fill(&server);
    let one = lines(&original.out(&["export", "--chat", "4"]));
    assert_eq!(one.len(), 1);
    assert_eq!(one[0]["chat"], json!({ "number": 4, "name": "everything" }));
    assert_eq!(one[0]["content"], "in another chat of the same name");
    let gone = original.run(&["export", "--chat", "1"]);
    assert_eq!((gone.code, gone.out.as_str()), (Some(1), ""));
}

#[tokio::test]
async fn a_wrong_token_leaves_an_older_export_alone() {
    let server = Server::start().await;
    let chatctl = Chatctl {
        token: Some("nonsense".into()),
        ..server.application("x")
    };
    let file = server.write("old.jsonl", "precious");
    assert_eq!(chatctl.run(&["export", &file]).code, Some(1));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
}
