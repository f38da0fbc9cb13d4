//! One process at a time owns a data directory. The operating system holds the lock and drops it with
//! the process, however that ends.

use anyhow::{Context, Result, bail};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

const FILE: &str = "lock";

/// Held as long as this lives.
#[derive(Debug)]
pub(crate) struct DataDirLock {
    _file: File,
}

/// Makes the directory if it is missing, for this user only, and takes it.
pub(crate) fn lock(data_dir: &Path) -> Result<DataDirLock> {
    let shown = data_dir.display();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .with_context(|| format!("cannot make the data directory {shown}"))?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(data_dir.join(FILE))
        .with_context(|| format!("cannot write to the data directory {shown}"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!(
            "the data directory {shown} is in use by another chat-standalone{}: stop it, or give \
             this one a directory of its own with --data-dir or CHAT_DATA_DIR",
            owner(&mut file)
        ),
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock the data directory {shown}"));
        }
    }
    // Only for the message above; whether it could be written changes nothing.
    file.set_len(0)
        .and_then(|()| write!(file, "{}", std::process::id()))
        .ok();
    Ok(DataDirLock { _file: file })
}

fn owner(file: &mut File) -> String {
    let mut id = String::new();
    match file.take(20).read_to_string(&mut id) {
        Ok(_) if id.parse::<u32>().is_ok() => format!(" (process {id})"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("made/on the way");
        let held = lock(&dir).unwrap();
        let refused = lock(&dir).unwrap_err().to_string();
        assert!(refused.contains(&dir.display().to_string()), "{refused}");
        assert!(
            refused.contains(&format!("(process {})", std::process::id())),
            "{refused}"
        );
        assert!(refused.contains("--data-dir"), "{refused}");
        drop(held);
        lock(&dir).unwrap();
    }

    #[test]
    fn what_is_no_directory_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = format!("{:#}", lock(file.path()).unwrap_err());
        assert!(
            refused.contains(&file.path().display().to_string()),
            "{refused}"
        );
    }
}
