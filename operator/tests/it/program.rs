//! The program as people call it.

use crate::samples::TEN_LINES;
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn chat_operator(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_chat-operator"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn it_prints_the_definition() {
    let output = chat_operator(&["crd"], "");
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("name: chatsystems.chatsystem.io"));
}

#[test]
fn it_renders_every_resource_of_a_file() {
    let two = format!(
        "{TEN_LINES}---\n{}",
        TEN_LINES.replace("name: acme}", "name: other}")
    );
    let output = chat_operator(&["render", "-f", "-"], &two);
    assert_eq!(text(&output.stderr), "");
    for name in ["acme-api", "other-api"] {
        let line = format!("\n  name: {name}\n");
        assert!(text(&output.stdout).contains(&line), "{name}");
    }
}

#[test]
fn it_says_what_is_wrong_where() {
    for (input, said) in [
        ("", "in \"-\": there is no ChatSystem\n"),
        (
            "kind: Pod\n",
            "in \"-\": apiVersion is null, not chatsystem.io/v1alpha1\n",
        ),
        (
            &TEN_LINES.replace("name: acme}", "name: Acme}"),
            "in \"-\": metadata.name: \"Acme\" is not a DNS label of at most 40 characters that starts with a letter\n",
        ),
    ] {
        let output = chat_operator(&["render", "-f", "-"], input);
        assert_eq!(text(&output.stderr), format!("chat-operator: {said}"));
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stdout), "");
    }
    let output = chat_operator(&["cook"], "");
    assert_eq!(output.status.code(), Some(2));
}
