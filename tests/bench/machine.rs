//! What Linux tells about processes and the machine.

use anyhow::{Context, Result};
use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;

/// `/proc` counts time in these, on every Linux there is (`USER_HZ`).
const TICKS_A_SECOND: f64 = 100.0;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) resident_mb: f64,
    /// Without pages of files, which the kernel can drop whenever it likes.
    pub(crate) anonymous_mb: f64,
}

pub(crate) fn memory(process: u32) -> Result<Memory> {
    let status = read_to_string(format!("/proc/{process}/status"))?;
    let megabytes = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.split_whitespace().next());
        let kib: f64 = kib.with_context(|| format!("no {field}"))?.parse()?;
        anyhow::Ok(kib / 1_024.0)
    };
    Ok(Memory {
        resident_mb: megabytes("VmRSS:")?,
        anonymous_mb: megabytes("RssAnon:")?,
    })
}

/// Seconds of processor time a process has used.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64> {
    let [user, system, ..] = times(&format!("/proc/{process}/stat"))?;
    Ok(user + system)
}

/// Seconds of processor time this process and its ended children have used.
fn own_cpu_seconds() -> Result<f64> {
    Ok(times("/proc/self/stat")?.iter().sum())
}

/// User and system time, own and of children that were waited for (fields 14 to 17 of proc(5)).
fn times(file: &str) -> Result<[f64; 4]> {
    let stat = read_to_string(file)?;
    // The second field is the program's name, which may have spaces and ends with the last parenthesis.
    let (_, fields) = stat.rsplit_once(')').context("no program name")?;
    let mut ticks = fields.split_whitespace().skip(11);
    let mut next = || {
        let ticks: f64 = ticks.next().context("too few fields")?.parse()?;
        anyhow::Ok(ticks / TICKS_A_SECOND)
    };
    Ok([next()?, next()?, next()?, next()?])
}

/// Seconds all processors together were busy since the start, and how many processors there are.
fn machine_cpu_seconds() -> Result<f64> {
    let stat = read_to_string("/proc/stat")?;
    let fields = stat.lines().next().context("no processors")?;
    let ticks: Vec<f64> = fields
        .split_whitespace()
        .skip(1)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    // user nice system idle iowait irq softirq steal
    let busy: f64 = [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|place| ticks.get(*place))
        .sum();
    Ok(busy / TICKS_A_SECOND)
}

/// Tells how much of the machine others used since it was made: a benchmark wants none.
pub(crate) struct Others {
    machine: f64,
    own: f64,
    begun: std::time::Instant,
}

impl Others {
    pub(crate) fn watch() -> Result<Self> {
        Ok(Self {
            machine: machine_cpu_seconds()?,
            own: own_cpu_seconds()?,
            begun: std::time::Instant::now(),
        })
    }

    /// Share of all processors, from 0 to 1. Children must have ended.
    pub(crate) fn share(&self) -> Result<f64> {
        let machine = machine_cpu_seconds()? - self.machine;
        let own = own_cpu_seconds()? - self.own;
        let available = self.begun.elapsed().as_secs_f64() * processors() as f64;
        Ok(((machine - own) / available).max(0.0))
    }
}

pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Processor, number of them, memory: for people.
pub(crate) fn describe() -> String {
    let field = |file: &str, name: &str| {
        let text = read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':'));
        value.map_or("unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let memory = field("/proc/meminfo", "MemTotal");
    let kib: f64 = memory
        .split(' ')
        .next()
        .and_then(|kib| kib.parse().ok())
        .unwrap_or_default();
    format!(
        "{} cores ({}), {:.0} GiB",
        processors(),
        field("/proc/cpuinfo", "model name"),
        kib / 1_048_576.0
    )
}

/// The commit that is checked out, marked when files differ from it.
pub(crate) fn commit() -> String {
    let described = Command::new("git")
        .args(["describe", "--always", "--dirty", "--exclude", "*"])
        .output();
    match described {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "unknown".to_owned(),
    }
}

/// Size of everything in a directory.
pub(crate) fn megabytes_of(path: &Path) -> Result<f64> {
    let metadata = std::fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len() as f64 / 1_048_576.0);
    }
    let mut sum = 0.0;
    for entry in std::fs::read_dir(path)? {
        sum += megabytes_of(&entry?.path())?;
    }
    Ok(sum)
}
