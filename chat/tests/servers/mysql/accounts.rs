//! The accounts of docs/sql-accounts.md are enough for what their programs do, and for no more.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use super::commands::application;
use super::database::Database;
use chat::adapters::sql::{MysqlSettings, SqlStore, migrate, open_mysql};
use chat::conformance::{self, Store};
use chat::error::{Error, Result};
use chat::model::{AppId, Scope};
use chat::ports::{Reserve, Sequences, Tenants, Upkeep, Writer};
use chat::rows::{Counted, Existing, Keys, LedgerEntry, Plan};
use std::fmt::Debug;
use std::sync::Arc;

const PAGE: &str = include_str!("../../../../docs/sql-accounts.md");

/// The accounts as the page makes them, for one database, under names of their own.
struct Accounts<'d> {
    database: &'d Database,
    suffix: String,
}

impl<'d> Accounts<'d> {
    async fn of(database: &'d Database) -> Self {
        let accounts = Self {
            database,
            suffix: format!("{:08x}", rand::random::<u32>()),
        };
        let blocks = PAGE.split("```sql\n").skip(1);
        let mut statements = 0;
        for block in blocks {
            let (sql, _) = block.split_once("```").unwrap();
            statements += sql.matches(';').count();
            database.execute(accounts.renamed(sql)).await;
        }
        assert!(statements > 20, "the page was read");
        accounts
    }

    fn renamed(&self, sql: &str) -> String {
        sql.replace(" ON chat.", &format!(" ON {}.", self.database.name()))
            .replace("'chat_", &format!("'t{}_", self.suffix))
            .replace("PASSWORD", &self.suffix)
    }

    fn settings(&self, account: &str) -> MysqlSettings {
        let user = format!("t{}_{account}", self.suffix);
        self.database.settings_of(&user, &self.suffix)
    }

    fn store(&self, account: &str) -> SqlStore {
        open_mysql(&self.settings(account)).unwrap()
    }
}

impl Drop for Accounts<'_> {
    fn drop(&mut self) {
        let users = ["api", "worker", "reconcile", "migrate", "system"];
        let drops: Vec<String> = users
            .iter()
            .map(|user| format!("DROP USER IF EXISTS 't{}_{user}'@'%'", self.suffix))
            .collect();
        self.database.execute_at_the_end(drops.join("; "));
    }
}

macro_rules! each {
    ($store:ident: $($port:ident::$promise:ident),* $(,)?) => {
        $(conformance::$port::$promise($store.clone()).await;)*
    };
}

async fn each_program_does_its_work_with_its_account(server: &str) {
    let Some(database) = Database::own(server).await else {
        return;
    };
    let accounts = Accounts::of(&database).await;
    migrate(&accounts.settings("migrate")).await.unwrap();
    keeps_its_promises([
        accounts.store("api"),
        accounts.store("worker"),
        accounts.store("reconcile"),
    ])
    .await;
}

async fn the_account_of_a_system_does_the_work_of_all_its_programs(server: &str) {
    let Some(database) = Database::own(server).await else {
        return;
    };
    let accounts = Accounts::of(&database).await;
    migrate(&accounts.settings("migrate")).await.unwrap();
    keeps_its_promises(std::array::from_fn(|_| accounts.store("system"))).await;
}

/// A store that the API, the workers and `chat-worker reconcile` have opened.
async fn keeps_its_promises(opened: [SqlStore; 3]) {
    let [api, worker, reconcile] = opened.map(Arc::new);
    let store = Store {
        tenants: api.clone(),
        reader: api.clone(),
        across: worker.clone(),
        writer: worker.clone(),
        sequences: api.clone(),
        upkeep: reconcile.clone(),
        gaps: reconcile.clone(),
    };
    each!(store:
        tenants::a_new_application_is_found_by_its_token,
        tenants::an_idempotency_key_makes_one_application,
        tenants::a_renamed_application_shows_its_new_name,
        tenants::a_deleted_application_is_found_by_nobody,
        tenants::a_revoked_key_stays_listed_and_makes_room,
        reader::no_tenant_reads_what_is_anothers,
        reader::windows_forward_show_each_live_message_once,
        reader::the_index_is_told_the_state_of_now,
        writer::a_change_before_its_create_waits_for_it,
        writer::a_uid_under_a_second_number_becomes_an_alias_and_takes_its_stub_along,
        writer::many_writers_of_the_same_commands_store_each_once,
        sequences::a_block_that_does_not_continue_the_callers_own_marks_a_jump,
        sequences::an_unused_rest_is_given_back_only_while_its_block_is_the_last,
        sequences::the_first_number_bound_to_a_chat_key_stays,
        upkeep::counts_are_right_before_and_after_a_fold,
        upkeep::a_count_that_falls_to_none_is_none,
        upkeep::an_audit_finds_a_wrong_count_and_repair_mends_it,
        upkeep::a_purge_goes_down_from_a_deleted_application,
        upkeep::a_removed_application_leaves_only_its_tombstone,
        gaps::a_row_that_comes_late_is_cut_out_of_its_gap,
        gaps::a_stub_in_a_gap_is_removed_and_a_chats_stub_stays,
        gaps::a_run_up_to_a_jump_is_a_lost_block,
    );
    for store in [api, worker, reconcile] {
        store.schema_ready().await.unwrap();
        store.close().await;
    }
}

fn refused<T: Debug>(what: &str, done: Result<T>) {
    let Err(error @ Error::Unavailable { .. }) = done else {
        panic!("{what} was not refused: {done:?}");
    };
    let said = error.to_string();
    for word in ["mysql://127.0.0.1:", "check the rights of the account"] {
        assert!(said.contains(word), "{what}: {said}");
    }
}

async fn an_account_can_do_nothing_else(server: &str) {
    let Some(database) = Database::own(server).await else {
        return;
    };
    let accounts = Accounts::of(&database).await;
    let app = AppId::from_random(rand::random());
    let nothing = Keys::default();
    let counted = Counted::ChatsOf(app);
    let lie = move |_: &Existing| Plan {
        ledger: vec![LedgerEntry { counted, change: 1 }],
        ..Plan::default()
    };
    let api = accounts.store("api");
    database
        .execute("INSERT INTO count_ledger (kind, app_id, chat_number, n) VALUES (0, 1, 0, 1)")
        .await;
    refused("writing as the API", api.apply(&nothing, &lie).await);
    refused("folding as the API", api.fold(1).await);
    for account in ["worker", "reconcile"] {
        let store = accounts.store(account);
        let scope = Scope::Chats(app);
        let want = Reserve {
            scope,
            size: 1,
            expected_lo: None,
        };
        refused(account, store.create(application()).await);
        refused(account, store.reserve(&[want]).await);
    }
    refused(
        "folding as a worker",
        accounts.store("worker").fold(1).await,
    );
    for account in ["api", "worker", "reconcile", "system"] {
        // Every statement of a migration is carried out again after this.
        database
            .execute("UPDATE _sqlx_migrations SET success = FALSE")
            .await;
        refused(account, migrate(&accounts.settings(account)).await);
    }
}

super::on_both!(
    each_program_does_its_work_with_its_account,
    the_account_of_a_system_does_the_work_of_all_its_programs,
    an_account_can_do_nothing_else,
);
