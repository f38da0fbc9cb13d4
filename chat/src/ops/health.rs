//! What works right now, part by part.

use super::Ports;
use crate::error::Error;
use futures::future::{BoxFuture, join_all};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A part that does not answer in this time does not work.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: &'static str,
    pub ok: bool,
    /// Whether the program can do its work only with it.
    pub needed: bool,
    /// "ok", or what is wrong.
    pub detail: String,
}

/// The parts of a program and how each is asked. Cheap to clone.
#[derive(Clone, Default)]
pub struct Health(Arc<Vec<Probe>>);

/// When a program needs a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Always,
    /// Until it answered once: later the program can wait for it.
    AtStart,
    Never,
}

pub struct Probe {
    name: &'static str,
    need: Need,
    answered: AtomicBool,
    ask: Ask,
}

type Ask = Box<dyn Fn() -> BoxFuture<'static, Result<(), Error>> + Send + Sync>;

impl Probe {
    pub fn new<F>(
        name: &'static str,
        need: Need,
        ask: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        Self {
            name,
            need,
            answered: AtomicBool::new(false),
            ask: Box::new(move || Box::pin(ask())),
        }
    }

    async fn part(&self) -> Part {
        let outcome = tokio::time::timeout(PATIENCE, (self.ask)()).await;
        let (ok, detail) = match outcome {
            Ok(Ok(())) => (true, "ok".to_owned()),
            Ok(Err(error)) => (false, error.to_string()),
            Err(_) => (
                false,
                format!("did not answer within {} s", PATIENCE.as_secs()),
            ),
        };
        let answered = self.answered.fetch_or(ok, Ordering::Relaxed);
        crate::metrics::part_ready(self.name, ok);
        Part {
            name: self.name,
            ok,
            needed: match self.need {
                Need::Always => true,
                Need::AtStart => !answered,
                Need::Never => false,
            },
            detail,
        }
    }
}

impl Health {
    pub fn new(probes: Vec<Probe>) -> Self {
        Self(Arc::new(probes))
    }

    /// Of a program that holds everything itself.
    pub fn of_all(ports: &Ports) -> Self {
        let Ports {
            tenants,
            publisher,
            search,
            ..
        } = ports.clone();
        Self::new(vec![
            Probe::new("store", Need::Always, move || {
                let tenants = tenants.clone();
                async move { tenants.list(0, 1).await.map(drop) }
            }),
            Probe::new("queue", Need::Always, move || {
                let publisher = publisher.clone();
                async move { publisher.ready().await }
            }),
            Probe::new("index", Need::Always, move || {
                let search = search.clone();
                async move { search.ready().await }
            }),
        ])
    }

    /// Asks every part at once.
    pub async fn parts(&self) -> Vec<Part> {
        join_all(self.0.iter().map(Probe::part)).await
    }
}

/// Whether a program with these parts can do its work.
pub fn ready(parts: &[Part]) -> bool {
    parts.iter().all(|part| part.ok || !part.needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(name: &'static str, need: Need, works: &Arc<AtomicBool>) -> Probe {
        let works = works.clone();
        Probe::new(name, need, move || {
            let ok = works.load(Ordering::Relaxed);
            async move {
                match ok {
                    true => Ok(()),
                    false => Err(Error::Busy("away".into())),
                }
            }
        })
    }

    #[tokio::test]
    async fn a_part_is_missed_only_by_who_needs_it() {
        for (need, at_first, later) in [
            (Need::Always, false, false),
            (Need::AtStart, false, true),
            (Need::Never, true, true),
        ] {
            let works = Arc::new(AtomicBool::new(false));
            let health = Health::new(vec![probe("a part", need, &works)]);
            assert_eq!(ready(&health.parts().await), at_first, "{need:?}");
            works.store(true, Ordering::Relaxed);
            assert!(ready(&health.parts().await), "{need:?}");
            works.store(false, Ordering::Relaxed);
            let parts = health.parts().await;
            assert_eq!(ready(&parts), later, "{need:?}");
            assert_eq!(parts[0].detail, "busy: away");
        }
    }
}
