//! `migrate` and what the programs make of the schema, on both servers.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use super::database::Database;
use chat::adapters::sql::{Migrated, migrate};
use chat::error::Error;
use std::collections::BTreeSet;

super::on_both!(
    a_new_schema_is_ready_and_migrating_again_changes_nothing,
    migrations_at_once_make_one_schema,
    a_migration_killed_after_any_statement_is_carried_out_again,
    a_later_programs_schema_is_refused_and_left_alone,
    a_later_schema_that_still_serves_is_used,
    without_a_schema_it_says_what_to_run,
);

async fn a_new_schema_is_ready_and_migrating_again_changes_nothing(server: &str) {
    let Some(database) = Database::empty(server).await else {
        return;
    };
    let made = migrate(&database.settings()).await.unwrap();
    assert_eq!(made.before, 0);
    assert!(made.after > 0);
    database.store().schema_ready().await.unwrap();
    let again = migrate(&database.settings()).await.unwrap();
    let nothing = Migrated {
        before: made.after,
        after: made.after,
    };
    assert_eq!(again, nothing);
}

async fn migrations_at_once_make_one_schema(server: &str) {
    let Some(database) = Database::empty(server).await else {
        return;
    };
    let settings = database.settings();
    let at_once = (0..4).map(|_| migrate(&settings));
    let done = futures::future::join_all(at_once).await;
    let done: Vec<Migrated> = done.into_iter().map(Result::unwrap).collect();
    let made = done.iter().filter(|migrated| migrated.before == 0);
    assert_eq!(made.count(), 1, "{done:?}");
    database.store().schema_ready().await.unwrap();
}

/// The statements of one migration, in order.
fn statements(migration: &str) -> Vec<String> {
    let code: Vec<&str> = migration
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .collect();
    let code = code.join("\n");
    let statements = code.split(';').map(str::trim);
    statements
        .filter(|statement| !statement.is_empty())
        .map(str::to_owned)
        .collect()
}

const MIGRATIONS: [(i64, &str); 2] = [
    (
        1,
        include_str!("../../../../migrations/mysql/0001_initial.sql"),
    ),
    (
        2,
        include_str!("../../../../migrations/mysql/0002_schema_info.sql"),
    ),
];

async fn a_migration_killed_after_any_statement_is_carried_out_again(server: &str) {
    let Some(whole) = Database::own(server).await else {
        return;
    };
    let expected = whole.columns().await;
    for (version, text) in MIGRATIONS {
        for killed_after in 0..=statements(text).len() {
            let database = Database::empty(server).await.unwrap();
            // What a migration of that program leaves: its statements so far, and a version not come to its end.
            migrate(&database.settings()).await.unwrap();
            let later: BTreeSet<String> = MIGRATIONS
                .iter()
                .filter(|(other, _)| *other >= version)
                .flat_map(|(_, text)| statements(text))
                .filter_map(|statement| table_of(&statement))
                .collect();
            for table in later {
                database.execute(format!("DROP TABLE {table}")).await;
            }
            let unfinished = format!(
                "DELETE FROM _sqlx_migrations WHERE version > {version}; \
                 UPDATE _sqlx_migrations SET success = FALSE WHERE version = {version}"
            );
            database.execute(unfinished).await;
            for statement in &statements(text)[..killed_after] {
                database.execute(statement.clone()).await;
            }
            assert!(database.store().schema_ready().await.is_err() || version == 2);
            migrate(&database.settings()).await.unwrap();
            database.store().schema_ready().await.unwrap();
            assert_eq!(database.columns().await, expected);
        }
    }
}

fn table_of(statement: &str) -> Option<String> {
    let rest = statement.strip_prefix("CREATE TABLE IF NOT EXISTS ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

async fn a_later_programs_schema_is_refused_and_left_alone(server: &str) {
    let Some(database) = Database::own(server).await else {
        return;
    };
    database
        .execute("UPDATE schema_info SET version = 9999, readable_from = 9000")
        .await;
    let before = database.columns().await;
    for refused in [
        migrate(&database.settings()).await.map(drop),
        database.store().schema_ready().await,
    ] {
        let Err(error @ Error::SchemaTooNew { schema: 9999, .. }) = refused else {
            panic!("not refused: {refused:?}");
        };
        let said = error.to_string();
        assert!(said.contains("start the program that made it"), "{said}");
    }
    assert_eq!(database.columns().await, before);
}

async fn a_later_schema_that_still_serves_is_used(server: &str) {
    let Some(database) = Database::own(server).await else {
        return;
    };
    database
        .execute("UPDATE schema_info SET version = 9999")
        .await;
    database.store().schema_ready().await.unwrap();
}

async fn without_a_schema_it_says_what_to_run(server: &str) {
    let Some(database) = Database::empty(server).await else {
        return;
    };
    let refused = database.store().schema_ready().await;
    let Err(error @ Error::Unavailable { .. }) = refused else {
        panic!("ready without a schema: {refused:?}");
    };
    let said = error.to_string();
    for word in ["run chat-worker migrate", "mysql://127.0.0.1:"] {
        assert!(said.contains(word), "{said}");
    }
}
