//! Reads the metrics of a running system, and waits until it is at rest.

use crate::client::Client;
use crate::eventually::eventually;
use std::time::Duration;

/// One scrape: lines of the Prometheus text format.
#[derive(Clone, Debug)]
pub struct Metrics {
    samples: Vec<(String, f64)>,
}

impl Metrics {
    pub async fn of(client: &Client) -> Self {
        let (_, text) = client.operator("/metrics").await;
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let parsed = samples.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self {
            samples: parsed.collect(),
        }
    }

    /// Sum over all labels. Panics where there is no such metric: a renamed one must not pass as 0.
    pub fn sum(&self, name: &str) -> f64 {
        let mut values = self.series(name).peekable();
        assert!(values.peek().is_some(), "there is no metric {name}");
        values.sum()
    }

    /// As `sum`, for a metric that only exists once something has happened.
    pub fn sum_or_none(&self, name: &str) -> f64 {
        self.series(name).sum()
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

/// Returns once nothing waits in a queue or for the index. Panics when that takes longer than `within`,
/// and when anything was set aside or counted wrong.
#[track_caller]
pub fn at_rest(client: &Client, within: Duration) -> impl Future<Output = ()> {
    let resting = eventually(
        within,
        || Metrics::of(client),
        |metrics| {
            metrics.sum("chat_queue_messages") == 0.0 && metrics.sum("chat_index_dirty_keys") == 0.0
        },
    );
    async {
        let metrics = resting.await;
        assert_eq!(metrics.sum_or_none("chat_buried_total"), 0.0, "{metrics:?}");
        assert_eq!(metrics.sum("chat_count_drift_total"), 0.0, "{metrics:?}");
    }
}
