//! What the store says when its server has a bad day, and that it goes on by itself afterwards.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use super::commands::{apply, carry_out, create_chat};
use super::database::Database;
use super::own::{OwnServer, PATIENCE};
use chat::adapters::sql::open_mysql;
use chat::error::{Error, Result};
use chat::rows::Outcome;
use std::fmt::Debug;
use std::time::{Duration, Instant};

/// The server does not serve; `words` are what one is told.
fn unavailable<T: Debug>(done: Result<T>, words: &[&str]) {
    let Err(error @ Error::Unavailable { .. }) = done else {
        panic!("the server was used: {done:?}");
    };
    let said = error.to_string();
    for word in words.iter().chain(&["mysql://127.0.0.1:", "check"]) {
        assert!(said.contains(word), "{said}");
    }
    assert!(!said.contains("word"), "a password: {said}");
}

/// Asks again until it works.
async fn eventually<T, F: Future<Output = Result<T>>>(mut attempt: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn a_server_that_only_reads_is_away_for_writers(server: &str) {
    let Some(server) = OwnServer::start(server).await else {
        return;
    };
    let store = server.store();
    let command = create_chat(&store).await;
    server.execute("SET GLOBAL read_only = 1").await;
    unavailable(apply(&store, &command).await, &["it only reads"]);
    store.schema_ready().await.unwrap();
    server.execute("SET GLOBAL read_only = 0").await;
    assert_eq!(carry_out(&store, &command).await, Outcome::New);
    store.close().await;
}

async fn a_server_that_was_killed_and_came_back_is_used_again(server: &str) {
    let Some(mut server) = OwnServer::start(server).await else {
        return;
    };
    let store = server.store();
    let (first, second) = (create_chat(&store).await, create_chat(&store).await);
    assert_eq!(carry_out(&store, &first).await, Outcome::New);
    server.kill();
    // On the connections there were, and on new ones.
    for _ in 0..3 {
        unavailable(store.schema_ready().await, &["the address is right"]);
        unavailable(apply(&store, &second).await, &["the address is right"]);
    }
    server.start_again().await;
    eventually(|| store.schema_ready()).await;
    assert_eq!(carry_out(&store, &first).await, Outcome::Same);
    assert_eq!(carry_out(&store, &second).await, Outcome::New);
    store.close().await;
}

async fn a_server_with_too_many_connections_is_used_once_there_are_fewer(server: &str) {
    let Some(database) = Database::new(server).await else {
        return;
    };
    let user = format!("t{:08x}", rand::random::<u32>());
    let make = format!(
        "CREATE USER '{user}'@'%' IDENTIFIED BY 'w0rd' WITH MAX_USER_CONNECTIONS 1; \
         GRANT SELECT ON {}.* TO '{user}'@'%'",
        database.name()
    );
    database.execute(make).await;
    let settings = database.settings_of(&user, "w0rd");
    let (first, second) = (
        open_mysql(&settings).unwrap(),
        open_mysql(&settings).unwrap(),
    );
    first.schema_ready().await.unwrap();
    unavailable(second.schema_ready().await, &["too many connections"]);
    first.close().await;
    eventually(|| second.schema_ready()).await;
    second.close().await;
    database.execute_at_the_end(format!("DROP USER '{user}'@'%'"));
}

super::on_both!(
    a_server_that_only_reads_is_away_for_writers,
    a_server_that_was_killed_and_came_back_is_used_again,
    a_server_with_too_many_connections_is_used_once_there_are_fewer,
);
