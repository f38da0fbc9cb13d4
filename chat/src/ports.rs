//! What the rules need from the world, as promises.
//!
//! Every trait is object-safe, speaks only words of the domain, and says what may be repeated, what
//! absence returns and which error means what. `conformance.rs` runs every promise against every
//! adapter. Unless a method says otherwise: `Error::Unavailable` means the backend does not answer and
//! nothing was done, `Error::Busy` means the same and that trying again soon is worth it, and dropping
//! a future half-way leaves either the whole effect or none.

mod limiting;
mod numbering;
mod queues;
mod reading;
mod search;
mod tenants;
mod upkeep;
mod writing;

pub use limiting::Limiter;
pub use numbering::{Claim, Numbers, Taken};
pub use queues::{BuryReason, Deliveries, Delivery, Publisher, Settle, Slot, Subscriber};
pub use reading::{AcrossTenants, Found, MessagePage, Reader, Stored, Window};
pub use search::{
    Digest, Hit, Hits, IndexDocument, IndexEntry, IndexWrite, NewIndex, Rebuild, Search,
    SearchRequest, Sort,
};
pub use tenants::{Creation, KeyRecord, NewApplication, Tenant, Tenants};
pub use upkeep::{Audit, Drift, Explanation, GapLedger, Purged, Upkeep, Watermark};
pub use writing::{Block, Planner, Remainder, Reserve, Sequences, Writer};
