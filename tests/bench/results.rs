//! Measurements by name: one value a round, told as their median.

use serde_json::{Value, json};

#[derive(Default)]
pub(crate) struct Results {
    series: Vec<Series>,
}

struct Series {
    name: String,
    unit: &'static str,
    rounds: Vec<f64>,
}

impl Results {
    /// The value of one more round.
    pub(crate) fn add(&mut self, name: &str, unit: &'static str, value: f64) {
        match self.series.iter_mut().find(|series| series.name == name) {
            Some(series) => series.rounds.push(value),
            None => self.series.push(Series {
                name: name.to_owned(),
                unit,
                rounds: vec![value],
            }),
        }
    }

    /// Not a number where nothing was measured under this name.
    pub(crate) fn median(&self, name: &str) -> f64 {
        let series = self.series.iter().find(|series| series.name == name);
        series.map_or(f64::NAN, |series| median(&series.rounds))
    }

    pub(crate) fn to_json(&self) -> Value {
        let series = self.series.iter().map(|series| {
            let Series { name, unit, rounds } = series;
            json!({ "name": name, "unit": unit, "median": median(rounds), "rounds": rounds })
        });
        series.collect()
    }
}

/// Of an even number of values, the mean of the two in the middle.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_told_as_their_median() {
        let mut results = Results::default();
        for value in [3.0, 100.0, 1.0] {
            results.add("x", "ms", value);
        }
        assert_eq!(results.median("x"), 3.0);
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
        assert!(results.median("y").is_nan());
    }
}
