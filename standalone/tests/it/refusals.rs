//! Starts that must not happen, and what the person who tried reads.

use crate::chat::{chat, output};
use std::net::TcpListener;
use tempfile::tempdir;

#[test]
fn without_keys_it_listens_on_loopback_only() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let (code, said, wrong) = output(chat(&data, &[("CHAT_LISTEN", "0.0.0.0:0")]));
    assert_eq!((code, said.as_str()), (Some(2), ""));
    assert!(
        wrong.contains("set CHAT_AUTH_MODE=keys and CHAT_ADMIN_KEY"),
        "{wrong}"
    );
    assert!(!data.exists());
}

#[test]
fn wrong_settings_are_all_named_with_examples() {
    let dir = tempdir().unwrap();
    let settings = [("CHAT_NUMBER_BLOCK", "none"), ("CHAT_LOG_FORMAT", "xml")];
    let (code, _, wrong) = output(chat(dir.path(), &settings));
    assert_eq!(code, Some(2));
    for example in ["CHAT_NUMBER_BLOCK=1000", "CHAT_LOG_FORMAT=json"] {
        assert!(wrong.contains(example), "{wrong}");
    }
}

#[test]
fn an_address_that_is_taken_names_the_setting() {
    let dir = tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    // Bound again, because the listener above is gone by now.
    let holder = TcpListener::bind(taken.unwrap()).unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let (code, _, wrong) = output(chat(&dir.path().join("data"), &[("CHAT_LISTEN", &address)]));
    assert_eq!(code, Some(1));
    assert!(
        wrong.contains(&format!("cannot listen on {address}")),
        "{wrong}"
    );
    assert!(wrong.contains("CHAT_LISTEN"), "{wrong}");
}
