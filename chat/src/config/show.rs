//! Settings as text: what is in effect, and the table in the README.

use super::{Auth, Group, LogFormat, Settings, VARIABLES, Variable};
use crate::ops::limits::Rates;
use std::fmt::Write;

/// What is in effect, one `NAME=value` a line under the title of its group. Secrets are masked.
pub fn show(settings: &Settings) -> String {
    let mut text = String::new();
    for group in Group::ALL {
        writeln!(text, "# {}", group.title()).expect("a String takes everything");
        for variable in VARIABLES.iter().filter(|variable| variable.group == group) {
            let value = value(settings, variable.name);
            writeln!(text, "{}={value}", variable.name).expect("a String takes everything");
        }
    }
    text
}

/// The table of all settings for the README.
pub fn markdown() -> String {
    let mut text = "| variable | default | what it is |\n|---|---|---|\n".to_owned();
    for variable in VARIABLES {
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

fn value(settings: &Settings, name: &str) -> String {
    use super::variables as v;
    match name {
        v::LISTEN => settings.listen.to_string(),
        v::ADMIN_LISTEN => settings.admin_listen.to_string(),
        v::DATA_DIR => settings.data_dir.display().to_string(),
        v::NUMBER_BLOCK => settings.number_block.to_string(),
        v::FOLD_INTERVAL_MS => settings.fold_interval.as_millis().to_string(),
        v::AUTH_MODE => match settings.auth {
            Auth::None => "none".to_owned(),
            Auth::Keys { .. } => "keys".to_owned(),
        },
        v::ADMIN_KEY => match settings.auth {
            Auth::None => String::new(),
            Auth::Keys { .. } => "********".to_owned(),
        },
        v::TRUSTED_PROXIES => settings.trusted_proxies.to_string(),
        v::CORS_ORIGINS => settings.cors_origins.join(","),
        v::RATE_LIMIT => rates(settings.rates),
        v::MAX_CONNECTIONS => settings.max_connections.to_string(),
        v::LOG => settings.log.clone(),
        v::LOG_FORMAT => match settings.log_format {
            LogFormat::Human => "human".to_owned(),
            LogFormat::Json => "json".to_owned(),
        },
        _ => unreachable!("{name} is in the table and not shown"),
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
