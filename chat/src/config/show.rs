//! Settings as text: what is in effect, and the tables in the documentation.

use super::variables as v;
use super::{Auth, Group, LogFormat, Process, Program, Serving, Settings, Variable};
use crate::ops::limits::Rates;
use std::fmt::Write;

/// Stands for a secret.
pub(super) const MASK: &str = "********";

/// What is in effect, one `NAME=value` a line under the title of its group. Secrets are masked.
pub fn show<S: Settings>(settings: &S) -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let mut title = Some(group.title());
        for variable in S::PROGRAM
            .variables()
            .filter(|variable| variable.group == group)
        {
            if let Some(title) = title.take() {
                writeln!(text, "# {title}").expect("a String takes everything");
            }
            let value = settings.value(variable.name);
            writeln!(text, "{}={value}", variable.name).expect("a String takes everything");
        }
    }
    text
}

/// The table of a program's settings for the documentation.
pub fn markdown(program: Program) -> String {
    let mut text = "| variable | default | what it is |\n|---|---|---|\n".to_owned();
    for variable in program.variables() {
        let name = match variable.secret {
            true => format!("`{}`, `{}`", variable.name, variable.file_name()),
            false => format!("`{}`", variable.name),
        };
        let Variable { help, .. } = variable;
        let default = variable.default_text();
        writeln!(text, "| {name} | {default} | {help} |").expect("a String takes everything");
    }
    text
}

/// The value that is there; every variable of a program belongs to one part of its settings.
pub(super) fn first<const N: usize>(values: [Option<String>; N]) -> String {
    let mut values = values.into_iter().flatten();
    values.next().expect("a variable in the table is shown")
}

impl Process {
    pub(super) fn value(&self, name: &str) -> Option<String> {
        Some(match name {
            v::ADMIN_LISTEN => self.admin_listen.to_string(),
            v::LOG => self.log.clone(),
            v::LOG_FORMAT => match self.log_format {
                LogFormat::Human => "human".to_owned(),
                LogFormat::Json => "json".to_owned(),
            },
            _ => return None,
        })
    }
}

impl Serving {
    pub(super) fn value(&self, name: &str) -> Option<String> {
        Some(match name {
            v::LISTEN => self.listen.to_string(),
            v::NUMBER_BLOCK => self.number_block.to_string(),
            v::AUTH_MODE => match self.auth {
                Auth::None => "none".to_owned(),
                Auth::Keys { .. } => "keys".to_owned(),
            },
            v::ADMIN_KEY => match self.auth {
                Auth::None | Auth::Keys { admin_key: None } => String::new(),
                Auth::Keys { admin_key: Some(_) } => MASK.to_owned(),
            },
            v::TRUSTED_PROXIES => self.trusted_proxies.to_string(),
            v::CORS_ORIGINS => self.cors_origins.join(","),
            v::RATE_LIMIT => rates(self.rates),
            v::MAX_CONNECTIONS => self.max_connections.to_string(),
            _ => return None,
        })
    }
}

/// As `CHAT_RATE_LIMIT` names them.
fn rates(rates: Rates) -> String {
    let Rates { general, create } = rates;
    let named = [("general", general), ("create", create)];
    let parts: Vec<_> = named
        .into_iter()
        .filter_map(|(name, rate)| rate.map(|rate| format!("{name}={}/s", rate.burst() / 2)))
        .collect();
    if parts.is_empty() {
        "off".to_owned()
    } else {
        parts.join(",")
    }
}
