//! The rules: what a request or a delivery does, in terms of ports only.
//!
//! `Ops` is what a handler calls; its methods are spread over the files below, one subject each. The
//! functions that a worker calls (`persist`, `index`, `counts`, `gaps`) take the ports they need.

mod accept;
mod again;
mod applications;
mod chats;
pub mod counts;
mod find;
pub mod gaps;
pub mod health;
pub mod index;
pub mod limits;
mod messages;
pub mod persist;
pub mod reindex;
pub mod search;

pub use applications::{CreatedApplication, Credential, Key};
pub use chats::{ChatEdit, NewChat};
pub use find::{FoundMessage, SearchInput, SearchPage};
pub use messages::{MessageEdit, MessageStatus, NewMessage, Status};

use crate::error::{Error, Result};
use crate::ports::{AcrossTenants, Numbers, Publisher, Reader, Search, Sequences, Tenants};
use applications::Salts;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What the rules work with.
#[derive(Clone)]
pub struct Ports {
    pub tenants: Arc<dyn Tenants>,
    pub reader: Arc<dyn Reader>,
    pub across: Arc<dyn AcrossTenants>,
    pub sequences: Arc<dyn Sequences>,
    pub numbers: Arc<dyn Numbers>,
    pub publisher: Arc<dyn Publisher>,
    pub search: Arc<dyn Search>,
}

/// The rules' face to the API. Cheap to clone.
#[derive(Clone)]
pub struct Ops {
    ports: Ports,
    salts: Arc<Salts>,
}

/// A thing that was accepted is there, or on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence<T> {
    Here(T),
    Processing,
}

/// Between two looks for what is on its way.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// How long a change waits for what was accepted a moment ago.
const SOON: Duration = Duration::from_secs(2);

impl<T> Presence<T> {
    /// Looks until it is there, or `wait` is over.
    async fn within<L>(wait: Duration, look: impl Fn() -> L) -> Result<Self>
    where
        L: Future<Output = Result<Self>>,
    {
        let deadline = Instant::now() + wait;
        loop {
            let presence = look().await?;
            let left = deadline.saturating_duration_since(Instant::now());
            if matches!(presence, Self::Here(_)) || left.is_zero() {
                return Ok(presence);
            }
            tokio::time::sleep(LOOK_AGAIN.min(left)).await;
        }
    }

    /// For a change that cannot do without it.
    fn here(self) -> Result<T> {
        match self {
            Self::Here(there) => Ok(there),
            Self::Processing => Err(Error::NotYetStored),
        }
    }
}

impl Ops {
    /// How whoever holds every port itself is asked whether it works.
    pub fn health(&self) -> health::Health {
        health::Health::of_all(&self.ports)
    }

    pub fn new(ports: Ports) -> Self {
        Self {
            ports,
            salts: Arc::default(),
        }
    }
}
