//! One table for people, the same numbers as JSON for programs, and the targets.

use crate::accept::{CONNECTIONS, VARIANTS};
use crate::growth::QUESTIONS;
use crate::results::Results;
use anyhow::Result;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// Above this share of the machine used by others, numbers are not worth much.
const DISTURBED: f64 = 0.1;

/// When, where and how much.
pub(crate) struct Run {
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) machine: String,
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) small: u64,
    pub(crate) large: u64,
    /// Share of the machine that others used meanwhile.
    pub(crate) others: f64,
}

/// What was promised, and what came of it.
struct Target {
    name: &'static str,
    measured: f64,
    unit: &'static str,
    /// Whether more is better.
    at_least: bool,
    bound: f64,
}

impl Target {
    fn met(&self) -> bool {
        match self.at_least {
            true => self.measured >= self.bound,
            false => self.measured <= self.bound,
        }
    }
}

/// Prints the table and writes `<date>.json` into `dir`.
pub(crate) fn report(run: &Run, results: &Results, dir: &Path) -> Result<()> {
    let targets = targets(results);
    let file = dir.join(format!("{}.json", run.date.replace(':', "-")));
    let json = json!({
        "date": run.date, "commit": run.commit, "machine": run.machine, "quick": run.quick,
        "rounds": run.rounds, "small": run.small, "large": run.large,
        "share_of_machine_used_by_others": run.others,
        "targets": targets.iter().map(|target| json!({
            "name": target.name, "measured": target.measured, "unit": target.unit,
            "bound": target.bound, "at_least": target.at_least, "met": target.met(),
        })).collect::<Vec<_>>(),
        "measurements": results.to_json(),
    });
    std::fs::write(&file, serde_json::to_string_pretty(&json)?)?;
    let table = table(run, results, &targets)?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{table}\nAll of it: {}", file.display())?;
    Ok(())
}

fn targets(results: &Results) -> Vec<Target> {
    let plain = results.median("plain 64 rate");
    let growth = |question: &str| {
        let p50 = |which| results.median(&format!("{question} {which} p50"));
        p50("large") / p50("small")
    };
    let at_most = |name, measured, unit, bound| Target {
        name,
        measured,
        unit,
        at_least: false,
        bound,
    };
    vec![
        Target {
            name: "accept at 64 connections",
            measured: results.median("accept 64 rate"),
            unit: "/s",
            at_least: true,
            bound: (plain * 0.6).min(15_000.0),
        },
        at_most("list, large to small", growth("list 50"), "x", 1.3),
        at_most("read, large to small", growth("read one"), "x", 1.3),
        at_most("insert, large to small", growth("insert one"), "x", 1.3),
        at_most(
            "search in one chat, large to small",
            growth("search a chat of 1,000"),
            "x",
            2.0,
        ),
        at_most(
            "memory at rest",
            results.median("memory at rest"),
            " MB",
            60.0,
        ),
    ]
}

fn table(run: &Run, results: &Results, targets: &[Target]) -> Result<String> {
    let mut out = String::new();
    let m = |name: &str| results.median(name);
    writeln!(
        out,
        "\nChatSystem {} on {}, {}\nMedians of {} rounds; rate limits off; generator, server and baselines share the machine.",
        run.commit, run.machine, run.date, run.rounds
    )?;
    if run.quick {
        writeln!(out, "A quick run: the numbers mean little.")?;
    }
    if run.others > DISTURBED {
        writeln!(
            out,
            "OTHERS USED {:.0} % OF THE MACHINE MEANWHILE: repeat it when it is quiet.",
            run.others * 100.0
        )?;
    }

    writeln!(
        out,
        "\nAccept over HTTP (each answer durable)  rate/s   p50 ms   p99 ms   CPU us   of bare"
    )?;
    for connections in CONNECTIONS {
        accept_row(
            &mut out,
            results,
            &format!("bare {connections}"),
            connections,
        )?;
        accept_row(
            &mut out,
            results,
            &format!("accept {connections}"),
            connections,
        )?;
    }
    for (variant, _) in VARIANTS {
        accept_row(&mut out, results, &format!("accept 64 {variant}"), 64)?;
    }

    writeln!(
        out,
        "\nRows into SQLite, durable                rows/s   of plain 64"
    )?;
    let plain = m("plain 64 rate");
    for (label, name) in [
        ("plain inserts, 1 a transaction", "plain 1 rate"),
        ("plain inserts, 64 a transaction", "plain 64 rate"),
        ("plain inserts, 500 a transaction", "plain 500 rate"),
        ("worker's step, batches of 500", "drain rate"),
        ("accept at 64 connections", "accept 64 rate"),
    ] {
        writeln!(out, "{label:38} {:8.0}   {:5.2}", m(name), m(name) / plain)?;
    }

    writeln!(
        out,
        "\nOne client, p50 (p99) in ms       {:>9} messages {:>9} messages   ratio",
        run.small, run.large
    )?;
    for question in QUESTIONS.map(super::growth::Question::name) {
        let of = |which: &str, share: &str| m(&format!("{question} {which} {share}"));
        let (small, large) = (of("small", "p50"), of("large", "p50"));
        writeln!(
            out,
            "{question:32} {small:9.3} ({:7.3}) {large:9.3} ({:7.3})   {:5.2}",
            of("small", "p99"),
            of("large", "p99"),
            large / small
        )?;
    }

    writeln!(out, "\nFootprint")?;
    for (label, name, unit) in [
        ("start, fresh", "start", "ms"),
        ("first answer, fresh", "first answer", "ms"),
        ("start, large", "start large", "ms"),
        ("first answer, large", "first answer large", "ms"),
        ("memory at rest, fresh", "memory at rest", "MB"),
        ("  of it anonymous", "memory at rest, anonymous", "MB"),
        ("memory, large", "memory large", "MB"),
        ("  of it anonymous", "memory large, anonymous", "MB"),
        ("database, large", "database large", "MB"),
        ("index, large", "index large", "MB"),
        (
            "filling with 256 connections, indexed",
            "fill large rate",
            "/s",
        ),
    ] {
        writeln!(out, "{label:38} {:8.0} {unit}", m(name))?;
    }

    writeln!(out, "\nTargets")?;
    for target in targets {
        let (word, than) = match (target.met(), target.at_least) {
            (true, true) => ("met  ", ">="),
            (true, false) => ("met  ", "<="),
            (false, true) => ("SHORT", "not >="),
            (false, false) => ("SHORT", "not <="),
        };
        writeln!(
            out,
            "{word} {}: {:.2}{unit} {than} {:.2}{unit}",
            target.name,
            target.measured,
            target.bound,
            unit = target.unit
        )?;
    }
    Ok(out)
}

fn accept_row(out: &mut String, results: &Results, name: &str, connections: usize) -> Result<()> {
    let of = |column: &str| results.median(&format!("{name} {column}"));
    let bare = results.median(&format!("bare {connections} rate"));
    writeln!(
        out,
        "{name:37} {:8.0} {:8.2} {:8.2} {:8.0}     {:5.2}",
        of("rate"),
        of("p50"),
        of("p99"),
        of("cpu"),
        of("rate") / bare
    )?;
    Ok(())
}
