//! Makes, swaps and removes the indices behind the aliases.
//!
//! `<prefix>-messages` names the index in use, `<prefix>-messages-next` one that is being built. Indices are
//! called `<prefix>-messages-v1`, `-v2` and so on; a name is never used twice while its index is there. Every
//! decision is taken on one look at all of them, and the server lets only one of several makers have a name.

use super::schema;
use super::server::{Body, PATIENCE, Server};
use crate::error::{Error, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often somebody else may be faster before we give up.
const TRIES: usize = 5;

#[derive(Clone)]
pub(super) struct Names {
    base: String,
}

impl Names {
    /// `None` for a prefix that Elasticsearch would not take.
    pub(super) fn new(prefix: &str) -> Option<Self> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let valid = prefix.len() <= 40
            && prefix.starts_with(|c: char| c.is_ascii_lowercase())
            && prefix.chars().all(fits);
        valid.then(|| Self {
            base: format!("{prefix}-messages"),
        })
    }

    pub(super) fn in_use(&self) -> String {
        self.base.clone()
    }

    pub(super) fn next(&self) -> String {
        format!("{}-next", self.base)
    }

    fn index(&self, generation: u64) -> String {
        format!("{}-v{generation}", self.base)
    }

    fn all(&self) -> String {
        format!("{}-v*", self.base)
    }

    fn generation(&self, index: &str) -> Option<u64> {
        index
            .strip_prefix(&self.base)?
            .strip_prefix("-v")?
            .parse()
            .ok()
    }
}

pub(super) struct Indices {
    server: Arc<Server>,
    names: Names,
}

/// All indices of ours at one moment, by generation.
type Overview = BTreeMap<u64, Index>;

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    aliases: BTreeMap<String, Value>,
}

impl Indices {
    pub(super) fn new(server: Arc<Server>, names: Names) -> Self {
        Self { server, names }
    }

    /// See `ElasticIndex::ensure`.
    pub(super) async fn ensure(&self) -> Result<()> {
        self.holder_or_new(&self.names.in_use()).await.map(|_| ())
    }

    /// The generation that is being built, if one is.
    pub(super) async fn next(&self) -> Result<Option<u64>> {
        Ok(holder(&self.overview().await?, &self.names.next()))
    }

    /// The index under this alias, or a new, empty one.
    async fn holder_or_new(&self, alias: &str) -> Result<u64> {
        for _ in 0..TRIES {
            let overview = self.overview().await?;
            if let Some(generation) = holder(&overview, alias) {
                return Ok(generation);
            }
            let newest = overview.last_key_value().map_or(0, |(newest, _)| *newest);
            self.create(newest + 1, alias).await?;
        }
        Err(Error::Busy(format!(
            "others keep making and removing {alias}"
        )))
    }

    async fn overview(&self) -> Result<Overview> {
        let path = format!("{}?filter_path=*.aliases", self.names.all());
        let answer = self
            .server
            .ask(Method::GET, &path, Body::None, PATIENCE)
            .await?;
        if !answer.is_success() {
            return Err(self.server.refused(&answer, "a look at its indices"));
        }
        let indices: BTreeMap<String, Index> = answer.json()?;
        let ours = indices
            .into_iter()
            .filter_map(|(name, index)| Some((self.names.generation(&name)?, index)));
        Ok(ours.collect())
    }

    /// It is all right when somebody else was faster.
    async fn create(&self, generation: u64, alias: &str) -> Result<()> {
        let path = self.names.index(generation);
        let body = Body::Json(schema::index(alias));
        let answer = self.server.ask(Method::PUT, &path, body, PATIENCE).await?;
        match (answer.status, answer.error_kind().as_str()) {
            (200..300, _) | (400, "resource_already_exists_exception") => Ok(()),
            (400, "invalid_alias_name_exception") => Err(self.server.unavailable(&format!(
                "{alias} is an index where it should be an alias; delete that index"
            ))),
            _ => Err(self.server.refused(&answer, "to make an index")),
        }
    }
}

fn holder(overview: &Overview, alias: &str) -> Option<u64> {
    let mut holders = overview
        .iter()
        .filter(|(_, index)| index.aliases.contains_key(alias));
    holders.next_back().map(|(generation, _)| *generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_generation_and_only_ours_do() {
        let names = Names::new("chat-1").unwrap();
        assert_eq!(names.generation(&names.index(12)), Some(12));
        for foreign in [
            "chat-1-messages",
            "chat-1-messages-vx",
            "chat-messages-v1",
            "chat-1-messages-v1-old",
        ] {
            assert_eq!(names.generation(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_prefix_that_no_index_can_have_is_refused() {
        for prefix in ["", "-chat", "Chat", "chat*", "chät", "a,b", &"x".repeat(41)] {
            assert!(Names::new(prefix).is_none(), "{prefix}");
        }
    }
}
