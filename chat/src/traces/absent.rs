//! In a program that was built without traces: there is never a span.

use crate::adapters::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::event::Queue;
use crate::model::AppId;

/// Cannot be made.
pub(super) enum Recorded {}

impl Recorded {
    pub(super) fn traceparent(&self) -> String {
        match *self {}
    }

    pub(super) fn trace_id(&self) -> String {
        match *self {}
    }

    pub(super) fn answered(&mut self, _status: u16, _app: Option<AppId>) {
        match *self {}
    }

    pub(super) fn failed(&mut self, _how: &'static str) {
        match *self {}
    }
}

/// Fails: see `BUILT_IN`.
pub fn start(_service: &'static str, _collector: &Endpoint, _sample: f64) -> Result<()> {
    Err(Error::internal("this program was built without traces"))
}

/// There is nothing to export.
pub async fn flush() {}

pub(super) fn of_request(_method: &str, _route: &str, _caller: Option<&str>) -> Option<Recorded> {
    None
}

pub(super) fn of_publish(_queue: Queue, _cause: &str) -> Option<Recorded> {
    None
}

pub(super) fn of_batch<'a>(
    _queue: Queue,
    _messages: usize,
    _causes: impl Iterator<Item = &'a str>,
) -> Option<Recorded> {
    None
}
