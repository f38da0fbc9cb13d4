//! Where values come from, and the problems found on the way.
//!
//! After a problem the default takes the value's place, so that reading goes on and everything that is
//! wrong is found in one go; `finish` lets nothing out unless all was right.

use super::variables::{Default, Variable};
use std::fmt;
use std::io;
use std::path::Path;

/// The value of a variable, if it is set.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;
/// The text of a file.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// All that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong(pub Vec<Problem>);

/// Why a value was refused, and one that would not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub variable: String,
    pub problem: String,
    pub example: &'static str,
}

impl std::error::Error for Wrong {}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.len() == 1 {
            "a setting is wrong"
        } else {
            "settings are wrong"
        })?;
        for Problem {
            variable,
            problem,
            example,
        } in &self.0
        {
            write!(
                f,
                "\n  {variable}: {problem}\n      for example {variable}={example}"
            )?;
        }
        Ok(())
    }
}

pub struct Source<'a> {
    lookup: Lookup<'a>,
    read_file: ReadFile<'a>,
    problems: Vec<Problem>,
}

impl<'a> Source<'a> {
    pub(super) fn new(lookup: Lookup<'a>, read_file: ReadFile<'a>) -> Self {
        Self {
            lookup,
            read_file,
            problems: Vec::new(),
        }
    }

    /// A setting with a default in the table.
    pub(super) fn value<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> T {
        self.optional(name, &parse)
            .unwrap_or_else(|| match Variable::named(name).default {
                Default::Value(text) => parse(text).expect("defaults in the table are valid"),
                Default::Rule(_) | Default::Unset => unreachable!("{name} has no default value"),
            })
    }

    /// `None` where it is not set, or is wrong.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = if text.contains('\u{fffd}') {
            Err(format!("{text:?} is not UTF-8"))
        } else {
            parse(&text)
        };
        value.map_err(|problem| self.refuse(name, problem)).ok()
    }

    /// From the variable, or from the file its twin names. An error has been recorded already.
    pub(super) fn secret<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ()> {
        let file_name = Variable::named(name).file_name();
        let (set_by, secret) = match (self.text(name), self.text(&file_name)) {
            (None, None) => return Ok(None),
            (Some(text), None) => (name, Ok(text)),
            (None, Some(path)) => (file_name.as_str(), self.file(&path)),
            (Some(_), Some(_)) => (
                file_name.as_str(),
                Err(format!("is set as well as {name}: set one of them")),
            ),
        };
        let parsed = secret.and_then(|text| parse(text.trim_end_matches(['\r', '\n'])));
        parsed.map(Some).map_err(|problem| {
            let example = if set_by == name {
                Variable::named(name).example
            } else {
                FILE_EXAMPLE
            };
            self.problems.push(Problem {
                variable: set_by.to_owned(),
                problem,
                example,
            });
        })
    }

    pub(super) fn refuse(&mut self, name: &str, problem: String) {
        let example = Variable::named(name).example;
        self.problems.push(Problem {
            variable: name.to_owned(),
            problem,
            example,
        });
    }

    pub(super) fn finish<T>(self, settings: T) -> Result<T, Wrong> {
        if self.problems.is_empty() {
            Ok(settings)
        } else {
            Err(Wrong(self.problems))
        }
    }

    pub(super) fn has_problem_with(&self, name: &str) -> bool {
        let about = |problem: &Problem| {
            problem
                .variable
                .strip_suffix("_FILE")
                .unwrap_or(&problem.variable)
                == name
        };
        self.problems.iter().any(about)
    }

    fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|text| !text.trim().is_empty())
    }

    pub(super) fn file(&self, path: &str) -> Result<String, String> {
        (self.read_file)(Path::new(path)).map_err(|error| format!("cannot read {path:?}: {error}"))
    }
}

const FILE_EXAMPLE: &str = "/run/secrets/chat";
