//! What a person sees after the start: where things are, and three lines to try.

use chat::config::Auth;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// The addresses are those that were really taken, so port 0 shows its number.
pub(crate) fn banner(api: SocketAddr, admin: SocketAddr, data_dir: &Path, auth: &Auth) -> String {
    let (api, admin) = (reachable(api), reachable(admin));
    let key = match auth {
        Auth::None => "",
        Auth::Keys { .. } => r#" -H "Authorization: Bearer $CHAT_ADMIN_KEY""#,
    };
    let post = format!("curl -s{key} -H 'Content-Type: application/json'");
    format!(
        r#"ChatSystem {version}

  API      http://{api}/api/v1
  Docs     http://{api}/docs
  Health   http://{admin}/readyz?verbose
  Metrics  http://{admin}/metrics
  Data     {data_dir}

Try it:

  TOKEN=$({post} http://{api}/api/v1/applications -d '{{"name":"Demo"}}' | grep -o '"token":"[^"]*' | cut -d'"' -f4)
  {post} http://{api}/api/v1/applications/$TOKEN/chats -d '{{"name":"General"}}'
  {post} http://{api}/api/v1/applications/$TOKEN/chats/1/messages -d '{{"content":"Hello"}}'

Ctrl-C stops it.
"#,
        version = env!("CARGO_PKG_VERSION"),
        data_dir = data_dir.display(),
    )
}

/// Nobody can connect to "any address"; this machine's own is among them.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(api: &str, auth: &Auth) -> String {
        let admin = "127.0.0.1:8081".parse().unwrap();
        banner(api.parse().unwrap(), admin, Path::new("/data/chat"), auth)
    }

    #[test]
    fn it_says_where_things_are() {
        let text = shown("127.0.0.1:8080", &Auth::None);
        for line in [
            "  API      http://127.0.0.1:8080/api/v1",
            "  Docs     http://127.0.0.1:8080/docs",
            "  Health   http://127.0.0.1:8081/readyz?verbose",
            "  Metrics  http://127.0.0.1:8081/metrics",
            "  Data     /data/chat",
        ] {
            assert!(
                text.lines().any(|l| l == line),
                "{line} is missing in\n{text}"
            );
        }
        assert_eq!(
            text.matches("curl -s -H 'Content-Type: application/json'")
                .count(),
            3
        );
    }

    #[test]
    fn addresses_that_nobody_can_connect_to_are_not_shown() {
        let keys = Auth::Keys {
            admin_key: Some("do-not-print-this-key".into()),
        };
        for (api, reachable) in [
            ("0.0.0.0:80", "//127.0.0.1:80/"),
            ("[::]:80", "//[::1]:80/"),
        ] {
            assert!(shown(api, &keys).contains(reachable));
        }
    }

    #[test]
    fn with_keys_the_lines_use_the_admin_key_and_do_not_show_it() {
        let text = shown(
            "0.0.0.0:80",
            &Auth::Keys {
                admin_key: Some("do-not-print-this-key".into()),
            },
        );
        assert_eq!(text.matches("$CHAT_ADMIN_KEY").count(), 3);
        assert!(!text.contains("do-not-print-this-key"));
    }
}
