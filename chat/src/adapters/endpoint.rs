//! How a server is reached: its address with its credentials, and whom to trust.

use secrecy::SecretString;

/// A server of the cluster. Its address holds a password, so nothing prints it: `Debug` does not, and errors
/// name `place` instead.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `scheme://user:password@host:port/path`.
    pub url: SecretString,
    pub trust: Trust,
}

#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Certificates, PEM, of the authorities that may sign a server's; `None`: those of the system.
    pub ca_pem: Option<Vec<u8>>,
    /// Whether a connection may go without TLS. Where it may, the address says whether it does.
    pub plaintext: bool,
}

impl Endpoint {
    /// Where the server is, without credentials and parameters: for logs and errors.
    pub fn place(&self) -> String {
        use secrecy::ExposeSecret;
        let url = self.url.expose_secret();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        format!("{scheme}://{host}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_the_server_and_no_secret() {
        for (url, place) in [
            ("mysql://chat:se@cret@db:3306/chat?x=y", "mysql://db:3306"),
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"),
            ("amqps://u:p@[::1]:5671/%2Fchat", "amqps://[::1]:5671"),
        ] {
            let endpoint = Endpoint {
                url: url.to_owned().into(),
                trust: Trust::default(),
            };
            assert_eq!(endpoint.place(), place);
            assert!(!format!("{endpoint:?}").contains("p@"));
        }
    }
}
