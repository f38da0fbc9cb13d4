//! What works right now, part by part.

use super::Ops;
use crate::error::Error;
use std::time::Duration;

/// A part that does not answer in this time does not work.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: &'static str,
    pub ok: bool,
    /// "ok", or what is wrong.
    pub detail: String,
}

impl Ops {
    /// Asks every part at once.
    pub async fn parts(&self) -> Vec<Part> {
        let ports = &self.ports;
        let store = async { ports.tenants.list(0, 1).await.map(drop) };
        let (store, queue, index) = tokio::join!(
            part("store", store),
            part("queue", ports.publisher.ready()),
            part("index", ports.search.ready())
        );
        vec![store, queue, index]
    }
}

async fn part(name: &'static str, check: impl Future<Output = Result<(), Error>>) -> Part {
    let outcome = tokio::time::timeout(PATIENCE, check).await;
    let (ok, detail) = match outcome {
        Ok(Ok(())) => (true, "ok".to_owned()),
        Ok(Err(error)) => (false, error.to_string()),
        Err(_) => (
            false,
            format!("did not answer within {} s", PATIENCE.as_secs()),
        ),
    };
    crate::metrics::part_ready(name, ok);
    Part { name, ok, detail }
}
