//! `chat-standalone backup FILE`: a copy of the database that can be started from.
//!
//! The index is not copied: it is rebuilt from the database.

use anyhow::{Context, Result, bail};
use chat::backends::{self, database_file};
use chat::config::Standalone;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Returns what to tell the person who asked. Works beside a running chat, so it takes no lock.
pub(crate) async fn backup(settings: &Standalone, file: &Path) -> Result<String> {
    let data_dir = std::path::absolute(&settings.data_dir)?;
    let database = database_file(&data_dir);
    let (from, to) = (database.display(), file.display());
    if !database.exists() {
        bail!(
            "there is no {from}: name the chat's data directory with --data-dir or CHAT_DATA_DIR"
        );
    }
    backends::backup(&data_dir, file)
        .await
        .with_context(|| format!("cannot copy {from} to {to}"))?;
    // It holds everything that anybody wrote.
    std::fs::set_permissions(file, Permissions::from_mode(0o600))?;
    Ok(format!(
        "Copied {from} to {to}.\n\
         To restore it: put it as chat.db into an empty directory, and start chat-standalone with\n\
         --data-dir naming that directory. The index is rebuilt while the chat serves, and numbers\n\
         continue far above those in the copy, so that none is given twice.\n"
    ))
}
