//! What the HTTP side needs to know of the settings.

use chat::config::{Auth, Serving};
use chat::ops::limits::Rates;

#[derive(Clone, Debug)]
pub struct ApiSettings {
    pub auth: Auth,
    pub rates: Rates,
    /// How many entries at the end of `X-Forwarded-For` were added by proxies we trust.
    pub trusted_proxies: u8,
    /// Origins that may call from a browser; none by default.
    pub cors_origins: Vec<String>,
}

impl From<&Serving> for ApiSettings {
    fn from(settings: &Serving) -> Self {
        Self {
            auth: settings.auth.clone(),
            rates: settings.rates,
            trusted_proxies: settings.trusted_proxies,
            cors_origins: settings.cors_origins.clone(),
        }
    }
}
