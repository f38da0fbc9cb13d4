//! From the text of one setting to its value. An error says what is wrong with the text, without the
//! name of the setting and, where it is a secret, without the text.

use secrecy::SecretString;
use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    // The one name that means the same everywhere; others would need a resolver.
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numeric
        .parse()
        .map_err(|_| format!("{text:?} is not an IP address with a port"))
}

pub(super) fn within<N>(text: &str, range: &RangeInclusive<N>) -> Result<N, String>
where
    N: FromStr + PartialOrd + Display,
{
    let number = text.parse().ok().filter(|number| range.contains(number));
    let (least, most) = (range.start(), range.end());
    number.ok_or_else(|| format!("{text:?} is not a whole number from {least} to {most}"))
}

/// Of a whole.
pub(super) fn part(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
    number.ok_or_else(|| format!("{text:?} is not a number from 0 to 1"))
}

/// One of a few words.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("{text:?} is not one of: {}", known.join(", "))
    })
}

pub(super) fn admin_key(text: &str) -> Result<SecretString, String> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("contains a character that is not printable ASCII".to_owned());
    }
    match text.len() {
        0..16 => Err(format!("has {} characters, 16 are the least", text.len())),
        16..256 => Ok(text.into()),
        _ => Err(format!("has {} characters, 255 are the most", text.len())),
    }
}

/// Origins as browsers send them (RFC 6454, 6.2): scheme, host, and a port that is not the scheme's own.
pub(super) fn origins(text: &str) -> Result<Vec<String>, String> {
    text.split(',').map(|part| origin(part.trim())).collect()
}

fn origin(text: &str) -> Result<String, String> {
    if text == "*" {
        return Err("\"*\" would let every page on the web in; list the origins".to_owned());
    }
    let wrong = || format!("{text:?} is not an origin like https://app.example.com");
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    let valid = matches!(scheme, "http" | "https") && !rest.is_empty() && rest.bytes().all(host);
    valid.then(|| text.to_ascii_lowercase()).ok_or_else(wrong)
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    let parsed = tracing_subscriber::EnvFilter::builder().parse(text);
    parsed
        .map(|_| text.to_owned())
        .map_err(|_| format!("{text:?} is neither a level nor a list of target=level pairs"))
}
