//! `chat-standalone config`, and the README's table of settings.

use crate::chat::{KEY, chat, output};
use std::path::Path;
use tempfile::tempdir;

#[test]
fn config_prints_what_is_in_effect_and_masks_secrets() {
    let dir = tempdir().unwrap();
    let key_file = dir.path().join("key");
    std::fs::write(&key_file, format!("{KEY}\n")).unwrap();
    let mut command = chat(dir.path(), &[("CHAT_AUTH_MODE", "keys")]);
    command
        .args(["config", "--listen", "0.0.0.0:9000", "--admin-key-file"])
        .arg(&key_file);
    let (code, said, _) = output(command);
    assert_eq!(code, Some(0));
    for line in [
        "CHAT_LISTEN=0.0.0.0:9000",
        "CHAT_AUTH_MODE=keys",
        "CHAT_ADMIN_KEY=********",
        "CHAT_RATE_LIMIT=general=100/s,create=50/s",
    ] {
        assert!(
            said.lines().any(|l| l == line),
            "{line} is missing in\n{said}"
        );
    }
    assert!(!said.contains(KEY));
}

#[test]
fn the_readme_has_the_table_of_settings() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, rest) = readme
        .split_once("<!-- settings:begin -->")
        .expect("the begin marker");
    let (table, _) = rest
        .split_once("<!-- settings:end -->")
        .expect("the end marker");
    let mut command = chat(Path::new("unused"), &[]);
    command.args(["config", "--markdown"]);
    let (_, wanted, _) = output(command);
    assert_eq!(
        table.trim(),
        wanted.trim(),
        "put what `chat-standalone config --markdown` prints between the markers"
    );
}
