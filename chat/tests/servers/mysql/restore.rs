//! After a copy took the database's place, no number is given that may have been given before.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use super::database::Database;
use chat::adapters::sql::after_restore;
use chat::model::{AppId, ChatKey, Number, Scope};
use chat::ports::{GapLedger, Reserve, Sequences};

async fn every_sequence_jumps_also_those_the_copy_does_not_know(server: &str) {
    let Some(database) = Database::new(server).await else {
        return;
    };
    let store = database.store();
    // As the copy has them: an application with a chat, whose messages were numbered only afterwards.
    let app = AppId::from_random(rand::random());
    let chat = ChatKey {
        app,
        number: Number::new(1).unwrap(),
    };
    let fill = format!(
        "INSERT INTO applications (app_id, token, name, idem_salt, state, created_at, updated_at) \
         VALUES ({0}, 'token', 'name', REPEAT('s', 32), 0, 0, 0); \
         INSERT INTO chats (app_id, number, name_rev, metadata_rev, state, rev, created_at, updated_at) \
         VALUES ({0}, 1, 0, 0, 0, 0, 0, 0)",
        app.get()
    );
    database.execute(fill).await;
    let reserve = |scope, expected_lo| {
        let store = store.clone();
        let want = Reserve {
            scope,
            size: 256,
            expected_lo,
        };
        async move { store.reserve(&[want]).await.unwrap()[0] }
    };
    let chats = Scope::Chats(app);
    assert_eq!(reserve(chats, None).await.hi, 256);
    assert_eq!(after_restore(&database.settings()).await.unwrap(), 3);
    for (scope, before) in [
        (chats, 256),
        (Scope::Messages(chat), 0),
        (Scope::Revs(chat), 0),
    ] {
        let block = reserve(scope, None).await;
        assert_eq!(block.lo, before + 1_000_000, "{scope:?}");
        let jumps = store.jumps(scope, 0, block.hi).await.unwrap();
        assert_eq!(jumps, [before + 1_000_000], "{scope:?}");
    }
    store.close().await;
}

super::on_both!(every_sequence_jumps_also_those_the_copy_does_not_know,);
