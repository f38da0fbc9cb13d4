//! The schema: the same in every dialect, brought up to date at start, and never brought down.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use chat::adapters::sql::open_sqlite;
use chat::error::Error;
use sqlx::{AnyConnection, Connection, Executor};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    /// Name, kind of value, and whether it may be missing; in order.
    columns: Vec<(String, &'static str, bool)>,
    primary_key: Vec<String>,
    unique: BTreeSet<String>,
    /// Name and columns.
    indexes: BTreeMap<String, Vec<String>>,
}

/// What every dialect's word for a type means.
fn kind(sql: &str) -> &'static str {
    let word = sql.split(['(', ' ']).next().unwrap();
    match word {
        "BIGINT" | "SMALLINT" | "INTEGER" => "number",
        "VARCHAR" | "MEDIUMTEXT" | "TEXT" => "text",
        "BINARY" | "BLOB" => "bytes",
        other => panic!("a type no dialect of ours has: {other}"),
    }
}

fn names(list: &str) -> Vec<String> {
    let list = list.trim().trim_start_matches('(');
    let (list, _) = list.split_once(')').unwrap();
    list.split(',').map(|name| name.trim().to_owned()).collect()
}

/// The tables that the migrations of a dialect make. Understands as much SQL as they use.
fn tables(dialect: &str) -> BTreeMap<String, Table> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../migrations")
        .join(dialect);
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let sql: Vec<String> = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let code: Vec<&str> = sql
        .iter()
        .flat_map(|sql| sql.lines())
        .filter(|line| !line.trim_start().starts_with("--"))
        .collect();
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for statement in code.join("\n").split(';') {
        let statement = statement.trim();
        if let Some(rest) = statement.strip_prefix("CREATE TABLE ") {
            let rest = rest.trim_start_matches("IF NOT EXISTS ");
            let (name, body) = rest.split_once(" (\n").unwrap();
            let (body, _) = body.rsplit_once("\n)").unwrap();
            tables.insert(name.to_owned(), table(body));
        } else if let Some(rest) = statement.strip_prefix("CREATE INDEX ") {
            let (index, rest) = rest.split_once(" ON ").unwrap();
            let (name, columns) = rest.split_once(' ').unwrap();
            let table = tables
                .get_mut(name)
                .expect("an index comes after its table");
            table.indexes.insert(index.to_owned(), names(columns));
        } else if !statement.contains("schema_info") {
            assert_eq!(statement, "", "a statement this test does not understand");
        }
    }
    tables
}

fn table(body: &str) -> Table {
    let mut table = Table::default();
    for line in body.lines().map(|line| line.trim().trim_end_matches(',')) {
        if let Some(columns) = line.strip_prefix("PRIMARY KEY ") {
            table.primary_key = names(columns);
            continue;
        }
        if let Some(key) = line.strip_prefix("KEY ") {
            let (index, columns) = key.split_once(' ').unwrap();
            table.indexes.insert(index.to_owned(), names(columns));
            continue;
        }
        let (name, rest) = line.split_once(' ').unwrap();
        let may_be_missing = !rest.contains("NOT NULL");
        table
            .columns
            .push((name.to_owned(), kind(rest), may_be_missing));
        if rest.contains("PRIMARY KEY") {
            table.primary_key = vec![name.to_owned()];
        }
        if rest.contains("UNIQUE") {
            table.unique.insert(name.to_owned());
        }
    }
    table
}

#[test]
fn every_dialect_has_the_same_tables_columns_and_keys() {
    let (mysql, sqlite) = (tables("mysql"), tables("sqlite"));
    assert_eq!(
        mysql.keys().collect::<Vec<_>>(),
        sqlite.keys().collect::<Vec<_>>()
    );
    for (name, table) in &mysql {
        assert_eq!(table, &sqlite[name], "{name}");
        assert!(!table.primary_key.is_empty(), "{name} has a key");
    }
    assert_eq!(mysql.len(), 13);
}

#[test]
fn every_dialect_has_the_same_versions() {
    let versions = |dialect: &str| -> BTreeSet<String> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../migrations")
            .join(dialect);
        let files = std::fs::read_dir(dir).unwrap();
        files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    assert_eq!(versions("mysql"), versions("sqlite"));
}

async fn execute(file: &Path, sql: &'static str) {
    let address = format!("sqlite://{}", file.display());
    let mut conn = AnyConnection::connect(&address).await.unwrap();
    conn.execute(sql).await.unwrap();
    conn.close().await.unwrap();
}

async fn refusal(file: &Path) -> String {
    match open_sqlite(file, None).await {
        Err(
            error @ Error::Unavailable {
                part: "database", ..
            },
        ) => error.to_string(),
        Err(other) => panic!("not this error: {other:?}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[tokio::test]
async fn a_database_is_opened_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a b%20?#ü.db");
    for _ in 0..3 {
        open_sqlite(&file, None).await.unwrap().close().await;
    }
    assert!(file.exists(), "under exactly this name");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_says_what_to_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("chat.db");
    open_sqlite(&file, None).await.unwrap().close().await;
    execute(
        &file,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', TRUE, x'00', 0)",
    )
    .await;
    let said = refusal(&file).await;
    for word in ["9999", "newer", "start the program that wrote it"] {
        assert!(said.contains(word), "{said}");
    }
}

#[tokio::test]
async fn a_schema_made_by_other_statements_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("chat.db");
    open_sqlite(&file, None).await.unwrap().close().await;
    execute(
        &file,
        "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1",
    )
    .await;
    let said = refusal(&file).await;
    assert!(
        said.contains("version 1 ") && said.contains("other statements"),
        "{said}"
    );
}

#[tokio::test]
async fn what_is_not_a_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("chat.db");
    let text = "precious text ".repeat(1_000);
    std::fs::write(&file, &text).unwrap();
    let said = refusal(&file).await;
    assert!(said.contains("not a database"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}
