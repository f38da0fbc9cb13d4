//! The only place that reads the environment, and what it found there.

use super::variables::{PREFIX, VARIABLES};
use std::collections::BTreeMap;

/// The variables whose names start with `CHAT_`, as they were when the process asked.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Bytes that are not UTF-8 become U+FFFD, which no setting accepts.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    pub fn read() -> Self {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        let all = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        all.filter(|(name, _)| name.starts_with(PREFIX)).collect()
    }

    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// Names that no setting has: most likely misspelt.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        let known = |name: &str| {
            VARIABLES.iter().any(|variable| {
                variable.name == name || (variable.secret && variable.file_name() == name)
            })
        };
        self.0
            .keys()
            .map(String::as_str)
            .filter(move |name| !known(name))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}
