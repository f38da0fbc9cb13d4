//! Standard output: JSON lines or text for people, one way out for both.
//!
//! Text for people never carries a control character from the server to the terminal.

use crate::args::{Color, Settings};
use crate::error::{Error, Result};
use crate::render::{Painter, escape};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

pub(crate) struct Output {
    json: bool,
    painter: Painter,
    out: io::Stdout,
}

impl Output {
    pub(crate) fn new(settings: &Settings) -> Self {
        let out = io::stdout();
        let refused = settings
            .no_color
            .as_deref()
            .is_some_and(|value| !value.is_empty());
        let colour = match settings.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => out.is_terminal() && !refused,
        };
        Self {
            json: settings.json,
            painter: Painter::new(colour),
            out,
        }
    }

    /// Each of `items` as a JSON line, or as `text` makes it.
    pub(crate) fn each<T: Serialize>(
        &self,
        items: &[T],
        text: impl Fn(&Painter, &T) -> String,
    ) -> Result<()> {
        for item in items {
            self.one(item, |painter| text(painter, item))?;
        }
        Ok(())
    }

    /// `value` as a JSON line, or `text`.
    pub(crate) fn one<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce(&Painter) -> String,
    ) -> Result<()> {
        if self.json {
            self.json_line(value)
        } else {
            self.line(&text(&self.painter))
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A remark for people only: it goes to standard error, out of the way of pipes.
    pub(crate) fn remark(&self, text: &str) {
        if !self.json {
            eprintln!("{text}");
        }
    }

    pub(crate) fn json_line<T: Serialize>(&self, value: &T) -> Result<()> {
        let text = serde_json::to_string(value).expect("what we print has string keys only");
        self.line(&text)
    }

    fn line(&self, text: &str) -> Result<()> {
        let mut out = self.out.lock();
        let written = writeln!(out, "{text}").and_then(|()| out.flush());
        written.map_err(|error| Error::io("standard output", error))
    }
}

/// Tells what went wrong, on standard error.
pub(crate) fn report(error: &Error, json: bool) {
    match error {
        Error::Reported | Error::OutputClosed => {}
        Error::Refused(refusal) if json => {
            let text = serde_json::to_string(&refusal.0).expect("a problem has string keys only");
            eprintln!("{text}");
        }
        _ if json => eprintln!("{}", serde_json::json!({ "detail": error.to_string() })),
        _ => eprintln!("chatctl: {}", escape(&error.to_string())),
    }
}
