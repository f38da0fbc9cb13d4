//! Builds the index anew beside the one in use, and fills one that was lost.
//!
//! Everybody writes to both from some time after the new one was made; only then are the rows that were there
//! before copied, with the versions they have, so it does not matter who comes first. The new index is put
//! into use only after it was found equal to the store. Nothing needs to be remembered: whoever starts again
//! finds the index that is being built, and chats that are equal are not copied twice.

use super::index::{self, Audited, Compared, Pace};
use crate::error::{Error, Result};
use crate::model::Millis;
use crate::ports::{AcrossTenants, NewIndex, Rebuild, Search};
use std::time::Duration;

/// How often rows are copied until the indices are equal.
const ROUNDS: u32 = 3;

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub step: Step,
    /// Messages looked at in this step.
    pub messages: u64,
    /// How many there are, as far as the index in use knows; it may know of none.
    pub of: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Until every program writes to both indices.
    Waiting(Duration),
    Copying,
    /// Comparing the new index with the store.
    Proving,
}

/// What a rebuild did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The index that is in use now.
    pub name: String,
    pub chats: u64,
    pub messages: u64,
    pub rows_written: u64,
}

/// Makes a new index equal to the store and puts it into use. After an error, the next call goes on where
/// this one was. `Busy` when the new index cannot be shown to equal the store, `Conflict` when somebody else
/// finished it. `patience` is that of the audit, `index::AUDIT_PATIENCE` in earnest.
pub async fn rebuild(
    across: &dyn AcrossTenants,
    rebuild: &dyn Rebuild,
    patience: Duration,
    now: Millis,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Rebuilt> {
    rebuild.sweep(now).await?;
    let of = rebuild.size().await?;
    let mut tell = |step, messages| progress(Progress { step, messages, of });
    let NewIndex { name, search } = rebuild.begin().await?;
    let lead = rebuild.lead();
    tell(Step::Waiting(lead), 0);
    tokio::time::sleep(lead).await;
    let mut rows_written = 0;
    let mut differing = 0;
    for _ in 0..ROUNDS {
        let mut copying = |compared: Compared| tell(Step::Copying, compared.messages);
        let copied = index::compare_at(Pace::Full, across, &*search, &mut copying).await?;
        rows_written += copied.rows_written;
        let mut proving = |audited: &Audited| tell(Step::Proving, audited.messages);
        let proven = index::audit(Pace::Full, patience, across, &*search, &mut proving).await?;
        if proven.differing == 0 {
            rebuild.finish(&name).await?;
            return Ok(Rebuilt {
                name,
                chats: proven.chats,
                messages: proven.messages,
                rows_written,
            });
        }
        differing = proven.differing;
    }
    Err(Error::Busy(format!(
        "the new index {name} still differs from the store in {differing} chats; start again"
    )))
}

/// Fills the index in use if it was made empty and not filled since, as after the first start and after the
/// index was deleted. `None` when there was nothing to do. Harmless where several do it at once.
pub async fn fill(
    across: &dyn AcrossTenants,
    search: &dyn Search,
    rebuild: &dyn Rebuild,
) -> Result<Option<Compared>> {
    let Some(name) = rebuild.unfilled().await? else {
        return Ok(None);
    };
    let compared = index::compare(across, search).await?;
    rebuild.filled(&name).await?;
    Ok(Some(compared))
}
