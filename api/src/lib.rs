//! ChatSystem's HTTP side: the contract over any backends, and the loop that serves it.
//!
//! A request goes through `envelope` (context, limits, deadline), an extractor (who and where), a
//! handler in `routes` (parse, one rule of `chat::ops`, answer) and back through `envelope` (problems,
//! headers, access line). No rule is decided here and no driver is known here.

mod answers;
mod auth;
mod body;
mod context;
mod cors;
mod cursor;
mod envelope;
mod error;
mod extract;
mod fields;
mod kind;
mod limits;
mod openapi;
mod query;
mod requests;
mod router;
mod routes;
mod serve;
mod settings;

pub use router::{document, router};
pub use routes::health::admin_router;
pub use serve::{ServeLimits, serve};
pub use settings::ApiSettings;
