//! What it means to find a message by its words: the same for every engine.
//!
//! `words` cuts text into tokens, `query` reads what people type and says which tokens it means,
//! `highlight` shows where. All of it is pure. An engine holds the tokens of `words` separated by spaces
//! and answers a `Query` by the rules of `Term::matches`; it never sees what the user typed.

mod distance;
mod highlight;
mod query;
mod words;

pub use distance::distance;
pub use highlight::highlight;
pub use query::{Closeness, Query, Term};
pub use words::{MAX_TOKEN_CHARACTERS, MAX_WORDS_BYTES, Token, tokens, words};
