//! Makes, swaps and removes the indices behind the aliases.
//!
//! `<prefix>-messages` names the index in use, `<prefix>-messages-next` one that is being built. Indices are
//! called `<prefix>-messages-v1`, `-v2` and so on; a name is never used twice while its index is there. Every
//! decision is taken on one look at all of them, and the server lets only one of several makers have a name.

use super::names::Names;
use super::schema;
use super::server::{Body, PATIENCE, Server};
use crate::error::{Error, Result};
use crate::model::Millis;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often somebody else may be faster before we give up.
const TRIES: usize = 5;
/// How long an index is kept that is out of use.
const KEPT_MS: i64 = 24 * 3_600_000;

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
    #[serde(default)]
    mappings: Mappings,
}

#[derive(Default, Deserialize)]
struct Mappings {
    #[serde(rename = "_meta", default)]
    about: About,
}

/// What an index says about itself.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct About {
    /// It was compared with the store since it was made.
    pub(super) filled: bool,
    /// When it was first seen under no alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unused_since: Option<Millis>,
}

impl Indices {
    pub(super) fn new(server: Arc<Server>, names: Names) -> Self {
        Self { server, names }
    }

    /// See `ElasticIndex::ensure`.
    pub(super) async fn ensure(&self) -> Result<()> {
        self.holder_or_new(&self.names.in_use()).await.map(|_| ())
    }

    /// Whether an index is being built.
    pub(super) async fn next_is_there(&self) -> Result<bool> {
        Ok(holder(&self.overview().await?, &self.names.next()).is_some())
    }

    /// The name of the index that is being built; a new, empty one if none is.
    pub(super) async fn begin(&self) -> Result<String> {
        let generation = self.holder_or_new(&self.names.next()).await?;
        Ok(self.names.index(generation))
    }

    /// See `Rebuild::finish`. In one step, so that nobody finds two indices or none.
    pub(super) async fn finish(&self, name: &str) -> Result<()> {
        self.describe(
            name,
            About {
                filled: true,
                unused_since: None,
            },
        )
        .await?;
        let (all, in_use, next) = (self.names.all(), self.names.in_use(), self.names.next());
        let actions = json!({ "actions": [
            // Fails, and with it the rest, unless it is this index that is being built.
            { "remove": { "index": name, "alias": next, "must_exist": true } },
            { "remove": { "index": all, "alias": in_use, "must_exist": false } },
            { "add": { "index": name, "alias": in_use } },
        ]});
        let answer = self
            .server
            .ask(Method::POST, "_aliases", Body::Json(actions), PATIENCE)
            .await?;
        match answer.status {
            200..300 => Ok(()),
            404 => Err(Error::Conflict),
            _ => Err(self.server.refused(&answer, "to swap indices")),
        }
    }

    /// See `Rebuild::give_up`.
    pub(super) async fn give_up(&self) -> Result<()> {
        match holder(&self.overview().await?, &self.names.next()) {
            Some(generation) => self.remove(generation).await,
            None => Ok(()),
        }
    }

    /// See `Rebuild::sweep`.
    pub(super) async fn sweep(&self, now: Millis) -> Result<u32> {
        let mut removed = 0;
        for (generation, index) in self.overview().await? {
            let about = index.mappings.about;
            match about.unused_since {
                _ if !index.aliases.is_empty() => {}
                None => {
                    let unused_since = Some(now);
                    let about = About {
                        unused_since,
                        ..about
                    };
                    self.describe(&self.names.index(generation), about).await?;
                }
                Some(since) if since.plus(KEPT_MS) <= now => {
                    self.remove(generation).await?;
                    removed += 1;
                }
                Some(_) => {}
            }
        }
        Ok(removed)
    }

    /// See `Rebuild::unfilled`.
    pub(super) async fn unfilled(&self) -> Result<Option<String>> {
        let overview = self.overview().await?;
        let unfilled = holder(&overview, &self.names.in_use())
            .filter(|generation| !overview[generation].mappings.about.filled);
        Ok(unfilled.map(|generation| self.names.index(generation)))
    }

    /// See `Rebuild::filled`.
    pub(super) async fn filled(&self, name: &str) -> Result<()> {
        match self
            .describe(
                name,
                About {
                    filled: true,
                    unused_since: None,
                },
            )
            .await
        {
            Err(Error::Conflict) => Ok(()),
            done => done,
        }
    }

    /// `Conflict` when the index is gone.
    async fn describe(&self, name: &str, about: About) -> Result<()> {
        let body = Body::Json(json!({ "_meta": about }));
        let path = format!("{name}/_mapping");
        let answer = self.server.ask(Method::PUT, &path, body, PATIENCE).await?;
        match answer.status {
            200..300 => Ok(()),
            404 => Err(Error::Conflict),
            _ => Err(self.server.refused(&answer, "a note on an index")),
        }
    }

    async fn remove(&self, generation: u64) -> Result<()> {
        let path = self.names.index(generation);
        let answer = self
            .server
            .ask(Method::DELETE, &path, Body::None, PATIENCE)
            .await?;
        match answer.status {
            200..300 | 404 => Ok(()),
            _ => Err(self.server.refused(&answer, "to remove an index")),
        }
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
        let path = format!(
            "{}?filter_path=*.aliases,*.mappings._meta",
            self.names.all()
        );
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
