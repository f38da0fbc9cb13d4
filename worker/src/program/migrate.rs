//! `chat-worker migrate`: the database's tables, and its numbers after a restore.

use anyhow::Result;
use chat::adapters::sql;
use chat::backends::mysql_settings;
use chat::config::Worker;

pub(crate) async fn migrate(settings: &Worker, after_restore: bool) -> Result<()> {
    let mysql = mysql_settings(&settings.servers, 2);
    let migrated = sql::migrate(&mysql).await?;
    let mut text = match migrated.before == migrated.after {
        true => format!("The schema has version {} already.\n", migrated.after),
        false => format!(
            "The schema went from version {} to {}.\n",
            migrated.before, migrated.after
        ),
    };
    if after_restore {
        let scopes = sql::after_restore(&mysql).await?;
        text.push_str(&format!(
            "Numbers of {scopes} scopes continue a million higher; the hole is marked as lost with the restore.\n\
             Next: start the workers, then the API, and run `chat-worker audit --repair`.\n"
        ));
    }
    cli::print(&text)
}
