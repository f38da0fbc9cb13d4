//! What the system says in the end, at rest.

use super::Scope;
use std::collections::{BTreeMap, BTreeSet};

/// Everything it says over HTTP, by scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    pub scopes: BTreeMap<Scope, Said>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The list, all pages of it, by number.
    pub rows: BTreeMap<u64, Row>,
    /// `messages_count` or `chats_count`.
    pub count: u64,
    pub gaps: Vec<Gap>,
    /// The answer to a GET of every number that was accepted, and of every number below the highest that
    /// the list does not have.
    pub answers: BTreeMap<u64, Answer>,
    /// Numbers of everything that searching for each row's own words shows. None: this scope cannot be
    /// searched.
    pub found: Option<BTreeSet<u64>>,
    /// The chat or its application was deleted: nothing below it has to be there.
    pub deleted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: String,
    pub content: String,
    pub rev: u64,
}

/// The numbers `from` to `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub from: u64,
    pub to: u64,
    pub cause: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200, with the number and id in it: another number than was asked for if that is an alias.
    Row { number: u64, id: String },
    /// 202.
    Processing,
    /// 410.
    Gone,
    /// 404 that says it was never stored.
    NeverStored,
    /// Any other 404.
    NotFound,
}
