//! Which schema the store has, and whether this program can use it.
//!
//! `schema_info` says the version, and from which program's version on it can be used: a program runs on
//! a schema as new as itself or newer, as long as that still serves it. So a migration that only adds is
//! carried out before the programs are replaced, one that takes away after them.

use super::SqlStore;
use super::decode::Cursor;
use crate::error::{Error, Result};

/// The last migration this program knows, and needs.
pub(super) const SCHEMA: i64 = 2;

impl SqlStore {
    /// Ok when the schema is there and serves this program. `Unavailable`: it is missing or too old.
    /// `SchemaTooNew`: it does not serve this program any more.
    pub async fn schema_ready(&self) -> Result<()> {
        let sql = "SELECT version, readable_from FROM schema_info".to_owned();
        let row = self.fetch_optional(sql, |query| query).await?;
        let (version, readable_from) = match &row {
            Some(row) => {
                let mut row = Cursor::over(row);
                (row.get()?, row.get()?)
            }
            None => (0, 0),
        };
        let verdict = judge(version, readable_from);
        verdict.map_err(|error| self.backend.placed(error))
    }
}

fn judge(version: i64, readable_from: i64) -> Result<()> {
    if readable_from > SCHEMA {
        return Err(Error::SchemaTooNew {
            schema: version,
            program: SCHEMA,
        });
    }
    if version < SCHEMA {
        let problem = format!(
            "its schema has version {version}, this program needs {SCHEMA}; run chat-worker migrate"
        );
        return Err(Error::unavailable("database", problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_serves_programs_between_what_it_was_made_for_and_its_own_version() {
        assert!(judge(SCHEMA, 1).is_ok());
        assert!(judge(SCHEMA, SCHEMA).is_ok());
        assert!(judge(SCHEMA + 5, SCHEMA).is_ok());
        assert!(matches!(
            judge(SCHEMA - 1, 1),
            Err(Error::Unavailable { .. })
        ));
        assert!(matches!(
            judge(SCHEMA + 5, SCHEMA + 1),
            Err(Error::SchemaTooNew { schema, program }) if (schema, program) == (SCHEMA + 5, SCHEMA)
        ));
    }
}
