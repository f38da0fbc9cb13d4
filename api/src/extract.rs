//! Where a request points and who it is from, in that order: first authenticated, then limited, then
//! read. A handler that has one of these holds a `TenantId`, and there is no other way to get one.

use crate::auth;
use crate::context::Context;
use crate::error::{FieldError, Problem};
use crate::limits;
use crate::router::Api;
use axum::extract::{FromRequestParts, RawPathParams};
use chat::event::Origin;
use chat::model::{IdempotencyKey, Number, Problem as Refusal, TenantId, Token};
use http::request::Parts;
use http::{HeaderMap, Method, Uri};
use std::sync::Arc;
use std::time::Duration;

/// Something within an application.
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) token: Token,
    /// The path and query as they were asked for.
    pub(crate) uri: Uri,
    context: Arc<Context>,
}

/// A chat, or something within it.
pub(crate) struct InChat {
    pub(crate) tenant: Tenant,
    pub(crate) chat: Number,
}

/// A message, or something about it.
pub(crate) struct InMessage {
    pub(crate) tenant: Tenant,
    pub(crate) chat: Number,
    pub(crate) message: Number,
}

/// An administrator, or anybody where everything is open.
pub(crate) struct Admin;

impl Tenant {
    pub(crate) fn origin(&self) -> Origin {
        self.context.origin()
    }
}

/// Authenticates for the application `token` and takes the request out of its buckets.
pub(crate) async fn enter(
    api: &Api,
    token: &str,
    method: &Method,
    uri: Uri,
    headers: &HeaderMap,
    context: Arc<Context>,
) -> Result<Tenant, Problem> {
    let id = api
        .ops
        .authenticate(token, auth::credential(&api.settings.auth, headers))
        .await?;
    context.note(|notes| notes.tenant = Some(id.app()));
    limits::charge_application(api, &context, method, id.app()).await?;
    let token = Token::parse(token).expect("what was authenticated for is a token");
    Ok(Tenant {
        id,
        token,
        uri,
        context,
    })
}

pub(crate) fn context_of(parts: &Parts) -> Arc<Context> {
    let context = parts.extensions.get::<Arc<Context>>();
    Arc::clone(context.expect("the envelope around every route makes a context"))
}

impl FromRequestParts<Arc<Api>> for Tenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let path = Path::of(parts, api).await?;
        path.enter(parts, api).await
    }
}

impl FromRequestParts<Arc<Api>> for InChat {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let path = Path::of(parts, api).await?;
        let tenant = path.enter(parts, api).await?;
        let [chat] = path.numbers([CHAT])?;
        Ok(Self { tenant, chat })
    }
}

impl FromRequestParts<Arc<Api>> for InMessage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let path = Path::of(parts, api).await?;
        let tenant = path.enter(parts, api).await?;
        let [chat, message] = path.numbers([CHAT, MESSAGE])?;
        Ok(Self {
            tenant,
            chat,
            message,
        })
    }
}

impl FromRequestParts<Arc<Api>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        auth::require_admin(&api.settings.auth, &parts.headers).map(|()| Self)
    }
}

pub(crate) const TOKEN: &str = "token";
pub(crate) const CHAT: &str = "chat_number";
pub(crate) const MESSAGE: &str = "message_number";
pub(crate) const KEY: &str = "key_id";

struct Path(RawPathParams);

impl Path {
    async fn of(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        RawPathParams::from_request_parts(parts, api)
            .await
            .map(Self)
            .map_err(|_| {
                Problem::invalid_field(
                    "(path)",
                    "is not UTF-8 after percent-decoding",
                    "encode text as UTF-8",
                )
            })
    }

    fn get(&self, name: &str) -> &str {
        let (_, value) = self
            .0
            .iter()
            .find(|(known, _)| *known == name)
            .expect("the route's template has this name");
        value
    }

    async fn enter(&self, parts: &Parts, api: &Api) -> Result<Tenant, Problem> {
        let Parts {
            method,
            uri,
            headers,
            ..
        } = parts;
        enter(
            api,
            self.get(TOKEN),
            method,
            uri.clone(),
            headers,
            context_of(parts),
        )
        .await
    }

    /// Words are errors; 0 and what is beyond every number is just not there.
    fn numbers<const N: usize>(&self, names: [&str; N]) -> Result<[Number; N], Problem> {
        let refusal = || {
            Refusal::new(
                "is not a number",
                "send a whole number from 1 to 9007199254740991",
            )
        };
        let is_word =
            |text: &str| text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit());
        let words = names.iter().filter(|name| is_word(self.get(name)));
        let errors: Vec<FieldError> = words
            .map(|name| FieldError::new(*name, refusal()))
            .collect();
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let mut numbers = [Number::MAX; N];
        for (number, name) in numbers.iter_mut().zip(names) {
            let parsed = self.get(name).parse().ok().and_then(Number::new);
            *number = parsed.ok_or_else(Problem::not_found)?;
        }
        Ok(numbers)
    }
}

/// The `key_id` in the path, as it was sent.
pub(crate) struct KeyInPath(pub(crate) String);

impl FromRequestParts<Arc<Api>> for KeyInPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let path = Path::of(parts, api).await?;
        Ok(Self(path.get(KEY).to_owned()))
    }
}

/// The `Idempotency-Key` header.
pub(crate) struct Idempotency(pub(crate) Option<IdempotencyKey>);

pub(crate) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

impl FromRequestParts<Arc<Api>> for Idempotency {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        if values.next().is_some() {
            return Err(Problem::invalid_field(
                IDEMPOTENCY_KEY,
                "is given more than once",
                "send it once",
            ));
        }
        // Bytes that are not text fail as the empty key does.
        match IdempotencyKey::parse(value.to_str().unwrap_or_default()) {
            Ok(key) => Ok(Self(Some(key))),
            Err(refusal) => Err(Problem::invalid(vec![FieldError::new(
                IDEMPOTENCY_KEY,
                refusal,
            )])),
        }
    }
}

/// `Prefer: wait=N` (RFC 7240, 4.3): how long the answer may be held back, at most 10 seconds.
#[derive(Clone, Copy)]
pub(crate) struct Wait(pub(crate) Option<u64>);

const MAX_WAIT_S: u64 = 10;

impl Wait {
    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs(self.0.unwrap_or(0))
    }
}

impl FromRequestParts<Arc<Api>> for Wait {
    type Rejection = std::convert::Infallible;

    /// A preference that is not understood is ignored, as RFC 7240 wants it.
    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Self::Rejection> {
        let values = parts
            .headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut preferences = values
            .flat_map(|value| value.split([',', ';']))
            .map(str::trim);
        let seconds = preferences.find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            let value = value.trim().trim_matches('"');
            name.trim()
                .eq_ignore_ascii_case("wait")
                .then(|| value.parse::<u64>().ok())
                .flatten()
        });
        Ok(Self(seconds.map(|seconds| seconds.min(MAX_WAIT_S))))
    }
}
