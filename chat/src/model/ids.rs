//! Identifiers and numbers: what names a row, and the order of things.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// The internal id of an application: a random number of 63 bits that never leaves the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppId(i64);

impl AppId {
    /// `bits` are random; the sign is dropped so that every SQL dialect orders ids alike.
    pub fn from_random(bits: u64) -> Self {
        Self((bits >> 1).cast_signed())
    }

    pub fn from_stored(value: i64) -> Self {
        Self(value)
    }

    pub fn get(self) -> i64 {
        self.0
    }
}

/// Proof that a caller may read and write one application. Only `ops::applications` makes one, so a
/// query that takes a `TenantId` cannot be asked with a number out of a request (I8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TenantId(AppId);

impl TenantId {
    pub(crate) fn authenticated(app: AppId) -> Self {
        Self(app)
    }

    pub fn app(self) -> AppId {
        self.0
    }
}

/// The public name of an application: 16 random bytes as 26 characters of Crockford's base32
/// (<https://www.crockford.com/base32.html>). Case-sensitive: only the canonical upper case is a token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token([u8; 26]);

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl Token {
    pub fn from_random(bytes: [u8; 16]) -> Self {
        let bits = u128::from_be_bytes(bytes);
        let mut text = [0; 26];
        for (place, character) in text.iter_mut().enumerate() {
            let shift = 5 * (25 - place);
            *character = CROCKFORD[((bits >> shift) & 31) as usize];
        }
        Self(text)
    }

    /// `None` for anything that was never given out as a token.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 26] = text.as_bytes().try_into().ok()?;
        let known = bytes.iter().all(|byte| CROCKFORD.contains(byte));
        // 26 characters hold 130 bits: the first one carries only three.
        (known && bytes[0] <= b'7').then_some(Self(bytes))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a token is made of ASCII characters only")
    }
}

impl fmt::Debug for Token {
    /// A token can be the only secret of a tenant: it does not appear in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The public part of an API key: eight random bytes as 16 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    pub fn from_random(bits: u64) -> Self {
        Self(format!("{bits:016x}"))
    }

    pub fn parse(text: &str) -> Option<Self> {
        let valid =
            text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        valid.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The number of a chat in its application or of a message in its chat: 1 to 2^53-1, so that it is
/// exact in a JSON number (RFC 8259, 6) and in a Lua double.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Number(i64);

impl Number {
    pub const MAX: Self = Self((1 << 53) - 1);

    pub fn new(value: u64) -> Option<Self> {
        let value = i64::try_from(value).ok()?;
        (1..=Self::MAX.0).contains(&value).then_some(Self(value))
    }

    pub fn get(self) -> u64 {
        self.0.cast_unsigned()
    }

    /// As SQL stores it.
    pub fn as_i64(self) -> i64 {
        self.0
    }
}

impl TryFrom<u64> for Number {
    type Error = String;

    fn try_from(value: u64) -> Result<Self, String> {
        Self::new(value).ok_or_else(|| format!("{value} is not between 1 and 2^53-1"))
    }
}

impl From<Number> for u64 {
    fn from(number: Number) -> u64 {
        number.get()
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The revision of a row: 0 when created, then the greatest rev of the edits applied to it. Revs are
/// unique and rising within one chat.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Rev(i64);

impl Rev {
    pub const CREATED: Self = Self(0);

    pub fn from_stored(value: i64) -> Self {
        Self(value)
    }

    pub fn as_i64(self) -> i64 {
        self.0
    }

    pub fn get(self) -> u64 {
        self.0.cast_unsigned()
    }

    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl From<Number> for Rev {
    /// Revs are given out by the same machinery as numbers.
    fn from(number: Number) -> Self {
        Self(number.0)
    }
}

/// What makes a create recognisable wherever it turns up again; `id` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uid(Uuid);

impl Uid {
    /// For a create without an idempotency key: UUIDv7 (RFC 9562, 5.7), so ids rise with time.
    pub fn from_time(now: Millis, random: u128) -> Self {
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&random.to_be_bytes()[..10]);
        let millis = u64::try_from(now.0).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
    }

    /// For a create with an idempotency key: the first 16 bytes of its HMAC with the bits of UUIDv8 set
    /// (RFC 9562, 5.8), so the same key gives the same id for ever.
    pub fn from_digest(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(Self)
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Tells two requests with the same idempotency key apart: SHA-256 over the parsed request, cut to 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Each part is hashed with its length, so parts cannot flow into one another.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut first = [0; 16];
        first.copy_from_slice(&hash.finalize()[..16]);
        Self(first)
    }

    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(i64);

impl Millis {
    pub const fn new(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn get(self) -> i64 {
        self.0
    }

    pub const fn plus(self, millis: i64) -> Self {
        Self(self.0 + millis)
    }

    /// Any RFC 3339 time; finer parts than milliseconds are cut off. `None` before 1970 or after 9999.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let moment = time::OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let millis = i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).ok()?;
        (millis >= 0).then_some(Self(millis))
    }

    /// UTC with exactly three places for milliseconds: `2026-01-02T03:04:05.678Z`.
    pub fn to_rfc3339(self) -> String {
        let moment =
            time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
                .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            moment.year(),
            u8::from(moment.month()),
            moment.day(),
            moment.hour(),
            moment.minute(),
            moment.second(),
            moment.millisecond()
        )
    }
}

/// Names a chat wherever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChatKey {
    pub app: AppId,
    pub number: Number,
}

/// Names a message wherever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageKey {
    pub chat: ChatKey,
    pub number: Number,
}

impl ChatKey {
    pub fn message(self, number: Number) -> MessageKey {
        MessageKey { chat: self, number }
    }
}

/// A sequence of numbers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The chats of an application.
    Chats(AppId),
    /// The messages of a chat.
    Messages(ChatKey),
    /// The revisions of the edits in a chat; not explained in the gap ledger.
    Revs(ChatKey),
}

impl Scope {
    /// As `sequences.scope` stores it: `<app>:c`, `<app>:m:<chat>`, `<app>:r:<chat>`.
    pub fn key(self) -> String {
        match self {
            Self::Chats(app) => format!("{}:c", app.0),
            Self::Messages(chat) => format!("{}:m:{}", chat.app.0, chat.number),
            Self::Revs(chat) => format!("{}:r:{}", chat.app.0, chat.number),
        }
    }

    pub fn parse(key: &str) -> Option<Self> {
        let mut parts = key.split(':');
        let app = AppId(parts.next()?.parse().ok()?);
        let kind = parts.next()?;
        let chat = match parts.next() {
            Some(number) => Some(ChatKey {
                app,
                number: Number::new(number.parse().ok()?)?,
            }),
            None => None,
        };
        match (kind, chat, parts.next()) {
            ("c", None, None) => Some(Self::Chats(app)),
            ("m", Some(chat), None) => Some(Self::Messages(chat)),
            ("r", Some(chat), None) => Some(Self::Revs(chat)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_26_crockford_characters_and_parses_back() {
        for bytes in [[0; 16], [255; 16], *b"0123456789abcdef"] {
            let token = Token::from_random(bytes);
            assert_eq!(Token::parse(token.as_str()), Some(token));
        }
        assert_eq!(
            Token::from_random([255; 16]).as_str(),
            "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
        );
    }

    #[test]
    fn what_was_never_a_token_does_not_parse() {
        for text in [
            "",
            "7ZZZZZZZZZZZZZZZZZZZZZZZZz",
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "7ZZZZZZZZZZZZZZZZZZZZZZZZU",
            "0",
        ] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_end_where_doubles_stop_being_exact() {
        assert_eq!(Number::new(0), None);
        assert_eq!(Number::new(1).map(Number::get), Some(1));
        assert_eq!(Number::new((1 << 53) - 1), Some(Number::MAX));
        assert_eq!(Number::new(1 << 53), None);
    }

    #[test]
    fn times_are_utc_with_milliseconds() {
        let moment = Millis::parse_rfc3339("2026-01-02T04:04:05.6789+01:00").unwrap();
        assert_eq!(moment.to_rfc3339(), "2026-01-02T03:04:05.678Z");
        assert_eq!(Millis::parse_rfc3339("1969-12-31T23:59:59Z"), None);
        assert_eq!(Millis::parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn a_scope_parses_back_from_its_key() {
        let chat = ChatKey {
            app: AppId(7),
            number: Number::new(9).unwrap(),
        };
        for scope in [
            Scope::Chats(chat.app),
            Scope::Messages(chat),
            Scope::Revs(chat),
        ] {
            assert_eq!(Scope::parse(&scope.key()), Some(scope));
        }
        for key in ["", "7", "7:c:9", "7:m", "7:m:0", "7:m:9:9", "7:x:9", "a:c"] {
            assert_eq!(Scope::parse(key), None, "{key}");
        }
    }

    #[test]
    fn fingerprints_keep_parts_apart() {
        assert_ne!(
            Fingerprint::of(&[b"ab", b"c"]),
            Fingerprint::of(&[b"a", b"bc"])
        );
    }
}
