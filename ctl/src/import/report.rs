//! What a person sees of an import: a progress bar on a terminal, each refused line, and a summary.

use crate::error::Result;
use crate::output::Output;
use crate::render::{count, escape};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::json;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Lines read, blank ones not counted.
    pub(crate) lines: u64,
    /// Messages written by this run.
    pub(crate) imported: u64,
    /// Messages that an earlier run had written.
    pub(crate) already_there: u64,
    /// Lines that were not written; each was reported.
    pub(crate) refused: u64,
    pub(crate) chats_created: u64,
    pub(crate) chats_already_there: u64,
}

pub(crate) struct Report {
    pub(crate) counts: Counts,
    bar: ProgressBar,
    json: bool,
}

impl Report {
    /// `total_bytes`: the length of the input, where it is known.
    pub(crate) fn new(total_bytes: Option<u64>, json: bool) -> Self {
        // Draws nothing unless standard error is a terminal.
        let (bar, template) = match total_bytes {
            Some(total) => (
                ProgressBar::new(total),
                "{bar:30} {percent:>3} %  {bytes} of {total_bytes}  {elapsed}, {eta} left  {msg}",
            ),
            None => (
                ProgressBar::no_length(),
                "{spinner} {bytes}  {elapsed}  {msg}",
            ),
        };
        let style = ProgressStyle::with_template(template).expect("the templates are valid");
        Self {
            counts: Counts::default(),
            bar: bar.with_style(style),
            json,
        }
    }

    /// This much of the input is dealt with.
    pub(crate) fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
        let done = self.counts.imported + self.counts.already_there;
        if done.is_multiple_of(64) {
            self.bar.set_message(count(done, "message"));
        }
    }

    pub(crate) fn refuse(&mut self, line: u64, bytes: u64, reason: &str) {
        self.counts.refused += 1;
        let text = if self.json {
            json!({ "line": line, "reason": reason }).to_string()
        } else {
            format!("line {line}: {}", escape(reason))
        };
        self.bar.suspend(|| eprintln!("{text}"));
        self.advance(bytes);
    }

    /// Takes the bar away and prints the counts.
    pub(crate) fn finish(&self, output: &Output) -> Result<()> {
        self.bar.finish_and_clear();
        output.one(&self.counts, |_| summary(&self.counts))
    }
}

fn summary(counts: &Counts) -> String {
    let Counts {
        lines,
        imported,
        already_there,
        refused,
        chats_created,
        chats_already_there,
    } = counts;
    let lines = count(*lines, "line");
    let imported = count(*imported, "message");
    let created = count(*chats_created, "chat");
    format!(
        "{lines}: {imported} imported, {already_there} already there, {refused} refused; \
         {created} created, {chats_already_there} already there"
    )
}
