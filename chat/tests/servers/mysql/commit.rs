//! A connection that breaks at COMMIT (W33): nobody knows, and applying again finds out.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use super::commands::{apply, carry_out, create_chat};
use super::database::Database;
use chat::adapters::sql::open_mysql;
use chat::error::Error;
use chat::rows::Outcome;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Copy, Debug)]
enum Cut {
    /// The server never hears of it.
    Before,
    /// The server has answered, and the answer is lost.
    After,
}

/// Passes everything on, and cuts at the next COMMIT when told so.
struct Proxy {
    port: u16,
    next: Arc<Mutex<Option<Cut>>>,
}

impl Proxy {
    async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let next = Arc::new(Mutex::new(None));
        let cuts = next.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(pass_on(client, server, cuts.clone()));
            }
        });
        Self { port, next }
    }

    fn cut(&self, cut: Cut) {
        *self.next.lock().unwrap() = Some(cut);
    }
}

/// Ends, and closes both sides, when one of them is closed or at a cut.
async fn pass_on(mut client: TcpStream, mut server: TcpStream, next: Arc<Mutex<Option<Cut>>>) {
    let (mut asked, mut answered) = ([0; 16 * 1024], [0; 16 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Some(bytes) = read.ok().and_then(|length| asked.get(..length)) else { return };
                // The whole of a packet: its text follows the code of a query.
                let commit = bytes.ends_with(b"\x03COMMIT");
                let cut = if commit { next.lock().unwrap().take() } else { None };
                if bytes.is_empty() || matches!(cut, Some(Cut::Before)) {
                    return;
                }
                if server.write_all(bytes).await.is_err() {
                    return;
                }
                if matches!(cut, Some(Cut::After)) {
                    let _ = server.read(&mut answered).await;
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Some(bytes) = read.ok().and_then(|length| answered.get(..length)) else { return };
                if bytes.is_empty() || client.write_all(bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn a_commit_that_is_cut_off_is_unknown_and_applying_again_finds_out(server: &str) {
    let Some(database) = Database::new(server).await else {
        return;
    };
    let direct = database.store();
    let proxy = Proxy::before(database.place()).await;
    let cut_off = open_mysql(&database.settings_through(proxy.port)).unwrap();
    for (cut, then) in [(Cut::Before, Outcome::New), (Cut::After, Outcome::Same)] {
        let command = create_chat(&direct).await;
        proxy.cut(cut);
        let applied = apply(&cut_off, &command).await;
        assert!(
            matches!(applied, Err(Error::OutcomeUnknown { .. })),
            "{cut:?}: {applied:?}"
        );
        assert_eq!(carry_out(&cut_off, &command).await, then, "{cut:?}");
        // A worker does not even notice.
        let command = create_chat(&direct).await;
        proxy.cut(cut);
        assert_eq!(carry_out(&cut_off, &command).await, then, "{cut:?}");
    }
    cut_off.close().await;
    direct.close().await;
}

super::on_both!(a_commit_that_is_cut_off_is_unknown_and_applying_again_finds_out,);
