//! One table in Markdown, ready for docs/benchmarks.md, and the same numbers with every round as JSON.

use super::accept::CONNECTIONS;
use super::fold;
use super::steady::RATE;
use crate::growth::{QUESTIONS, Question};
use crate::results::Results;
use anyhow::Result;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// When, where and on what.
pub(crate) struct Run {
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) machine: String,
    pub(crate) servers: String,
    pub(crate) rounds: usize,
}

/// One measurement, what it is compared with, and what was aimed at.
struct Row {
    what: String,
    measured: f64,
    unit: &'static str,
    /// A baseline, or the same on a small system: then their ratio counts.
    beside: Option<f64>,
    target: Target,
}

#[derive(Clone, Copy)]
enum Target {
    None,
    AtLeast(f64),
    AtMost(f64),
}

impl Row {
    fn alone(what: &str, measured: f64, unit: &'static str, target: Target) -> Self {
        Self {
            what: what.to_owned(),
            measured,
            unit,
            beside: None,
            target,
        }
    }

    /// What counts.
    fn value(&self) -> f64 {
        self.beside
            .map_or(self.measured, |beside| self.measured / beside)
    }

    fn verdict(&self) -> &'static str {
        let met = match self.target {
            Target::None => return "",
            Target::AtLeast(bound) => self.value() >= bound,
            Target::AtMost(bound) => self.value() <= bound,
        };
        if met { "met" } else { "**short**" }
    }
}

/// Prints the table and writes `stack-<date>.json` into `dir`.
pub(crate) fn report(run: &Run, results: &Results, dir: &Path) -> Result<()> {
    let file = dir.join(format!("stack-{}.json", run.date.replace(':', "-")));
    let rows = rows(results);
    let json = json!({
        "date": run.date, "commit": run.commit, "machine": run.machine, "servers": run.servers,
        "rounds": run.rounds,
        "table": rows.iter().map(|row| json!({
            "what": row.what, "measured": row.measured, "unit": row.unit, "beside": row.beside,
            "value": row.value(), "verdict": row.verdict(),
        })).collect::<Vec<_>>(),
        "measurements": results.to_json(),
    });
    std::fs::write(&file, serde_json::to_string_pretty(&json)?)?;
    let table = table(run, &rows)?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{table}\nEvery round: {}", file.display())?;
    Ok(())
}

/// Of the parts that were measured.
fn rows(results: &Results) -> Vec<Row> {
    let rows = [accept, drain, folds, growth, idle, steady];
    let mut rows: Vec<Row> = rows.iter().flat_map(|of| of(results)).collect();
    rows.retain(|row| !row.measured.is_nan());
    rows
}

fn accept(results: &Results) -> Vec<Row> {
    let beside = |name: &str, column: &str, connections: usize, unit, target| Row {
        what: format!("{name}, {column}"),
        measured: results.median(&format!("{name} {column}")),
        unit,
        beside: Some(results.median(&format!("unsafe {connections} {column}"))),
        target,
    };
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        let name = format!("accept {connections}");
        rows.push(beside(
            &name,
            "rate",
            connections,
            "/s",
            Target::AtLeast(0.8),
        ));
        rows.push(beside(&name, "p50", connections, " ms", Target::None));
        rows.push(beside(
            &name,
            "p99",
            connections,
            " ms",
            Target::AtMost(1.3),
        ));
        let name = format!("{name} keyed");
        rows.push(beside(&name, "rate", connections, "/s", Target::None));
        rows.push(beside(&name, "p99", connections, " ms", Target::None));
    }
    let logged = "accept 64 with access log";
    rows.push(beside(logged, "rate", 64, "/s", Target::None));
    rows
}

fn drain(results: &Results) -> Vec<Row> {
    vec![Row {
        what: "drain".to_owned(),
        measured: results.median("drain"),
        unit: " rows/s",
        beside: Some(results.median("drain plain")),
        target: Target::AtLeast(0.6),
    }]
}

fn folds(results: &Results) -> Vec<Row> {
    let of = |chats: u64| {
        let measured = results.median(&format!("fold {chats}"));
        let what = format!("fold, ledger of {} chats", number(chats as f64));
        Row::alone(&what, measured, " rows/s", Target::AtLeast(100_000.0))
    };
    fold::CHATS.map(of).into()
}

fn growth(results: &Results) -> Vec<Row> {
    let large = number(results.median("growth rows"));
    let beside = |name: &str, column: &str, target| Row {
        what: format!("{name}, {large} messages"),
        measured: results.median(&format!("{name} large{column}")),
        unit: " ms",
        beside: Some(results.median(&format!("{name} small{column}"))),
        target,
    };
    let questions = QUESTIONS.map(|question| {
        let target = match question {
            Question::List | Question::Read | Question::Insert => Target::AtMost(1.3),
            Question::SearchChat => Target::AtMost(2.0),
            Question::SearchApplication => Target::None,
        };
        beside(question.name(), " p50", target)
    });
    let stored = beside("store one", "", Target::AtMost(1.3));
    questions.into_iter().chain([stored]).collect()
}

fn idle(results: &Results) -> Vec<Row> {
    let of = |name| results.median(name);
    vec![
        Row::alone("chat-api at rest", of("idle none"), " MB", Target::None),
        Row::alone(
            "chat-api with 10,000 idle connections",
            of("idle"),
            " MB",
            Target::AtMost(80.0),
        ),
        Row::alone("of them still there", of("idle alive"), "", Target::None),
    ]
}

fn steady(results: &Results) -> Vec<Row> {
    let of = |name, unit| {
        let measured = results.median(&format!("steady {name}"));
        let what = format!("{} messages/s: {name}", number(RATE));
        Row::alone(&what, measured, unit, Target::None)
    };
    vec![
        of("rate", "/s"),
        of("p50", " ms"),
        of("p99", " ms"),
        of("indexed", "/s"),
        of("lag p50", " ms"),
        of("lag max", " ms"),
    ]
}

fn table(run: &Run, rows: &[Row]) -> Result<String> {
    let mut out = String::new();
    writeln!(
        out,
        "\n{}, commit {}, {}; {}; medians of {} rounds.\n",
        run.date, run.commit, run.machine, run.servers, run.rounds
    )?;
    writeln!(out, "| | measured | beside | ratio | target | |")?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    for row in rows {
        let with_unit = |value: f64| format!("{}{}", number(value), row.unit);
        let ratio = row.beside.map(|_| format!("{:.2}", row.value()));
        let as_bound = |bound: f64| match row.beside {
            Some(_) => bound.to_string(),
            None => with_unit(bound),
        };
        let target = match row.target {
            Target::None => String::new(),
            Target::AtLeast(bound) => format!("at least {}", as_bound(bound)),
            Target::AtMost(bound) => format!("at most {}", as_bound(bound)),
        };
        writeln!(
            out,
            "| {} | {} | {} | {} | {target} | {} |",
            row.what,
            with_unit(row.measured),
            row.beside.map(with_unit).unwrap_or_default(),
            ratio.unwrap_or_default(),
            row.verdict()
        )?;
    }
    Ok(out)
}

/// Three digits that say something, thousands apart.
fn number(value: f64) -> String {
    if value.is_nan() {
        return "-".to_owned();
    }
    if value < 100.0 {
        return format!("{value:.*}", if value < 10.0 { 2 } else { 1 });
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_the_ratio_where_there_is_something_beside_it() {
        let mut row = Row::alone("x", 80.0, "/s", Target::AtLeast(90.0));
        assert_eq!((row.value(), row.verdict()), (80.0, "**short**"));
        row.beside = Some(100.0);
        row.target = Target::AtLeast(0.8);
        assert_eq!((row.value(), row.verdict()), (0.8, "met"));
        row.target = Target::AtMost(0.7);
        assert_eq!(row.verdict(), "**short**");
    }

    #[test]
    fn parts_that_were_not_measured_have_no_rows() {
        assert!(rows(&Results::default()).is_empty());
    }

    #[test]
    fn numbers_are_short_and_have_their_thousands_apart() {
        let shown = [1.234, 12.34, 123.4, 1_234_567.0].map(number);
        assert_eq!(shown, ["1.23", "12.3", "123", "1,234,567"]);
    }
}
