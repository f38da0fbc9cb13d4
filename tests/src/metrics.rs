//! Reads the metrics of a running system, and waits until it is at rest.

use crate::client::Client;
use crate::eventually::eventually;
use crate::queues::{DEAD, LAG};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// One scrape of every process: lines of the Prometheus text format.
#[derive(Clone, Debug)]
pub struct Metrics {
    samples: Vec<(String, f64)>,
}

impl Metrics {
    pub async fn of(client: &Client) -> Self {
        let answers = client.operators("/metrics").await;
        let lines = answers.iter().flat_map(|(_, text)| text.lines());
        let samples = lines.filter(|line| !line.starts_with('#'));
        let parsed = samples.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self {
            samples: parsed.collect(),
        }
    }

    /// Sum over all processes and labels. Panics where there is no such metric: a renamed one must not pass as 0.
    pub fn sum(&self, name: &str) -> f64 {
        let mut values = self.series(name).peekable();
        assert!(values.peek().is_some(), "there is no metric {name}");
        values.sum()
    }

    fn series(&self, name: &str) -> impl Iterator<Item = f64> {
        self.samples
            .iter()
            .filter(move |(sample, _)| {
                let rest = sample.strip_prefix(name);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
            })
            .map(|(_, value)| *value)
    }
}

/// What is under way, as far as metrics and the broker tell.
#[derive(Debug)]
struct UnderWay {
    metrics: Metrics,
    depths: Option<BTreeMap<String, u64>>,
}

impl UnderWay {
    async fn of(client: &Client) -> Self {
        Self {
            metrics: Metrics::of(client).await,
            depths: client.depths().await,
        }
    }

    fn is_nothing(&self) -> bool {
        let in_processes = ["chat_queue_messages", "chat_index_dirty_keys"];
        in_processes
            .iter()
            .all(|name| self.metrics.sum(name) == 0.0)
            && self.depths.as_ref().is_some_and(are_empty)
    }
}

/// But for what was set aside.
fn are_empty(depths: &BTreeMap<String, u64>) -> bool {
    let mut work = depths.iter().filter(|(queue, _)| *queue != DEAD);
    work.all(|(_, depth)| *depth == 0)
}

/// The same as far as the broker tells, of processes that nobody can ask from here.
#[track_caller]
pub fn queues_at_rest(client: &Client, within: Duration) -> impl Future<Output = ()> {
    let calm_since = Cell::new(None);
    let resting = eventually(
        within + 2 * LAG,
        || client.depths(),
        move |depths| {
            if !depths.as_ref().is_some_and(are_empty) {
                calm_since.set(None);
                return false;
            }
            let since = calm_since.get().unwrap_or_else(Instant::now);
            calm_since.set(Some(since));
            since.elapsed() >= LAG
        },
    );
    async {
        let dead = resting.await.and_then(|depths| depths.get(DEAD).copied());
        assert_eq!(dead.unwrap_or(0), 0, "letters lie in {DEAD}");
    }
}

/// Returns once nothing waits in a queue or for the index. Panics when that takes longer than `within`,
/// and when anything was set aside or counted wrong.
#[track_caller]
pub fn at_rest(client: &Client, within: Duration) -> impl Future<Output = ()> {
    // What a broker says is of a while ago, and its queues are not all of the same moment.
    let lag = match client.stores_on_accept() {
        true => Duration::ZERO,
        false => LAG,
    };
    let calm_since = Cell::new(None);
    let resting = eventually(
        within + 2 * lag,
        || UnderWay::of(client),
        move |under_way| {
            if !under_way.is_nothing() {
                calm_since.set(None);
                return false;
            }
            let since = calm_since.get().unwrap_or_else(Instant::now);
            calm_since.set(Some(since));
            since.elapsed() >= lag
        },
    );
    async {
        let UnderWay { metrics, depths } = resting.await;
        assert_eq!(metrics.sum("chat_buried_total"), 0.0, "{metrics:?}");
        assert_eq!(metrics.sum("chat_count_drift_total"), 0.0, "{metrics:?}");
        let dead = depths.and_then(|depths| depths.get(DEAD).copied());
        assert_eq!(dead.unwrap_or(0), 0, "letters lie in {DEAD}");
    }
}
