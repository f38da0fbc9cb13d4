//! `chat-standalone backup FILE`, and a start from such a file.

use crate::chat::{Running, chat, output};
use std::os::unix::fs::PermissionsExt;
use tempfile::tempdir;

#[test]
fn a_copy_made_while_it_runs_starts_elsewhere_and_gives_no_number_twice() {
    let dir = tempdir().unwrap();
    let (data, restored) = (dir.path().join("data"), dir.path().join("restored"));
    let copy = dir.path().join("copy.db");
    let running = Running::start(&data);
    let messages = running.new_chat();
    for number in 1..=5 {
        assert_eq!(running.say(&messages, "before"), number);
    }
    let mut backup = chat(&data, &[]);
    backup.arg("backup").arg(&copy);
    let (code, said, wrong) = output(backup);
    assert_eq!(code, Some(0), "{wrong}");
    assert!(
        said.contains("chat.db") && said.contains("--data-dir"),
        "{said}"
    );
    assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let after_the_copy = running.say(&messages, "after");
    running.stop();

    std::fs::create_dir(&restored).unwrap();
    std::fs::rename(&copy, restored.join("chat.db")).unwrap();
    let running = Running::start(&restored);
    assert_eq!(
        running.get(&format!("{messages}/5")).field("content"),
        "before"
    );
    assert!(running.say(&messages, "restored") > after_the_copy);
    running.stop();
}

#[test]
fn a_backup_overwrites_nothing() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    Running::start(&data).stop();
    let taken = dir.path().join("taken");
    std::fs::write(&taken, "precious").unwrap();
    let mut backup = chat(&data, &[]);
    backup.arg("backup").arg(&taken);
    let (code, _, wrong) = output(backup);
    assert_eq!(code, Some(1));
    assert_eq!(wrong.matches("exists already").count(), 1, "{wrong}");
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "precious");
}

#[test]
fn a_directory_without_a_database_cannot_be_backed_up() {
    let dir = tempdir().unwrap();
    let mut backup = chat(&dir.path().join("nothing"), &[]);
    backup.arg("backup").arg(dir.path().join("copy.db"));
    let (code, _, wrong) = output(backup);
    assert_eq!(code, Some(1));
    assert!(wrong.contains("nothing"), "{wrong}");
    assert!(!dir.path().join("copy.db").exists());
}
