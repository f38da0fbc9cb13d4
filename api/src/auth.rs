//! Who asks: the credential of a request, and which hosts may be asked without one.
//!
//! Whether an application's key is valid is decided by `ops::authenticate` alone; only the admin key,
//! which is a setting, is compared here.

use crate::error::Problem;
use crate::kind::Kind;
use chat::config::Auth;
use chat::ops::Credential;
use http::{HeaderMap, Uri, header};
use secrecy::{ExposeSecret, SecretString};
use std::net::Ipv4Addr;
use subtle::ConstantTimeEq;

/// What the request shows of itself.
pub(crate) fn credential<'a>(auth: &Auth, headers: &'a HeaderMap) -> Credential<'a> {
    match (auth, bearer(headers)) {
        (Auth::None, _) => Credential::Open,
        (Auth::Keys { .. }, None) => Credential::Missing,
        (Auth::Keys { admin_key }, Some(sent)) => {
            if admin_key.as_ref().is_some_and(|key| same(key, sent)) {
                Credential::Admin
            } else {
                Credential::Key(sent)
            }
        }
    }
}

/// In a time that does not tell how much of it is right.
fn same(key: &SecretString, sent: &str) -> bool {
    key.expose_secret().as_bytes().ct_eq(sent.as_bytes()).into()
}

/// For what only an administrator may do. A key of an application is told so, live or not; anything
/// else is no credential at all.
pub(crate) fn require_admin(auth: &Auth, headers: &HeaderMap) -> Result<(), Problem> {
    match credential(auth, headers) {
        Credential::Open | Credential::Admin => Ok(()),
        Credential::Key(sent) if sent.starts_with("cs_") => Err(Problem::new(
            Kind::Forbidden,
            "this needs the admin key, not an application's key",
        )),
        Credential::Key(_) | Credential::Missing => Err(Problem::unauthenticated()),
    }
}

/// RFC 6750, 2.1. One header only: two would leave open which one counts.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Without keys, a web page anywhere could reach this server through a name of its own that resolves to
/// loopback (DNS rebinding). It cannot make the browser send another `Host` than that name.
pub(crate) fn refuse_foreign_host(
    auth: &Auth,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    if matches!(auth, Auth::Keys { .. }) {
        return Ok(());
    }
    // HTTP/2 has the name in the URI. A request without any name does not come from a browser.
    let from_uri = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let from_headers = headers
        .get_all(header::HOST)
        .iter()
        .map(|value| value.as_bytes());
    if from_uri
        .into_iter()
        .chain(from_headers)
        .all(is_loopback_name)
    {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Forbidden,
        "without keys only localhost is served: use http://127.0.0.1 or http://localhost",
    ))
}

fn is_loopback_name(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else {
        return false;
    };
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap_or((host, "")),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port_is_right = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.parse::<u16>().is_ok());
    let name = name.to_ascii_lowercase();
    let name_is_right = name == "localhost"
        || name.ends_with(".localhost")
        || name == "::1"
        || name
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback());
    name_is_right && port_is_right
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Auth {
        Auth::Keys {
            admin_key: Some("0123456789abcdef".to_owned().into()),
        }
    }

    fn with(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        headers
    }

    #[test]
    fn only_a_bearer_token_is_a_credential() {
        assert!(matches!(
            credential(&keys(), &with("Bearer 0123456789abcdef")),
            Credential::Admin
        ));
        assert!(matches!(
            credential(&keys(), &with("bearer cs_x")),
            Credential::Key("cs_x")
        ));
        for wrong in [
            "Basic 0123456789abcdef",
            "Bearer",
            "Bearer ",
            "0123456789abcdef",
        ] {
            assert!(
                matches!(credential(&keys(), &with(wrong)), Credential::Missing),
                "{wrong}"
            );
        }
        let mut twice = with("Bearer 0123456789abcdef");
        twice.append(header::AUTHORIZATION, "Bearer cs_x".parse().unwrap());
        assert!(matches!(credential(&keys(), &twice), Credential::Missing));
    }

    #[test]
    fn an_application_key_does_not_open_what_is_for_administrators() {
        assert_eq!(
            require_admin(&keys(), &with("Bearer cs_x"))
                .unwrap_err()
                .kind,
            Kind::Forbidden
        );
        assert_eq!(
            require_admin(&keys(), &with("Bearer x")).unwrap_err().kind,
            Kind::Unauthenticated
        );
        assert_eq!(
            require_admin(&keys(), &HeaderMap::new()).unwrap_err().kind,
            Kind::Unauthenticated
        );
        assert!(require_admin(&Auth::None, &HeaderMap::new()).is_ok());
    }

    #[test]
    fn without_an_admin_key_nobody_is_an_administrator() {
        let keys = Auth::Keys { admin_key: None };
        for sent in ["Bearer 0123456789abcdef", "Bearer x"] {
            let refused = require_admin(&keys, &with(sent)).unwrap_err();
            assert_eq!(refused.kind, Kind::Unauthenticated, "{sent}");
        }
        assert!(matches!(
            credential(&keys, &with("Bearer cs_x")),
            Credential::Key("cs_x")
        ));
    }

    #[test]
    fn only_names_of_loopback_are_served_without_keys() {
        for good in [
            "localhost",
            "LOCALHOST:8080",
            "a.localhost",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "[::1]",
        ] {
            assert!(is_loopback_name(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "evil.com:localhost",
            "[::1]evil.com",
            "localhost:8080:1",
            "10.0.0.1",
        ] {
            assert!(!is_loopback_name(bad.as_bytes()), "{bad}");
        }
    }
}
