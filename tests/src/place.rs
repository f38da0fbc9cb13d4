//! Where a system answers, whoever started it and of however many processes it consists.

use crate::queues::Queues;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Without a path: `http://127.0.0.1:8080`. Requests go to each in turn.
    pub apis: Vec<String>,
    /// Health and metrics of every process.
    pub admins: Vec<String>,
    /// None: it runs without keys.
    pub admin_key: Option<String>,
    /// What lies between its processes. None: it is one process, and whatever it accepts is stored.
    pub queues: Option<Queues>,
}

impl Place {
    /// Host and port of an API, for tests that write bytes themselves.
    pub fn address(&self) -> &str {
        let api = self.apis.first().expect("a system has an API");
        api.trim_start_matches("http://")
    }
}
