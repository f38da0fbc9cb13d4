//! An application as text. What cannot be read, as from another release, was not kept.

use crate::error::{Error, Result};
use crate::model::{AppId, KeyId, Millis, Token};
use crate::ports::{KeyRecord, Tenant};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Kept {
    app: AppId,
    idem_salt: String,
    keys: Vec<KeptKey>,
}

#[derive(Serialize, Deserialize)]
struct KeptKey {
    id: String,
    hash: String,
    created_at: Millis,
    revoked_at: Option<Millis>,
}

/// Its token is left out: it may be a secret, and who asks has it.
pub(super) fn write(tenant: &Tenant) -> Result<String> {
    let Tenant {
        app,
        token: _,
        idem_salt,
        keys,
    } = tenant;
    let keys = keys.iter().map(|key| KeptKey {
        id: key.id.as_str().to_owned(),
        hash: URL_SAFE_NO_PAD.encode(key.hash),
        created_at: key.created_at,
        revoked_at: key.revoked_at,
    });
    let kept = Kept {
        app: *app,
        idem_salt: URL_SAFE_NO_PAD.encode(idem_salt),
        keys: keys.collect(),
    };
    serde_json::to_string(&kept).map_err(Error::internal)
}

pub(super) fn read(text: &str, token: Token) -> Option<Tenant> {
    let kept: Kept = serde_json::from_str(text).ok()?;
    let keys = kept.keys.into_iter().map(|key| {
        Some(KeyRecord {
            id: KeyId::parse(&key.id)?,
            hash: bytes(&key.hash)?,
            created_at: key.created_at,
            revoked_at: key.revoked_at,
        })
    });
    Some(Tenant {
        app: kept.app,
        token,
        idem_salt: bytes(&kept.idem_salt)?,
        keys: keys.collect::<Option<_>>()?,
    })
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_reads_back_and_its_token_is_not_in_it() {
        let key = |id, revoked_at| KeyRecord {
            id: KeyId::from_random(id),
            hash: [7; 32],
            created_at: Millis::new(1),
            revoked_at,
        };
        let tenant = Tenant {
            app: AppId::from_stored(9),
            token: Token::from_random([5; 16]),
            idem_salt: [1; 32],
            keys: vec![key(1, None), key(2, Some(Millis::new(3)))],
        };
        let text = write(&tenant).unwrap();
        assert!(!text.contains(tenant.token.as_str()));
        assert_eq!(read(&text, tenant.token), Some(tenant));
    }

    #[test]
    fn what_cannot_be_read_was_not_kept() {
        let token = Token::from_random([5; 16]);
        for text in [
            "",
            "{}",
            r#"{"app":1,"idem_salt":"AA","keys":[]}"#,
            r#"{"app":1,"idem_salt":"","keys":[{"id":"x"}]}"#,
        ] {
            assert_eq!(read(text, token), None, "{text}");
        }
    }
}
