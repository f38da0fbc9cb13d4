//! Settings become ports: the only place that names adapters.

#[cfg(feature = "cluster")]
mod cluster;
#[cfg(feature = "embedded")]
mod embedded;

#[cfg(feature = "cluster")]
pub use cluster::{Cluster, ClusterSettings, mysql_settings, open_cluster};
#[cfg(feature = "embedded")]
pub use embedded::{Embedded, EmbeddedSettings, backup, database_file, open_embedded};

use crate::ports::{
    AcrossTenants, GapLedger, Numbers, Publisher, Search, Subscriber, Upkeep, Writer,
};
use std::sync::Arc;

/// The ports a worker uses.
#[derive(Clone)]
pub struct Work {
    pub writer: Arc<dyn Writer>,
    pub upkeep: Arc<dyn Upkeep>,
    pub gaps: Arc<dyn GapLedger>,
    pub across: Arc<dyn AcrossTenants>,
    pub numbers: Arc<dyn Numbers>,
    pub publisher: Arc<dyn Publisher>,
    pub subscriber: Arc<dyn Subscriber>,
    pub search: Arc<dyn Search>,
}
